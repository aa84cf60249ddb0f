"""Networks: each is one normalised step on arrays, and knows no time, units, loss or devices."""

from weatherml.models.fourcastnet import FourCastNet, FourCastNetConfig
from weatherml.models.network import AnyNetwork, Network, NetworkConfig, registry
from weatherml.models.published_fourcastnet import load_published
from weatherml.models.step import Step

__all__ = [
    "AnyNetwork",
    "FourCastNet",
    "FourCastNetConfig",
    "Network",
    "NetworkConfig",
    "Step",
    "load_published",
    "registry",
]

registry.register("fourcastnet")(FourCastNetConfig)
