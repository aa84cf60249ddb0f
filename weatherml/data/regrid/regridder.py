"""Arrays on another grid: the weights applied, field by field, in double precision."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from weatherml.data.regrid.weights import column_edges, weights_between
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

_SLACK = 1e-3  # degrees; coordinates hold four decimals


@dataclass(frozen=True)
class Regridder:
    """From one grid to another.

    Attributes:
        source: The grid of what comes in.
        target: The grid of what goes out.
        method: A key of `METHODS`.
        min_valid_fraction: A point is missing (NaN) where less than this part of its weight (of its area, where
            conservative) lies on values; else it is the mean of those.

    Raises:
        UserError: The source does not cover the target.
    """

    source: LatLonGrid
    target: LatLonGrid
    method: str = "conservative"
    min_valid_fraction: float = 0.5

    def __post_init__(self) -> None:
        _require_covered(self.source, self.target)

    def __call__(self, fields: np.ndarray) -> np.ndarray:
        """Return float32 fields `[..., lat, lon]` on the target grid; NaN is missing area."""
        result = np.empty((*fields.shape[:-2], *self.target.shape), np.float32)
        if self.source.is_same(self.target):
            result[...] = fields
            return result
        # One field at a time: 721 x 1440 numbers in double precision stay in the cache of a core.
        double = np.empty(self.source.shape)
        for field, mean in zip(
            fields.reshape(-1, *self.source.shape), result.reshape(-1, *self.target.shape), strict=True
        ):
            np.copyto(double, field)
            mean[...] = self._mean(double)
        return result

    def _mean(self, field: np.ndarray) -> np.ndarray:
        mean = self._apply(field)
        if not np.isnan(mean).any():  # NaN spreads to all that it has weight in
            return mean
        is_valid = ~np.isnan(field)
        fraction = self._apply(is_valid.astype(np.float64))
        mean = self._apply(np.where(is_valid, field, 0))
        enough = fraction >= max(self.min_valid_fraction - 1e-9, 1e-9)
        result: np.ndarray = np.divide(mean, fraction, out=np.full_like(mean, np.nan), where=enough)
        return result

    def _apply(self, field: np.ndarray) -> np.ndarray:
        weights = weights_between(self.source, self.target, self.method)
        rows, columns = weights.rows, weights.columns
        if self.target.n_lat <= self.source.n_lat:  # the smaller of both ways comes between
            return _along_columns(columns, rows @ field)
        return np.asarray(rows @ _along_columns(columns, field))


def _along_columns(columns: csr_array, field: np.ndarray) -> np.ndarray:
    # A sparse matrix takes contiguous rows: two small transpositions cost less than strided reading.
    return np.ascontiguousarray((columns @ np.ascontiguousarray(field.T)).T)


def _require_covered(source: LatLonGrid, target: LatLonGrid) -> None:
    """Refuse a region that a part of the target lies outside of."""
    if source.is_global:
        return
    north, south = source.latitude_edges()[[0, -1]] + np.array([_SLACK, -_SLACK])
    first, last = target.latitude_edges()[[0, -1]]
    if first > north or last < south or not (source.is_cyclic or _columns_covered(source, target)):
        raise UserError(
            f"the data cover only {describe_extent(source)}, not all of {describe_extent(target)} that the grid"
            f" of {target.n_lat} x {target.n_lon} needs; name a region inside (region: [north, west, south, east])"
        )


def _columns_covered(source: LatLonGrid, target: LatLonGrid) -> bool:
    west, east = column_edges(source)
    start = west.min() - _SLACK
    own_west, own_east = column_edges(target)
    offset = (own_west - start) % 360
    return bool((offset + (own_east - own_west) <= east.max() - start + _SLACK).all())


def describe_extent(grid: LatLonGrid) -> str:
    """Return the extent of a grid's cells in words, such as `72 .. 34 N, 335 .. 45 E`."""
    north, south = grid.latitude_edges()[[0, -1]]
    west, east = column_edges(grid)
    return f"{north:g} .. {south:g} N, {west.min() % 360:g} .. {(east.max() - 1e-9) % 360:g} E"
