"""Networks: each is one normalised step on arrays, and knows no time, units, loss or devices."""

from typing import Protocol

from flax import nnx

from weatherml.models.fourcastnet import FourCastNet, FourCastNetConfig
from weatherml.models.published_fourcastnet import load_published
from weatherml.models.step import Step
from weatherml.registry import Registry

__all__ = ["FourCastNet", "FourCastNetConfig", "NetworkConfig", "Step", "load_published", "registry"]


class NetworkConfig(Protocol):
    """The sizes of a network, and how to build it."""

    def build(self, n_in: int, n_out: int, shape: tuple[int, int], rngs: nnx.Rngs) -> nnx.Module:
        """Build a module from `[batch, n_in, lat, lon]` to `[batch, n_out, lat, lon]`; `shape` is (lat, lon)."""


registry: Registry[type[NetworkConfig]] = Registry("model")
registry.register("fourcastnet")(FourCastNetConfig)
