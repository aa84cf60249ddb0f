"""Networks: each is one normalised step on arrays, and knows no time, units, loss or devices."""

from weatherml.models.diagnostic import DiagnosticConfig
from weatherml.models.diagnostic import registry as diagnostics
from weatherml.models.fourcastnet import FourCastNet, FourCastNetConfig
from weatherml.models.network import Network, NetworkConfig, registry
from weatherml.models.noise.noise_maps import NoiseMaps, NoiseMapsConfig
from weatherml.models.pangu import Pangu, PanguConfig
from weatherml.models.precipitation import Precipitation, PrecipitationConfig
from weatherml.models.presets import AnyNetwork
from weatherml.models.sfno import SFNO, SFNOConfig
from weatherml.models.step import Step
from weatherml.models.weights.published_fourcastnet import load_published
from weatherml.models.weights.published_pangu import load_published_pangu

__all__ = [
    "SFNO",
    "AnyNetwork",
    "DiagnosticConfig",
    "FourCastNet",
    "FourCastNetConfig",
    "Network",
    "NetworkConfig",
    "NoiseMaps",
    "NoiseMapsConfig",
    "Pangu",
    "PanguConfig",
    "Precipitation",
    "PrecipitationConfig",
    "SFNOConfig",
    "Step",
    "diagnostics",
    "load_published",
    "load_published_pangu",
    "registry",
]

registry.register("fourcastnet")(FourCastNetConfig)
registry.register("pangu")(PanguConfig)
registry.register("sfno")(SFNOConfig)

diagnostics.register("precipitation")(PrecipitationConfig)
