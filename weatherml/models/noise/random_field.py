"""Isotropic Gaussian random fields on the sphere, by spherical harmonics evaluated at the grid points."""

import math
from dataclasses import dataclass
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.grid import LatLonGrid
from weatherml.models.noise.draws import normal
from weatherml.sphere import EARTH_RADIUS, legendre_functions

# Minus the logarithm of the share of the variance that degrees beyond the highest would hold: e⁻⁸ is 3e-4.
_NEGLIGIBLE = 8.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RandomField:
    """Draws fields of mean 0 and variance 1 at every point, poles included, the same in all directions.

    The covariance is that of Whittle and Matérn on the sphere (Lindgren, Rue and Lindström 2011, section 3), with the
    spectrum `(1 + l (l + 1) length² / (2 smoothness radius²))^-(smoothness + 1)` over degrees l. Where the length is
    small against the Earth it is the plane's, `2^(1 - s) / Gamma(s) r^s K_s(r)` with `r = sqrt(2 s) d / length` at
    distance d, differentiable fewer than s times; in the limit of ever smoother fields, `exp(-d² / (2 length²))`. Any
    latitude-longitude grid will do, global or not.

    Attributes:
        legendre: Associated Legendre functions times the root of the spectrum, `[order, degree, lat]`.
        zonal: Cosines and sines, `[2, order, lon]`.
    """

    legendre: Array
    zonal: Array

    @classmethod
    def build(cls, grid: LatLonGrid, length: float, smoothness: float | None = None) -> Self:
        """Build for a correlation length in km; without end smooth when `smoothness` is None."""
        degrees = np.arange(highest_degree(grid, length, smoothness) + 1)
        spectrum = _spectrum(degrees, length / EARTH_RADIUS, smoothness)
        table = legendre_functions(len(degrees) - 1, np.sin(np.radians(grid.latitude)))
        angle = degrees[:, None] * np.radians(grid.longitude)
        zonal = np.stack([np.cos(angle), np.sin(angle)]) * np.where(degrees, math.sqrt(2), 1)[:, None]
        weighted = table * np.sqrt(spectrum)[:, None]
        return cls(jnp.asarray(weighted, jnp.float32), jnp.asarray(zonal, jnp.float32))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the coefficients of a field, `[2, order, degree]`."""
        n_orders, n_degrees, _ = self.legendre.shape
        return 2, n_orders, n_degrees

    def draw(self, key: Array, n_fields: int) -> Array:
        """Return independent fields `[n_fields, lat, lon]`."""
        return self.evaluate(self.draw_coefficients(key, n_fields))

    def draw_coefficients(self, key: Array, n_fields: int) -> Array:
        """Return independent coefficients of variance 1, `[n_fields, 2, order, degree]`."""
        return normal(key, (n_fields, *self.shape))

    def evaluate(self, coefficients: Array) -> Array:
        """Return the fields `[field, lat, lon]` of coefficients `[field, 2, order, degree]`."""
        waves = jnp.einsum("fpml,mly->fpmy", coefficients, self.legendre)
        return jnp.einsum("fpmy,pmx->fyx", waves, self.zonal)


def highest_degree(grid: LatLonGrid, length: float, smoothness: float | None = None) -> int:
    """Return the degree beyond which the spectrum is negligible, or the grid has no room for it."""
    if smoothness is None:
        reach = math.sqrt(2 * _NEGLIGIBLE)
    else:
        reach = math.sqrt(2 * smoothness * math.expm1(min(_NEGLIGIBLE / smoothness, 100)))
    spacing = min(grid.resolution, float(np.min(np.diff(grid.longitude))))
    return max(1, math.floor(min(math.ceil(reach * EARTH_RADIUS / length), 180 / spacing)))


def _spectrum(degrees: np.ndarray, length: float, smoothness: float | None) -> np.ndarray:
    """Return the variance of one coefficient of each degree, in all 1 at every point; `length` in radii."""
    squared = degrees * (degrees + 1) * length**2
    if smoothness is None:
        spectrum = np.exp(-0.5 * squared)
    else:
        spectrum = (1 + 0.5 * squared / smoothness) ** -(smoothness + 1)
    normalised: np.ndarray = spectrum * 4 * math.pi / np.sum(spectrum * (2 * degrees + 1))
    return normalised
