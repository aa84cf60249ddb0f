"""From a checkpoint to ensemble forecasts: rollout in constant memory, reproducible members, streamed output."""

from weatherml.forecast.ensemble import ForecastConfig
from weatherml.forecast.forecaster import Forecaster
from weatherml.forecast.output import open_forecast
from weatherml.forecast.perturbations import GaussianConfig, PerturbationConfig, SphericalConfig

__all__ = [
    "ForecastConfig",
    "Forecaster",
    "GaussianConfig",
    "PerturbationConfig",
    "SphericalConfig",
    "open_forecast",
]
