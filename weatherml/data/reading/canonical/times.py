"""Times: one dimension of `datetime64[ns]`, ascending, on every field that varies."""

import numpy as np
import xarray as xr

from weatherml.data.reading.canonical.notes import PassedOverError
from weatherml.data.reading.canonical.orientation import ascending
from weatherml.errors import UserError
from weatherml.times import parse_times

STATIC = ("land_sea_mask", "geopotential_at_surface", "soil_type")
"""Variables that do not change with time."""

_FIRST_DATE, _LAST_DATE = 1678_01_01, 2261_12_31
_HOURS_OF_DATE = 100
"""A date such as 20220101 becomes one of an hour, 2022010106, by this factor."""


def place_times(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Give every varying field a time dimension of datetime64[ns], ascending; static fields lose theirs.

    Raises:
        PassedOverError: There is no time at all.
        UserError: Times cannot be told.
    """
    static = [v for v in STATIC if v in dataset.data_vars and "time" in dataset[v].coords]
    for name in static:
        dataset = dataset.assign({name: _constant(dataset[name], origin)})
    if "time" not in dataset.coords or set(dataset.data_vars) <= set(STATIC):
        return dataset.drop_vars("time", errors="ignore")
    times = _read_times(dataset["time"], origin)
    dataset = dataset.assign_coords(time=(dataset["time"].dims, times, dataset["time"].attrs))
    if "time" not in dataset.dims:
        dataset = dataset.assign({v: f.expand_dims("time") for v, f in dataset.data_vars.items() if v not in STATIC})
    return ascending(dataset, "time", "times were out of order")


def _constant(field: xr.DataArray, origin: str) -> xr.DataArray:
    """Return a static field without its times; when its values are read they must be the same at all of them."""
    if field.sizes.get("time", 1) == 1:
        return field.squeeze("time", drop=True) if "time" in field.dims else field.drop_vars("time")
    named = f"{field.name} in {origin}"
    if field.chunks is None:
        return field.isel(time=0, drop=True).copy(data=_first_of_equal(field.transpose("time", ...).values, named))
    whole = field.transpose("time", ...).chunk(time=-1)
    first = whole.isel(time=0, drop=True)
    return first.copy(data=whole.data.map_blocks(_first_of_equal, named, drop_axis=0, dtype=field.dtype))


def _first_of_equal(values: np.ndarray, named: str) -> np.ndarray:
    """Return the first of `values` [time, ...]."""
    first: np.ndarray = values[0]
    if not np.array_equal(values, np.broadcast_to(first, values.shape), equal_nan=values.dtype.kind == "f"):
        raise UserError(
            f"{named} changes with time, but stands for what does not; give one time of it, or leave it out"
        )
    return first


def _read_times(time: xr.DataArray, origin: str) -> np.ndarray:
    """Return times as datetime64[ns], also where a file counts them as dates such as 20220101."""
    values = np.atleast_1d(time.values)
    if not values.size:
        raise PassedOverError(f"{origin} has no times: its time axis is empty", f"{origin} has no times: passed over")
    if values.dtype.kind in "iuf":
        values = _dates(values, origin)
    elif values.dtype.kind in "SU" or isinstance(values[0], bytes | str):
        values = np.asarray([v.decode() if isinstance(v, bytes) else str(v) for v in values])
    _require_weather_calendar(values, origin)
    times = parse_times(values.tolist() if values.dtype.kind == "U" else values, f"{origin}: time")
    is_missing = np.isnat(times)
    if is_missing.any():
        held = f"{origin}: {is_missing.sum()} of {times.size} times are missing (NaT), the first is number"
        raise UserError(f"{held} {is_missing.argmax() + 1}; select those that are told, or correct the file")
    return times.reshape(time.shape)


def _dates(values: np.ndarray, origin: str) -> np.ndarray:
    """Read 20220101, 2022010106 and 20220101.25, a day and its fraction."""
    days = np.where(values > _LAST_DATE, values // _HOURS_OF_DATE, values)
    if not np.all((days >= _FIRST_DATE) & (days < _LAST_DATE + 1)):  # also of NaN
        held = f"{origin}: time holds {values.dtype} values, not dates"
        raise UserError(f"{held}; it needs units such as 'hours since 1900-01-01' and a standard calendar")
    whole = parse_times([int(day) for day in days], f"{origin}: time")
    hours = np.where(values > _LAST_DATE, values % _HOURS_OF_DATE, (days % 1) * 24)
    return np.asarray(whole + np.round(hours * 60).astype("timedelta64[m]"))


def _require_weather_calendar(values: np.ndarray, origin: str) -> None:
    calendar = getattr(values[0], "calendar", "standard")
    if calendar not in ("standard", "gregorian", "proleptic_gregorian"):
        held = f"{origin}: time {str(values[0])[:16]!r} has the calendar {calendar!r}"
        raise UserError(f"{held}, whose days are not those of the weather; xarray's convert_calendar gives it another")
