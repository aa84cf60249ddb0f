"""Fields made small: means of blocks of cells, on which patterns and changes are looked at."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from weatherml.grid import LatLonGrid

_COARSE = 2.5
"""Degrees: weather and land show at this spacing, and a field takes 40 KB."""


@dataclass(frozen=True, eq=False)
class Coarsening:
    """Means of blocks of cells.

    Attributes:
        grid: Of the fields.
        coarse: Grid of the means.
        rows: First row of each block, and the one after its last `[block, 2]`; blocks may share a row.
        columns: First column of each block `[block]`.
        n_columns: Columns in each block `[block]`.
    """

    grid: LatLonGrid
    coarse: LatLonGrid
    rows: np.ndarray
    columns: np.ndarray
    n_columns: np.ndarray

    @classmethod
    def of(cls, grid: LatLonGrid) -> Self:
        """Return the coarsening to 2.5 degrees, or as near to it from below as whole cells allow."""
        rows, centres = _row_blocks(grid)
        columns = _column_blocks(grid)
        n_columns = np.diff([*columns, grid.n_lon])
        longitude = np.add.reduceat(np.asarray(grid.longitude), columns) / n_columns
        return cls(grid, LatLonGrid.from_coordinates(centres, longitude), rows, columns, n_columns)

    @property
    def is_identity(self) -> bool:
        """Whether each block is a cell."""
        return bool((self.n_columns == 1).all() and (np.diff(self.rows) == 1).all())

    def means(self, fields: np.ndarray, finite: np.ndarray | None) -> np.ndarray:
        """Return the means of blocks, float32 `[field, block of rows, block of columns]`.

        Args:
            fields: `[field, lat, lon]`, 0 where there is no finite value.
            finite: Where there is one; None for everywhere.
        """
        if self.is_identity:
            return fields if finite is None else np.where(finite, fields, np.float32(np.nan))
        if finite is None:
            sums = self._sums(fields)
            return np.asarray(sums / (np.diff(self.rows) * self.n_columns).astype(np.float32))
        with np.errstate(invalid="ignore"):
            return np.asarray(self._sums(fields) / self._sums(finite.astype(np.float32)))

    def _sums(self, fields: np.ndarray) -> np.ndarray:
        # Every other sum runs from the end of a block to the start of the next; the last block ends with the rows.
        by_rows = np.add.reduceat(fields, self.rows.ravel()[:-1], axis=-2)[..., ::2, :]
        return np.asarray(np.add.reduceat(by_rows, self.columns, axis=-1), np.float32)


def _row_blocks(grid: LatLonGrid) -> tuple[np.ndarray, np.ndarray]:
    """Return the blocks of rows, and their latitudes; rows at the poles stay as they are, amid odd blocks."""
    n_lat, latitude = grid.n_lat, np.asarray(grid.latitude)
    if grid.is_global and latitude[0] == 90 and latitude[-1] == -90:
        n_rows = _length(n_lat - 1, grid.resolution)
        middle = np.arange(0, n_lat, n_rows)
        half = np.where(np.isin(middle, (0, n_lat - 1)), 0, n_rows // 2)
        return np.stack([middle - half, middle + half + 1], axis=1), latitude[middle]
    n_rows = max(1, int(_COARSE / grid.resolution + 1e-6)) if n_lat > 1 else 1
    first = np.arange(0, n_lat, n_rows)
    blocks = np.stack([first, np.minimum(first + n_rows, n_lat)], axis=1)
    return blocks, np.array([latitude[slice(*block)].mean() for block in blocks])


def _column_blocks(grid: LatLonGrid) -> np.ndarray:
    """Return the first column of each block; no block lies on both sides of a gap."""
    steps = np.diff(grid.longitude)
    if not len(steps):
        return np.zeros(1, np.intp)
    if grid.is_cyclic:
        return np.arange(0, grid.n_lon, _length(grid.n_lon, 360 / grid.n_lon))
    width = float(np.median(steps))
    pieces = np.split(np.arange(grid.n_lon), np.flatnonzero(steps > 1.5 * width) + 1)
    return np.concatenate([piece[:: max(1, int(_COARSE / width + 1e-6))] for piece in pieces])


def _length(number: int, spacing: float) -> int:
    """Return the largest divisor of a number that spans at most `_COARSE` degrees."""
    most = max(1, int(_COARSE / spacing + 1e-6))
    return max(n for n in range(1, most + 1) if number % n == 0)
