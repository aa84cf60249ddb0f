"""Three-dimensional windows over a volume of tokens, as in a shifted-window transformer on the sphere."""

import math
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from weatherml.axes import n_parts, roll

Extent = tuple[int, int, int]
"""Sizes along level, latitude and longitude."""

_NAMES = (None, "lat", "lon")


@dataclass(frozen=True)
class Windows:
    """How a volume of tokens is cut into windows.

    Where windows do not tile the volume it is padded with zeros at its far end; these count as ordinary tokens.
    Windows between the same levels and latitudes are of one type, whatever their longitude.

    Of a volume that is cut along latitude or longitude, each device holds whole windows; the half of a window that a
    shift moves goes to the neighbour.

    Compilers are kept from looking through both ways: joined with a product over flat tokens, the order of axes takes
    XLA of jax 0.11.1 and 0.11.2 more than five minutes on a CPU.

    Attributes:
        volume: Tokens along level, latitude and longitude.
        window: Tokens of a window along each.
        shifted: Whether windows begin half a window further on; those at the end then continue at the beginning.
    """

    volume: Extent
    window: Extent
    shifted: bool

    @property
    def counts(self) -> Extent:
        """Windows along each axis."""
        level, lat, lon = (math.ceil(size / step) for size, step in zip(self.volume, self.window, strict=True))
        return level, lat, lon

    @property
    def n_types(self) -> int:
        """Number of types, counted through the latitudes of one level first."""
        return self.counts[0] * self.counts[1]

    @property
    def _part(self) -> "Windows":
        """The windows that a device holds."""
        level, lat, lon = self.volume
        return replace(self, volume=(level, lat // n_parts("lat"), lon // n_parts("lon")))

    def partition(self, x: Array) -> Array:
        """Return the windows `[type, batch*lon, token, embed]` of `x [batch, level, lat, lon, embed]`."""
        counts, volume = self._part.counts, self._part.volume
        padding = [(0, n * step - size) for n, step, size in zip(counts, self.window, volume, strict=True)]
        x = jnp.pad(_apart(x), [(0, 0), *padding, (0, 0)])
        x = roll(x, [-s for s in self._shift], (1, 2, 3), _NAMES)
        pieces = [size for pair in zip(counts, self.window, strict=True) for size in pair]
        x = x.reshape(x.shape[0], *pieces, -1).transpose(1, 3, 0, 5, 2, 4, 6, 7)
        return x.reshape(counts[0] * counts[1], -1, math.prod(self.window), x.shape[-1])

    def merge(self, windows: Array) -> Array:
        """Put windows back in their places: the inverse of `partition`, without what it padded."""
        (level, lat, lon), volume = self._part.counts, self._part.volume
        x = windows.reshape(level, lat, -1, lon, *self.window, windows.shape[-1])
        x = x.transpose(2, 0, 4, 1, 5, 3, 6, 7)
        x = x.reshape(x.shape[0], *(n * step for n, step in zip((level, lat, lon), self.window, strict=True)), -1)
        x = roll(x, self._shift, (1, 2, 3), _NAMES)
        return _apart(x[:, : volume[0], : volume[1], : volume[2]])

    def regions(self) -> np.ndarray:
        """Return a number `[type, token]` for each token, the same where tokens of a window are neighbours on Earth.

        Shifted windows at the end hold tokens of the top and the ground, or of both poles. Longitude goes round.
        """
        level, lat = (self._regions_along(axis) for axis in (0, 1))
        regions = 3 * level[:, None, :, None] + lat[:, None, :]
        return np.repeat(regions.reshape(self.n_types, -1), self.window[2], axis=1)

    @property
    def _shift(self) -> Extent:
        level, lat, lon = (step // 2 if self.shifted else 0 for step in self.window)
        return level, lat, lon

    def _regions_along(self, axis: int) -> np.ndarray:
        """Number `[window, token]` along one axis: in the last window 1, or 2 for what was at the beginning, else 0."""
        n, step, shift = self.counts[axis], self.window[axis], self._shift[axis]
        place = np.arange(n * step).reshape(n, step)
        return (place >= (n - 1) * step).astype(int) + (place >= n * step - shift)


def _apart(x: Array) -> Array:
    """Return an array through which no compiler looks."""
    kept: Array = lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    return kept
