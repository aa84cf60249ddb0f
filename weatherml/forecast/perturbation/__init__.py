"""What makes the members of an ensemble differ; importing this registers every kind."""

from weatherml.forecast.perturbation.base import AnyPerturbation, PerturbationConfig
from weatherml.forecast.perturbation.bred import BredConfig
from weatherml.forecast.perturbation.combined import CombinedConfig
from weatherml.forecast.perturbation.noise import GaussianConfig, PerlinConfig, SphericalConfig
from weatherml.forecast.perturbation.noise_conditioned import NoiseConditionedConfig
from weatherml.forecast.perturbation.other_analyses import AnalysisEnsembleConfig, LaggedConfig
from weatherml.forecast.perturbation.sppt import SpptConfig

__all__ = [
    "AnalysisEnsembleConfig",
    "AnyPerturbation",
    "BredConfig",
    "CombinedConfig",
    "GaussianConfig",
    "LaggedConfig",
    "NoiseConditionedConfig",
    "PerlinConfig",
    "PerturbationConfig",
    "SphericalConfig",
    "SpptConfig",
]
