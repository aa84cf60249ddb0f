"""Forecasts in any layout that `convert` writes, opened as what they were."""

from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.data.notes import LAYOUT
from weatherml.data.reading.formats.grib import holds_forecasts
from weatherml.data.reading.formats.local import format_of, open_netcdf, open_zarr
from weatherml.data.reading.formats.remote import open_remote
from weatherml.data.reading.leads import INITS, LEADS, forecast_story
from weatherml.data.reading.units import convert
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.locations import as_url, is_url
from weatherml.products.axes import with_axes
from weatherml.products.grib import read_grib
from weatherml.products.layouts import from_cf, from_weatherbench, with_long_names
from weatherml.products.selection import from_0_to_360, split_field, statistic_of, variable_of
from weatherml.products.store import attributes_of, from_store, open_forecast
from weatherml.state import LEADING, with_metadata
from weatherml.storage.files import PARTIAL
from weatherml.storage.folders import locate
from weatherml.variables import VARIABLES
from weatherml.wording import listed

_COMPLETE = "complete"
"""The attribute of a store that a forecast is written to."""


def is_forecast(path: str | Path) -> bool:
    """Return whether there is a forecast at a path, in any layout, finished or not; nothing but headers is read.

    What has one lead is a forecast, too, unless that is zero.
    """
    if is_url(path):
        return forecast_story(open_remote(as_url(path), is_chunked=False)) is not None
    path = locate(Path(path).absolute())
    if not path.name:  # the root of the file system
        return False
    if path.with_name(f".{path.name}{PARTIAL}").is_dir() and (path.is_dir() or not path.exists()):
        return True
    if not path.exists() or (path.is_dir() and not any((path / name).is_dir() for name in (*LEADS, *INITS))):
        return False
    try:
        return _is_own(path) or _holds_forecasts(path)
    except UserError:
        return False


def _holds_forecasts(path: Path) -> bool:
    if format_of(path) == "GRIB":
        return holds_forecasts(path)
    return forecast_story(open_zarr(path) if path.is_dir() else open_netcdf(path)) is not None


def read_forecast(path: str | Path) -> xr.Dataset:
    """Open a forecast, its statistics or stations lazily, in any layout that `convert` writes.

    Args:
        path: A forecast store, NetCDF, GRIB2, or a zarr store in the layout of WeatherBench 2, also of others; zarr
            stores also by URL.

    Returns:
        What was written, up to the precision of the format: `(init_time, lead_time, number, level, latitude,
        longitude)`, latitude 90 to -90, longitude 0 to 360. GRIB2 keeps fields alone, not the attributes of a forecast.

    Raises:
        UserError: It is no forecast, is not finished, or cannot be read.
    """
    if is_url(path):
        return _read_remote(as_url(path))
    path = Path(path)
    if not path.exists() and not is_forecast(path):
        raise UserError(f"{path} does not exist; pass a forecast: a zarr store, NetCDF or GRIB2")
    if not path.exists() or _is_own(path):
        return open_forecast(path)
    if format_of(path) == "GRIB":
        return _finished(read_grib(path), path)
    raw = open_zarr(path) if path.is_dir() else open_netcdf(path)
    return _foreign(raw, path)


def _foreign(raw: xr.Dataset, place: Path | str) -> xr.Dataset:
    """Return what `convert` wrote, or others in their names, as a forecast."""
    if forecast_story(raw) is None:
        raise _no_forecast(raw, place)
    decoded = xr.decode_cf(raw, decode_timedelta=True)
    decoded = from_weatherbench(decoded) if "prediction_timedelta" in raw.variables else from_cf(decoded)
    return _finished(with_axes(with_long_names(decoded), str(place)), place)


def _read_remote(url: str) -> xr.Dataset:
    raw = open_remote(url)
    return from_store(raw, url) if _COMPLETE in raw.attrs else _foreign(raw, url)


def _no_forecast(raw: xr.Dataset, place: Path | str) -> UserError:
    return UserError(
        f"{place} is no forecast, it has dimensions {sorted(map(str, raw.dims))}; pass what forecast or convert wrote"
    )


def _is_own(path: Path) -> bool:
    """Return whether a folder is a store that a forecast was written to, finished or not."""
    return path.is_dir() and _COMPLETE in attributes_of(path)


def _finished(dataset: xr.Dataset, path: Path | str) -> xr.Dataset:
    """Return a forecast with dimensions in their order, times in nanoseconds, north first, and what is known of it."""
    fields = {str(name) for name in dataset.data_vars}
    strange = sorted(name for name in fields if split_field(name)[0] not in VARIABLES)
    if fields == set(strange):
        raise UserError(f"{path} holds no variable that weatherml knows; it has {listed(strange)}")
    dataset = _with_times(_on_grid(_oriented(from_0_to_360(dataset.drop_vars(strange))), path))
    if strange:
        dataset.attrs[LAYOUT] = [f"variables passed over: {', '.join(strange)}"]
    return dataset.assign({name: _field(field, path) for name, field in dataset.data_vars.items()})


def _oriented(dataset: xr.Dataset) -> xr.Dataset:
    for dim, is_rising in (("latitude", False), ("level", True)):
        if dim in dataset.dims and bool(np.any((np.diff(dataset[dim].values) > 0) != is_rising)):
            dataset = dataset.sortby(dim, ascending=is_rising)
    return dataset.assign_coords(level=dataset["level"].astype(np.int32)) if "level" in dataset.dims else dataset


def _on_grid(dataset: xr.Dataset, path: Path | str) -> xr.Dataset:
    """Return a forecast with the coordinates of the grid that it was made on, which formats round."""
    if not {"latitude", "longitude"} <= set(dataset.dims):
        return dataset
    try:
        grid = LatLonGrid.from_dataset(dataset)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return dataset.assign_coords(latitude=np.asarray(grid.latitude), longitude=np.asarray(grid.longitude))


def _with_times(dataset: xr.Dataset) -> xr.Dataset:
    kinds = {"init_time": "datetime64[ns]", "lead_time": "timedelta64[ns]"}
    dataset = dataset.drop_vars("valid_time", errors="ignore")
    dataset = dataset.assign_coords({name: dataset[name].astype(kind) for name, kind in kinds.items()})
    coords = with_metadata(dataset.drop_vars(dataset.data_vars)).coords
    return dataset.assign_coords(coords)


def _field(field: xr.DataArray, path: Path | str) -> xr.DataArray:
    name = str(field.name)
    if not statistic_of(name):
        variable = VARIABLES[variable_of(name)]
        attributes = {"units": variable.units, "long_name": variable.long_name, **variable.cf_attributes}
        field = convert(field, name, str(path)).assign_attrs(attributes)
    last = ("level", "latitude", "longitude", "station")
    others = [dim for dim in field.dims if dim not in (*LEADING, *last)]
    return field.transpose(*(dim for dim in (*LEADING, *others, *last) if dim in field.dims))
