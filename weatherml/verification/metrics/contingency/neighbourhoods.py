"""Means over the neighbourhood of every point, by cumulative sums: as cheap for large neighbourhoods as for small."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """The neighbourhood of each point: some rows to the north and south, and in each of these as many columns to the
    west and east as the row says.

    It is cut where the grid ends, at the poles, too, and goes on around the globe.

    Attributes:
        north: First row of the neighbourhood of each row `[lat]`.
        south: Last row `[lat]`.
        columns: How many columns lie to the west and to the east of the middle in each row `[lat]`.
        areas: What each point counts `[lat, 1]`.
        is_cyclic: Whether the last column lies beside the first.
        order: Positions of the columns from the western one to the eastern `[lon]`: neighbours lie side by side.
    """

    north: np.ndarray
    south: np.ndarray
    columns: np.ndarray
    areas: np.ndarray
    is_cyclic: bool
    order: np.ndarray

    @classmethod
    def within(cls, grid: LatLonGrid, radius: float) -> Self:
        """Reach `radius` km to the north and south, and as far to the west and east along each row.

        So it has the same size everywhere: towards the poles it has more columns, there whole rows.
        """
        latitude, half = np.radians(grid.latitude), radius / EARTH_RADIUS + 1e-9
        rising, (order, longitude) = -latitude, grid.eastward()
        spacing = 2 * np.pi / grid.n_lon if grid.is_cyclic else np.radians(np.median(np.diff(longitude)))
        columns = np.minimum(half / np.maximum(np.cos(latitude) * spacing, 1e-12), grid.n_lon).astype(int)
        north = np.searchsorted(rising, rising - half)
        south = np.searchsorted(rising, rising + half, side="right") - 1
        return cls(north, south, columns, grid.cell_areas()[:, None], grid.is_cyclic, order)

    @classmethod
    def of_points(cls, grid: LatLonGrid, radius: int) -> Self:
        """Reach `radius` points to every side, whose neighbourhood counts each point alike."""
        rows = np.arange(grid.n_lat)
        north, south = np.maximum(rows - radius, 0), np.minimum(rows + radius, grid.n_lat - 1)
        areas, (order, _) = np.ones((grid.n_lat, 1)), grid.eastward()
        return cls(north, south, np.full(grid.n_lat, radius), areas, grid.is_cyclic, order)

    def mean(self, field: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the mean over the points that count in the neighbourhood of each.

        Args:
            field: `[..., lat, lon]`, finite.
            mask: Which points count, bool `[..., lat, lon]`.

        Returns:
            float64 `[..., lat, lon]`; 0 where no point counts.
        """
        if self.is_cyclic:
            return self._mean(field, mask)
        means = self._mean(field[..., self.order], mask[..., self.order])
        return np.asarray(means[..., np.argsort(self.order)])

    def _mean(self, field: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return means as `mean` does, of columns that lie as they are neighbours."""
        areas = self._sum(mask * self.areas)
        return np.asarray(self._sum(field * mask * self.areas) / np.where(areas == 0, 1, areas))

    def _sum(self, field: np.ndarray) -> np.ndarray:
        sums = _from_first(self._along_rows(field), axis=-2)
        total: np.ndarray = sums[..., self.south + 1, :] - sums[..., self.north, :]
        return total

    def _along_rows(self, field: np.ndarray) -> np.ndarray:
        """Sum over the columns beside each, `[..., lat, lon]`."""
        n_lon = field.shape[-1]
        is_whole = 2 * self.columns + 1 >= n_lon
        reach = np.where(is_whole & self.is_cyclic, 0, np.minimum(self.columns, n_lon))
        widest = int(reach.max())
        margin = (widest, widest) if self.is_cyclic else (0, 0)
        sums = _from_first(np.pad(field, [(0, 0)] * (field.ndim - 1) + [margin], mode="wrap"), axis=-1)
        middle = np.arange(n_lon) + margin[0]
        ends = [np.clip(middle + side, 0, sums.shape[-1] - 1) for side in (reach[:, None] + 1, -reach[:, None])]
        shape = (*field.shape[:-2], *ends[0].shape)
        last, first = (np.take_along_axis(sums, np.broadcast_to(end, shape), axis=-1) for end in ends)
        whole = field.sum(axis=-1, keepdims=True)
        return np.asarray(np.where((is_whole & self.is_cyclic)[:, None], whole, last - first))


def _from_first(field: np.ndarray, axis: int) -> np.ndarray:
    """Return cumulative sums along an axis, from 0 before the first."""
    sums: np.ndarray = np.cumulative_sum(field.astype(np.float64), axis=axis, include_initial=True)
    return sums


def fractions_skill_score(squared_difference: np.ndarray, forecast: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the fractions skill score, 0 to 1 (perfect); NaN where the event neither was forecast nor came.

    Roberts and Lean 2008, doi:10.1175/2007MWR2123.1; of several forecasts the means come first.

    Args:
        squared_difference: Mean squared difference of the shares of neighbourhoods in which the event is.
        forecast: Mean square of the forecast's shares.
        truth: Mean square of the truth's.
    """
    return np.asarray(1 - squared_difference / (forecast + truth))
