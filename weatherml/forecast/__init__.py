"""From a checkpoint to ensemble forecasts: rollout in constant memory, reproducible members, streamed output."""

from weatherml.forecast.analysis_ensemble import AnalysisEnsembleConfig
from weatherml.forecast.breeding import BredConfig
from weatherml.forecast.calibration import calibrate
from weatherml.forecast.combined import CombinedConfig
from weatherml.forecast.conversion import convert
from weatherml.forecast.ensemble import ForecastConfig
from weatherml.forecast.forecaster import Forecaster
from weatherml.forecast.guards import GuardsConfig
from weatherml.forecast.lagged import LaggedConfig
from weatherml.forecast.multi_model import MultiModelForecaster
from weatherml.forecast.noise import GaussianConfig, PerlinConfig, SphericalConfig
from weatherml.forecast.noise_conditioned import NoiseConditionedConfig
from weatherml.forecast.output import open_forecast
from weatherml.forecast.perturbations import PerturbationConfig
from weatherml.forecast.reduction import StatisticsConfig
from weatherml.forecast.stochastic import SpptConfig
from weatherml.forecast.stopped import without_stopped

__all__ = [
    "AnalysisEnsembleConfig",
    "BredConfig",
    "CombinedConfig",
    "ForecastConfig",
    "Forecaster",
    "GaussianConfig",
    "GuardsConfig",
    "LaggedConfig",
    "MultiModelForecaster",
    "NoiseConditionedConfig",
    "PerlinConfig",
    "PerturbationConfig",
    "SphericalConfig",
    "SpptConfig",
    "StatisticsConfig",
    "calibrate",
    "convert",
    "open_forecast",
    "without_stopped",
]
