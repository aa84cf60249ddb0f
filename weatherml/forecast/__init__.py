"""From a checkpoint to ensemble forecasts: rollout in constant memory, reproducible members, streamed output."""

from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.forecaster import Forecaster
from weatherml.forecast.guards import GuardsConfig
from weatherml.forecast.perturbation import (
    AnalysisEnsembleConfig,
    BredConfig,
    CombinedConfig,
    GaussianConfig,
    LaggedConfig,
    NoiseConditionedConfig,
    PerlinConfig,
    PerturbationConfig,
    SphericalConfig,
    SpptConfig,
)
from weatherml.forecast.rollout.suite import Suite
from weatherml.forecast.statistics import StatisticsConfig

__all__ = [
    "AnalysisEnsembleConfig",
    "BredConfig",
    "CombinedConfig",
    "ForecastConfig",
    "Forecaster",
    "GaussianConfig",
    "GuardsConfig",
    "LaggedConfig",
    "NoiseConditionedConfig",
    "PerlinConfig",
    "PerturbationConfig",
    "SphericalConfig",
    "SpptConfig",
    "StatisticsConfig",
    "Suite",
]
