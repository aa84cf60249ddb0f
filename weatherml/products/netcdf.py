"""Forecasts as NetCDF by the CF conventions, under the names that the Climate Data Store uses."""

import re
from pathlib import Path

import dask
import numpy as np
import xarray as xr

from weatherml.products.selection import variable_of
from weatherml.storage.files import write_netcdf
from weatherml.variables import find

_EPOCH = "seconds since 1970-01-01"
_UNITS = (("hours", np.timedelta64(1, "h")), ("minutes", np.timedelta64(1, "m")), ("seconds", np.timedelta64(1, "s")))


def write_forecast(path: Path, dataset: xr.Dataset) -> None:
    """Write a forecast, its statistics or stations, piece by piece; the file appears when it is whole.

    Raises:
        UserError: It cannot be written.
    """
    # HDF5 writes one chunk at a time; threads would only read ahead and hold what they have read.
    with dask.config.set(scheduler="synchronous"):
        write_netcdf(path, to_cf(dataset))


def to_cf(dataset: xr.Dataset) -> xr.Dataset:
    """Return a forecast as CF wants it, lazily.

    Variables have short names (`t2m`: CF asks for a letter first), fields at a height know it, leads are hours or
    whatever smaller unit makes them whole, and lists among the attributes are text.
    """
    short = {str(name): _short(str(name)) for name in dataset.data_vars}
    heights = {short[name]: int(match[1]) for name in short if (match := re.search(r"(\d+)m_", name))}
    dataset = dataset.drop_encoding().rename(short)
    attributes = {key: "; ".join(map(str, v)) if isinstance(v, list) else v for key, v in dataset.attrs.items()}
    dataset.attrs = {**attributes, "Conventions": "CF-1.11"}
    for height in set(heights.values()):
        coordinate = xr.Variable((), float(height), {"standard_name": "height", "units": "m", "positive": "up"})
        dataset = dataset.assign_coords({f"height_{height}m": coordinate})
    for name, field in dataset.data_vars.items():
        field.encoding = {**_packing(field), "coordinates": _auxiliary(field, heights.get(str(name)))}
    for name in {"init_time", "valid_time"} & set(dataset.coords):
        dataset[name].encoding = {"units": _EPOCH, "dtype": "int64"}
    dataset["lead_time"].encoding = {"units": _unit(dataset["lead_time"].values), "dtype": "int64"}
    return dataset


def _short(name: str) -> str:
    variable = variable_of(name)
    return find(variable).short_name + name.removeprefix(variable)


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
