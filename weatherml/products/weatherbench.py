"""Forecasts as WeatherBench 2 reads them."""

import xarray as xr

_NAMES = {"init_time": "time", "lead_time": "prediction_timedelta", "number": "realization"}
_ORDER = ("time", "prediction_timedelta", "realization", "level", "longitude", "latitude")


def to_weatherbench(dataset: xr.Dataset) -> xr.Dataset:
    """Return a forecast with the names, the order and the orientation of WeatherBench 2, lazily.

    `time` is the initial time and `prediction_timedelta` the lead; latitude rises and comes last; a forecast of one
    member has no `realization`. Variable names and units are the same as here.
    """
    if dataset.sizes.get("number") == 1:
        dataset = dataset.squeeze("number", drop=True)
    if "latitude" in dataset.dims:
        dataset = dataset.isel(latitude=slice(None, None, -1))
    renamed = dataset.drop_vars("valid_time", errors="ignore").rename(
        {own: theirs for own, theirs in _NAMES.items() if own in dataset.variables}
    )
    return renamed.transpose(..., *(dim for dim in _ORDER if dim in renamed.dims))
