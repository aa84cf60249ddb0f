"""Fractal gradient noise (Perlin 1985, 2002) on latitude-longitude grids of any size, periodic in longitude."""

import math
from dataclasses import dataclass
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.grid import LatLonGrid
from weatherml.models.noise.draws import uniform


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Octave:
    """Gradient noise of one wavelength.

    At every node of a lattice stands a random unit vector. Its scalar product with the way from the node to a point,
    faded out until the neighbouring nodes, is what the node adds to the noise there. Both factors of the fade belong to
    one axis each, so that the noise is a sum of matrix products.

    Attributes:
        rows: Fade, and fade times distance in lattice units, between rows of nodes and of points `[2, node, lat]`.
        columns: The same for columns `[2, node, lon]`.
    """

    rows: Array
    columns: Array

    def draw(self, key: Array, n_fields: int) -> Array:
        """Return independent fields `[n_fields, lat, lon]`."""
        n_rows, n_columns = self.rows.shape[1], self.columns.shape[1]
        angle = uniform(key, (n_fields, n_rows, n_columns), 2 * math.pi)
        gradients = jnp.stack([jnp.sin(angle), jnp.cos(angle)])  # along rows and columns
        return jnp.einsum("dfpq,dpy,dqx->fyx", gradients, self.rows[::-1], self.columns)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PerlinField:
    """Draws fields of mean 0: octaves that halve the wavelength and keep a share of the amplitude of the one before.

    Points lie where their latitude and longitude put them on the lattice, so the rows need not divide by the periods
    (721 do not), the noise has no seam between 360 and 0 degrees, and a region sees its part of the global noise.

    Attributes:
        octaves: The longest wavelength first.
    """

    octaves: tuple[Octave, ...]

    @classmethod
    def build(cls, grid: LatLonGrid, periods: int, octaves: int, persistence: float) -> Self:
        """Build for a grid.

        Args:
            grid: Global or not.
            periods: Wavelengths of the first octave from pole to pole, and around the Earth.
            octaves: How many.
            persistence: Amplitude of each octave over that of the one before.
        """
        return cls(tuple(_octave(grid, periods * 2**k, persistence**k) for k in range(octaves)))

    def draw(self, key: Array, n_fields: int) -> Array:
        """Return independent fields `[n_fields, lat, lon]`."""
        keys = jax.random.split(key, len(self.octaves))
        fields = [octave.draw(own, n_fields) for octave, own in zip(self.octaves, keys, strict=True)]
        return jnp.sum(jnp.stack(fields), axis=0)


def _octave(grid: LatLonGrid, periods: int, amplitude: float) -> Octave:
    rows = _fades((90 - np.asarray(grid.latitude)) * periods / 180, periods)
    unwrapped = _fades(np.asarray(grid.longitude) * periods / 360, periods)
    columns = unwrapped[:, :-1]
    columns[:, 0] += unwrapped[:, -1]  # the last meridian of nodes is the first one
    # A unit vector's components have variance 1/2; the root of two makes the noise fill about -1 .. 1.
    return Octave(jnp.asarray(math.sqrt(2) * amplitude * rows, jnp.float32), jnp.asarray(columns, jnp.float32))


def _fades(points: np.ndarray, n_cells: int) -> np.ndarray:
    """Return fade and fade times distance from nodes 0 .. `n_cells` to points in lattice units, `[2, node, point]`."""
    distance = points - np.arange(n_cells + 1)[:, None]
    t = np.minimum(np.abs(distance), 1)
    fade = 1 - t**3 * (10 - 15 * t + 6 * t**2)
    return np.stack([fade, fade * distance])
