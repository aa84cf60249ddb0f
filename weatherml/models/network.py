"""What every network has: a configuration that builds it, looked up by name."""

from abc import abstractmethod
from typing import Protocol

from flax import nnx
from jax import Array

from weatherml.config import Config
from weatherml.models.noise.noise_maps import NoiseMapsConfig
from weatherml.registry import Registry
from weatherml.state import StateSpec


class Network(Protocol):
    """One normalised step on arrays; knows no time, units, loss or devices."""

    def __call__(self, x: Array, key: Array | None = None) -> Array:
        """Return `[batch, channel, lat, lon]`.

        Args:
            x: `[batch, channel + forcing, lat, lon]`, the state's channels first. Random maps are forcings, the last.
            key: Keys `[batch]`, one a sample, that draw what is random in training, such as stochastic depth; nothing
                is random when None. What a sample draws is then the same in whatever batch it is.
        """


class NetworkConfig(Config):
    """The sizes of a network.

    Attributes:
        name: The key in the registry.
        noise: Random maps that the network is told beside the forcings in every step; none when None. Trained by a loss
            of several members (`crps`), it then gives a draw of the next state for each draw of the maps.
    """

    name: str
    noise: NoiseMapsConfig | None = None

    @property
    def n_noise(self) -> int:
        """Number of random maps."""
        return 0 if self.noise is None else len(self.noise.lengths)

    def uncut(self, grid: tuple[int, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return what bands of latitude must hold whole, and bands of longitude, with how many there are of it.

        Args:
            grid: Rows and columns, which bands hold as many of in any case.
        """
        return {}, {}

    @abstractmethod
    def build(self, spec: StateSpec, n_forcings: int, rngs: nnx.Rngs) -> nnx.Module:
        """Build a `Network` from a state and `n_forcings` maps, random ones included, to the next state or its change.

        Raises:
            UserError: The state's channels or grid do not suit these sizes.
        """


registry: Registry[type[NetworkConfig]] = Registry("model")
