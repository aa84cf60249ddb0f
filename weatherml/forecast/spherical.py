"""Isotropic Gaussian random fields on the sphere, by spherical harmonics evaluated at the grid points."""

import math
from dataclasses import dataclass
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.grid import LatLonGrid
from weatherml.models.spherical_harmonics import legendre_functions

EARTH_RADIUS = 6371.0
"""Mean radius of the Earth, km."""

# Degrees beyond this multiple of radius / length hold less than 1e-3 of the variance of a Gaussian spectrum.
_DEGREES_KEPT = 4.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RandomField:
    """Draws fields of mean 0 and variance 1 at every point, poles included, the same in all directions.

    The covariance at distance d is that of the heat kernel, `exp(-d² / (2 length²))` where the length is small against
    the Earth. Any latitude-longitude grid will do, global or not.

    Attributes:
        legendre: Associated Legendre functions times the root of the spectrum, `[order, degree, lat]`.
        zonal: Cosines and sines, `[2, order, lon]`.
    """

    legendre: Array
    zonal: Array

    @classmethod
    def build(cls, grid: LatLonGrid, length: float) -> Self:
        """Build for a correlation length in km."""
        degrees = np.arange(highest_degree(grid, length) + 1)
        spectrum = np.exp(-0.5 * degrees * (degrees + 1) * (length / EARTH_RADIUS) ** 2)
        spectrum /= np.sum(spectrum * (2 * degrees + 1)) / (4 * math.pi)
        table = legendre_functions(len(degrees) - 1, np.sin(np.radians(grid.latitude)))
        angle = degrees[:, None] * np.radians(grid.longitude)
        zonal = np.stack([np.cos(angle), np.sin(angle)]) * np.where(degrees, math.sqrt(2), 1)[:, None]
        weighted = table * np.sqrt(spectrum)[:, None]
        return cls(jnp.asarray(weighted, jnp.float32), jnp.asarray(zonal, jnp.float32))

    def draw(self, key: Array, n_fields: int) -> Array:
        """Return independent fields `[n_fields, lat, lon]`."""
        n_orders, n_degrees, _ = self.legendre.shape
        coefficients = jax.random.normal(key, (n_fields, 2, n_orders, n_degrees))
        waves = jnp.einsum("fpml,mly->fpmy", coefficients, self.legendre)
        return jnp.einsum("fpmy,pmx->fyx", waves, self.zonal)


def highest_degree(grid: LatLonGrid, length: float) -> int:
    """Return the degree beyond which the spectrum is negligible, or the grid has no room for it."""
    needed = math.ceil(_DEGREES_KEPT * EARTH_RADIUS / length)
    spacing = min(grid.resolution, float(np.min(np.diff(grid.longitude))))
    return max(1, min(needed, math.floor(180 / spacing)))
