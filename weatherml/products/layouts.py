"""Forecasts in the names and orders of others, to and fro: CF as the Climate Data Store spells it; WeatherBench 2."""

import re
from collections.abc import Callable

import numpy as np
import xarray as xr

from weatherml.products.selection import is_statistics, variable_of
from weatherml.variables import find

_EPOCH = "seconds since 1970-01-01"
_UNITS = (("hours", np.timedelta64(1, "h")), ("minutes", np.timedelta64(1, "m")), ("seconds", np.timedelta64(1, "s")))
_BETWEEN = "; "
"""Between the entries of a list among the attributes that became text."""
_LISTS = ("failed",)

_WEATHERBENCH = {"init_time": "time", "lead_time": "prediction_timedelta", "number": "realization"}
_WEATHERBENCH_ORDER = ("time", "prediction_timedelta", "realization", "level", "longitude", "latitude")
_ONLY_NUMBER = "number"
"""Dataset attribute: the number of the one member of a forecast that has no dimension for members."""


def to_cf(dataset: xr.Dataset) -> xr.Dataset:
    """Return a forecast as CF wants it, lazily.

    Variables have short names (`t2m`: CF asks for a letter first), fields at a height know it, leads are hours or
    whatever smaller unit makes them whole, and lists among the attributes are text.
    """
    short = {str(name): _short(str(name)) for name in dataset.data_vars}
    heights = {short[name]: int(match[1]) for name in short if (match := re.search(r"(\d+)m_", name))}
    dataset = dataset.drop_encoding().rename(short)
    attributes = {key: _BETWEEN.join(map(str, v)) if isinstance(v, list) else v for key, v in dataset.attrs.items()}
    dataset.attrs = {**attributes, "Conventions": "CF-1.11"}
    for height in set(heights.values()):
        coordinate = xr.Variable((), float(height), {"standard_name": "height", "units": "m", "positive": "up"})
        dataset = dataset.assign_coords({f"height_{height}m": coordinate})
    for name, field in dataset.data_vars.items():
        _rename_ancillary(field, _short)
        field.encoding = {**_packing(field), "coordinates": _auxiliary(field, heights.get(str(name)))}
    for name in {"init_time", "valid_time"} & set(dataset.coords):
        dataset[name].encoding = {"units": _EPOCH, "dtype": "int64"}
    dataset["lead_time"].encoding = {"units": _unit(dataset["lead_time"].values), "dtype": "int64"}
    return dataset


def from_cf(dataset: xr.Dataset) -> xr.Dataset:
    """Return what `to_cf` made as the forecast that it was, lazily."""
    heights = [name for name in dataset.coords if str(name).startswith("height_")]
    dataset = dataset.drop_vars(heights).drop_encoding()
    plain = {key: value.item() if isinstance(value, np.generic) else value for key, value in dataset.attrs.items()}
    lists = {key: list(filter(None, plain[key].split(_BETWEEN))) for key in _LISTS if key in plain}
    return dataset.assign_attrs({**plain, **lists})


def to_weatherbench(dataset: xr.Dataset) -> xr.Dataset:
    """Return a forecast with the names, the order and the orientation of WeatherBench 2, lazily.

    `time` is the initial time and `prediction_timedelta` the lead; latitude rises and comes last; a forecast of one
    member has no `realization`. Variable names and units are the same as here.
    """
    if dataset.sizes.get("number") == 1:
        number = int(dataset["number"].item())
        dataset = dataset.squeeze("number", drop=True).assign_attrs({_ONLY_NUMBER: number})
    if "latitude" in dataset.dims:
        dataset = dataset.isel(latitude=slice(None, None, -1))
    renamed = dataset.drop_vars("valid_time", errors="ignore").rename(
        {own: theirs for own, theirs in _WEATHERBENCH.items() if own in dataset.variables}
    )
    return renamed.transpose(..., *(dim for dim in _WEATHERBENCH_ORDER if dim in renamed.dims))


def from_weatherbench(dataset: xr.Dataset) -> xr.Dataset:
    """Return a forecast in the layout of WeatherBench 2 under the names that it has here, lazily."""
    renamed = dataset.drop_encoding().rename(
        {theirs: own for own, theirs in _WEATHERBENCH.items() if theirs in dataset.variables}
    )
    number = renamed.attrs.pop(_ONLY_NUMBER, None)
    if number is None or "number" in renamed.dims or is_statistics(renamed):
        return renamed
    told = [name for name, own in renamed.coords.items() if own.dims == ("init_time",) and name != "init_time"]
    of_member = {name: (("init_time", "number"), renamed[name].values[:, None], renamed[name].attrs) for name in told}
    return renamed.expand_dims(number=[int(number)]).assign_coords(of_member)


def _short(name: str) -> str:
    variable = variable_of(name)
    return find(variable).short_name + name.removeprefix(variable)


def _rename_ancillary(field: xr.DataArray, rename: Callable[[str], str]) -> None:
    """Rename the variables that belong to a field, among its attributes, too."""
    if (others := field.attrs.get("ancillary_variables")) is not None:
        field.attrs = {**field.attrs, "ancillary_variables": " ".join(map(rename, others.split()))}


def _packing(field: xr.DataArray) -> dict[str, object]:
    sizes = {str(dim): size for dim, size in field.sizes.items()}
    whole = ("latitude", "longitude", "station")
    chunks = tuple(size if dim in whole else 1 for dim, size in sizes.items())
    missing = {"_FillValue": np.float32(np.nan)} if field.dtype.kind == "f" else {"_FillValue": None}
    return {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": chunks, **missing}


def _auxiliary(field: xr.DataArray, height: int | None) -> str:
    """Return the coordinates of a field that are not its dimensions, among the heights only its own."""
    others = [str(c) for c in field.coords if c not in field.dims and not str(c).startswith("height_")]
    return " ".join([*others, *([] if height is None else [f"height_{height}m"])])


def _unit(leads: np.ndarray) -> str:
    return next((name for name, unit in _UNITS if not np.any(leads % unit)), "nanoseconds")
