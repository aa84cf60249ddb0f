"""What counts as extreme at each place."""

import math
from collections.abc import Iterator

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.thresholds.running_quantile import Method
from weatherml.references import as_slice
from weatherml.times import Periods, is_within, show_periods, write_periods

MEMORY = 2**30
"""Bytes that a quantile may take, half of them for the values that it keeps, unless one row of cells takes more."""

_MOST_BANDS = 8
"""A field is read once for each band of latitude; where it would be more, an exact quantile gives way to a sketch."""

_READ_SHARE = 32  # of the memory, for what is being read: it is there a few times while it is decoded and put in place
_READ_BYTES = 2**23  # and never more: larger blocks are read no faster


def local_quantile(dataset: xr.Dataset, q: float, period: Periods, memory: int = MEMORY) -> xr.Dataset:
    """Return the quantile over time of each grid point, computed variable by variable in a stream.

    What a quantile near an end needs is the tail of the values alone: of 37 years every 6 h a twentieth for the 95th
    percentile. It is exact where the tails of all levels, or of one level in no more than eight bands of latitude, fit
    in `memory`; beyond, it is that of a sketch, whose ranks are off by no more than the variable's attribute says.

    Args:
        dataset: Analyses, dims (time, level, latitude, longitude). A point that is NaN at any time has no quantile:
            NaN.
        q: Between 0 and 1, for example 0.95.
        period: First and last time that count, both included, for example ("2012", "2014"); none that will be judged.
        memory: Bytes to take, half of them for the values that are kept.

    Returns:
        Dims (level, latitude, longitude), units of the data; attributes `quantile` and `period`, and of each variable
        `quantile_method` ("exact" or "sketch") and `quantile_rank_error`: the share of the times by which a rank may
        be off at most.

    Raises:
        UserError: `q` is out of range, or the dataset has no time in the period.
    """
    if not 0 < q < 1:
        raise UserError(f"a quantile must lie between 0 and 1, got {q}; write 0.95 for the 95th percentile")
    chosen = dataset.isel(time=as_slice(np.flatnonzero(is_within(dataset["time"].values, period))))
    if not chosen.sizes["time"]:
        times = dataset.indexes["time"]
        raise UserError(
            f"no data from {show_periods(period, ' to ')}; they cover {times[0]} .. {times[-1]}: choose a period inside"
        )
    fields = {name: field for name, field in chosen.data_vars.items() if "time" in field.dims}
    quantiles = {name: _over_time(field, q, memory) for name, field in fields.items()}
    return xr.Dataset(quantiles).assign_attrs(quantile=q, period=show_periods(write_periods(period), " to "))


def _over_time(field: xr.DataArray, q: float, memory: int) -> xr.DataArray:
    """Return the quantile of one variable, tile by tile."""
    field = field.transpose("time", ..., "latitude", "longitude")
    method = _method(field, q, memory)
    quantile = np.empty(field.shape[1:], np.float32)
    # Whole fields, though a tile is less: chunks hold them.
    n_read = max(1, min(_READ_BYTES, memory // _READ_SHARE) // quantile.nbytes)
    for tile in _tiles(quantile.shape, memory // 2 // method.cell_bytes):
        quantile[tile] = _of_tile(field[(slice(None), *tile)], method, n_read)
    told = {"quantile_method": method.name, "quantile_rank_error": method.rank_error}
    return field.isel(time=0, drop=True).copy(data=quantile).drop_encoding().assign_attrs(told)


def _method(field: xr.DataArray, q: float, memory: int) -> Method:
    """Choose the exact quantile unless it is too large for few bands, and a sketch is smaller."""
    n_times, *_, n_lat, n_lon = field.shape
    exact, sketch = Method.exact(q, n_times), Method.sketch(q, n_times)
    n_bands = math.ceil(n_lat / _rows(n_lon, memory // 2 // exact.cell_bytes))
    return exact if n_bands <= _MOST_BANDS or exact.cell_bytes <= sketch.cell_bytes else sketch


def _rows(n_lon: int, n_cells: int) -> int:
    """Return how many rows hold so many cells, one at least."""
    return max(1, n_cells // n_lon)


def _tiles(shape: tuple[int, ...], n_cells: int) -> Iterator[tuple[slice, ...]]:
    """Yield parts of `[level, lat, lon]` or `[lat, lon]` of so many cells: some levels, or some rows of one."""
    *levels, n_lat, n_lon = shape
    n_rows = min(n_lat, _rows(n_lon, n_cells))
    bands = [slice(row, row + n_rows) for row in range(0, n_lat, n_rows)]
    if not levels:
        yield from ((band,) for band in bands)
        return
    n_levels = max(1, n_cells // (n_lat * n_lon))
    for level in range(0, levels[0], n_levels):
        yield from ((slice(level, level + n_levels), band) for band in bands)


def _of_tile(field: xr.DataArray, method: Method, n_read: int) -> np.ndarray:
    """Return the quantile `[..., lat, lon]` of `[time, ..., lat, lon]`, of which `n_read` times are read at once."""
    shape = field.shape[1:]
    n_cells = math.prod(shape)
    running, missing = method.new(n_cells), np.zeros(n_cells, bool)
    for start in range(0, len(field), n_read):
        values = np.asarray(field[start : start + n_read].values, np.float32).reshape(-1, n_cells)
        running.append(values)
        missing |= np.isnan(values).any(axis=0)
    return np.where(missing, np.float32(np.nan), running.quantile()).reshape(shape)
