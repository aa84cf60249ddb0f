"""What every diagnostic has: fields that follow from a state and are not stepped forward, such as precipitation."""

from abc import abstractmethod

from flax import nnx
from jax import Array

from weatherml.config import Config
from weatherml.registry import Registry
from weatherml.state import StateSpec


class DiagnosticConfig(Config):
    """The sizes of a diagnostic.

    Attributes:
        name: The key in the registry.
    """

    name: str

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Names of the channels that it gives, in order."""

    @property
    def n_noise(self) -> int:
        """Number of random maps: a diagnostic is told none."""
        return 0

    def uncut(self, grid: tuple[int, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return what bands of latitude must hold whole, and bands of longitude: see `NetworkConfig.uncut`."""
        return {}, {}

    @abstractmethod
    def build(self, spec: StateSpec, rngs: nnx.Rngs) -> nnx.Module:
        """Build a module from normalised states `[batch, channel, lat, lon]` to SI units `[batch, output, lat, lon]`.

        Raises:
            UserError: The state's channels or grid do not suit these sizes.
        """

    def compress(self, values: Array) -> Array:
        """Return outputs, SI units, in the unit in which losses compare them; as they are where a class says no other.

        Args:
            values: Of the outputs, or of the truth, `[batch, output, lat, lon]`.
        """
        return values


registry: Registry[type[DiagnosticConfig]] = Registry("diagnostic")
