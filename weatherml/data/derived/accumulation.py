"""Sums over a window that ends at the valid time, from what an archive accumulates."""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

HOUR = np.timedelta64(1, "h")

Accumulated = Literal["hourly", "since 00 UTC", "since 00 and 12 UTC"]
"""Since when an archive's accumulations run, each ending at its valid time.

hourly: over the hour before (ERA5). since 00 UTC: from midnight on, the value at 00 UTC being that of the whole day
before (ERA5-Land). since 00 and 12 UTC: from the start of a forecast of twelve hours (ERA-Interim).
"""

RESETS: dict[Accumulated, np.timedelta64] = {
    "since 00 UTC": np.timedelta64(24, "h"),
    "since 00 and 12 UTC": np.timedelta64(12, "h"),
}
"""After how long sums begin anew, counted from 00 UTC."""
_EPOCH = np.datetime64("1970-01-01", "ns")


class Terms(NamedTuple):
    """The values of an archive of which accumulations consist.

    Attributes:
        times: Valid times of the values, `[time, term]`.
        signs: 1 where a value is added, -1 where it is taken away, 0 where it has no part, `[time, term]`.
    """

    times: np.ndarray
    signs: np.ndarray

    def needed(self) -> np.ndarray:
        """Return the times `[needed]` of all values that have a part, rising."""
        return np.unique(self.times[self.signs != 0])

    def are_among(self, known: np.ndarray) -> np.ndarray:
        """Return for each accumulation whether all of it is known, bool `[time]`."""
        return np.asarray((np.isin(self.times, known) | (self.signs == 0)).all(axis=1))


def terms_of(times: np.ndarray, window: np.timedelta64, accumulated: Accumulated) -> Terms:
    """Return what adds up to the accumulations over the windows that end at `times` `[time]`."""
    ends: Any = np.asarray(times, "datetime64[ns]")[:, None]
    if accumulated == "hourly":
        moments = ends - HOUR * np.arange(int(window / HOUR))
        return Terms(moments, np.ones(moments.shape, int))
    cycle, starts = RESETS[accumulated], ends - window
    last_reset = ends - np.timedelta64(1, "ns")
    last_reset = last_reset - (last_reset - _EPOCH) % cycle  # strictly before the end
    resets = last_reset - cycle * np.arange(math.ceil(window / cycle))
    is_counted = (starts - _EPOCH) % cycle != np.timedelta64(0, "ns")  # sums begin anew at a reset
    signs = [np.ones(ends.shape, int), -is_counted.astype(int), (resets > starts).astype(int)]
    return Terms(np.concatenate([ends, starts, resets], axis=1), np.concatenate(signs, axis=1))


def sums(field: xr.DataArray, times: np.ndarray, terms: Terms) -> xr.DataArray:
    """Return the accumulations at `times`, lazy where `field` is.

    Amounts that cannot be negative are meant: differences that rounding made negative are zero.

    Args:
        field: The archive's values at all times needed, rising.
        times: Valid times of the accumulations `[time]`.
        terms: What they consist of.
    """
    places = np.searchsorted(field["time"].values, terms.times)

    def add(block: np.ndarray) -> np.ndarray:
        fields = np.moveaxis(block, -1, 0)
        # Only what has a part is touched: a gap at another time must not spread.
        used = [(signs[signs != 0], place[signs != 0]) for signs, place in zip(terms.signs, places, strict=True)]
        added = [np.tensordot(signs.astype(np.float64), fields[place], 1) for signs, place in used]
        return np.moveaxis(np.maximum(np.stack(added), 0).astype(np.float32), 0, -1)

    if field.chunks is not None:
        field = field.chunk(time=-1)
    result: xr.DataArray = xr.apply_ufunc(
        add,
        field,
        input_core_dims=[["time"]],
        output_core_dims=[["time"]],
        exclude_dims={"time"},
        dask="parallelized",
        output_dtypes=[np.float32],
        dask_gufunc_kwargs={"output_sizes": {"time": len(times)}},
    )
    return result.assign_coords(time=times).transpose(*field.dims)
