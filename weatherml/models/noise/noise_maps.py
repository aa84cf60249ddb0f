"""Random maps that a network is told in every step, so that its forecasts are draws from a distribution."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field, PositiveFloat

from weatherml.axes import lay
from weatherml.config import Config
from weatherml.grid import LatLonGrid
from weatherml.models.noise.random_field import RandomField


class NoiseMapsConfig(Config):
    """Which random maps a network is told: isotropic Gaussian fields of mean 0 and variance 1, independent in time.

    Attributes:
        lengths: Correlation length of each map, km. Several let the network choose on which scales it is uncertain; a
            length that comes twice is two independent maps.
    """

    lengths: tuple[PositiveFloat, ...] = Field(default=(1000.0,), min_length=1)

    def build(self, grid: LatLonGrid) -> "NoiseMaps":
        """Build what draws the maps on a grid."""
        return NoiseMaps(tuple(RandomField.build(grid, length) for length in self.lengths))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NoiseMaps:
    """Draws the random maps of a step.

    Attributes:
        fields: Draws each map.
    """

    fields: tuple[RandomField, ...]

    def draw(self, keys: Array) -> Array:
        """Return the maps of each key of `[batch]`, `[batch, map, lat, lon]`."""
        shapes = [field.shape for field in self.fields]
        # All at once: on a CPU every call of a generator of random numbers adds a fifth of a second to compiling.
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        numbers = jax.vmap(lambda key: jax.random.normal(key, (ends[-1],)))(keys)
        parts = jnp.split(numbers, ends[:-1], axis=1)
        own = zip(self.fields, parts, shapes, strict=True)
        maps = jnp.stack([field.evaluate(part.reshape(-1, *shape)) for field, part, shape in own], axis=1)
        return lay(maps, "batch", None, "lat", "lon")
