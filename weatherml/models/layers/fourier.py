"""Two-dimensional Fourier transforms of token grids as matrix products.

Networks transform short axes (tens to a few hundred tokens) of wide tensors, and keep a part of the modes. There a
product with the kept rows of the Fourier matrix is faster than a transform of everything, computes only what is
kept, needs no transposition around it, and is the same on every device. Spectra are real arrays
`[batch, row, part, column, embed]`, where part 0 is the real and part 1 the imaginary part.

Where a field is cut, transforms along an axis have the whole of it: channels are cut instead of longitudes, then zonal
wavenumbers, fewer than longitudes, instead of latitudes. Devices exchange parts before, between and after.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.axes import exchange, n_parts, padded


@dataclass(frozen=True)
class PartialFourier:
    """Orthonormal real transforms between a grid and some modes of its half spectrum.

    Attributes:
        shape: Rows (latitude) and columns (longitude) of the grid.
        rows: Meridional wavenumbers that are kept, as indices of the unshifted axis.
        columns: Zonal wavenumbers that are kept, at most half the columns of the grid.
    """

    shape: tuple[int, int]
    rows: range
    columns: range

    def forward(self, x: Array) -> Array:
        """Return the kept modes `[batch, row, part, column, embed]` of `x [batch, lat, lon, embed]`.

        Of a part of a field, by `weatherml.axes.locally`, these are a part of the columns, which may be filled up with
        zeros, and of the channels.
        """
        x = exchange(x, "lon", split=3, join=2)
        batch, n_lat, _, embed = x.shape
        zonal = _product(_zonal(self.shape[1], self.columns), x)
        if n_parts("lat") > 1:
            zonal = padded(zonal.reshape(batch, n_lat, 2, -1, embed), 3, "lat")
            zonal = exchange(zonal, "lat", split=3, join=1)
        modes = _product(_meridional(self.shape[0], self.rows), zonal.reshape(batch, 2 * self.shape[0], -1))
        return modes.reshape(batch, len(self.rows), 2, -1, embed)

    def inverse(self, modes: Array) -> Array:
        """Return the grid `[batch, lat, lon, embed]` of the kept modes; all others count as zero.

        Complex along latitude first, then from half spectra to real numbers along longitude. That ignores the
        imaginary part of zonal wavenumbers zero and Nyquist, whose spectrum need not be symmetric.
        """
        batch, n_rows, _, n_columns, embed = modes.shape
        zonal = _product(_meridional(self.shape[0], self.rows).T, modes.reshape(batch, 2 * n_rows, -1))
        if n_parts("lat") > 1:
            zonal = exchange(zonal.reshape(batch, -1, 2, n_columns, embed), "lat", split=1, join=3)
            zonal = zonal[..., : len(self.columns), :]
        zonal = zonal.reshape(batch, -1, 2 * len(self.columns), embed)
        return exchange(_product(_inverse_zonal(self.shape[1], self.columns), zonal), "lon", split=2, join=3)


def _product(matrix: np.ndarray, x: Array) -> Array:
    """Multiply `matrix [out, in]` into the last axis but one of `x`, one product per leading index.

    Repeating the matrix looks wasteful, but an einsum of the unrepeated one transposes `x` on a CPU: twice the time.
    """
    repeated = jnp.broadcast_to(matrix, (*x.shape[:-2], *matrix.shape))
    return jnp.matmul(repeated, x, precision=jax.lax.Precision.HIGHEST)


def _waves(wavenumbers: range, n_points: int) -> np.ndarray:
    phase = np.outer(wavenumbers, np.arange(n_points)) % n_points
    waves: np.ndarray = np.exp(-2j * np.pi * phase / n_points) / np.sqrt(n_points)
    return waves


@functools.cache
def _zonal(n_points: int, wavenumbers: range) -> np.ndarray:
    """Real points to (part, wavenumber)."""
    waves = _waves(wavenumbers, n_points)
    return np.concatenate([waves.real, waves.imag]).astype(np.float32)


@functools.cache
def _inverse_zonal(n_points: int, wavenumbers: range) -> np.ndarray:
    """(part, wavenumber) to real points: waves that have a mirror image count twice."""
    has_mirror = np.asarray(wavenumbers) * 2 % n_points != 0
    return _zonal(n_points, wavenumbers).T * np.tile(1 + has_mirror, 2).astype(np.float32)


@functools.cache
def _meridional(n_points: int, wavenumbers: range) -> np.ndarray:
    """(point, part) to (wavenumber, part); orthonormal, so that the transpose is the inverse."""
    waves = _waves(wavenumbers, n_points)
    parts = np.array([[waves.real, -waves.imag], [waves.imag, waves.real]])
    return parts.transpose(2, 0, 3, 1).reshape(2 * len(wavenumbers), -1).astype(np.float32)
