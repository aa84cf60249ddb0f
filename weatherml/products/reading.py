"""Forecasts in any layout that `convert` writes, opened as what they were."""

from collections.abc import Mapping
from glob import has_magic
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.data.notes import noted
from weatherml.data.reading.formats.grib import holds_forecasts
from weatherml.data.reading.formats.local import Paths, expand, format_of, open_netcdf, open_zarr
from weatherml.data.reading.formats.remote import open_remote
from weatherml.data.reading.leads import INITS, LEADS, forecast_story
from weatherml.data.reading.units import convert
from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed
from weatherml.grid import LatLonGrid
from weatherml.products.foreign.axes import with_axes, with_known_places
from weatherml.products.foreign.joining import Part, joined
from weatherml.products.foreign.names import unfold_variables, with_canonical_names
from weatherml.products.foreign.points import on_rows_and_columns
from weatherml.products.foreign.sums import by_window
from weatherml.products.foreign.told import LeadUnit, Points, Repeated, Told
from weatherml.products.grib import read_grib
from weatherml.products.layouts import from_cf, from_weatherbench
from weatherml.products.selection import from_0_to_360, split_field, statistic_of, variable_of
from weatherml.products.store import attributes_of, from_store, open_forecast
from weatherml.state import LEADING, with_metadata
from weatherml.storage.files import PARTIAL
from weatherml.storage.folders import locate
from weatherml.storage.locations import as_url, is_url
from weatherml.times import TimeLike, require_told
from weatherml.variables import VARIABLES

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


def read_forecast(
    paths: Paths,
    *,
    lead_unit: LeadUnit | None = None,
    init_time: TimeLike | None = None,
    calendar: str | None = None,
    repeated: Repeated = "refuse",
    points: Points = "refuse",
    rename: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Open a forecast, its statistics or stations lazily, in any layout that `convert` writes, or of another system.

    Args:
        paths: A forecast store, NetCDF, GRIB, or a zarr store, in the layout of WeatherBench 2, WeatherBench-X,
            earth2studio or anemoi-inference; zarr stores also by URL. Several of them, or patterns of files, are one
            forecast, whose initial times, leads, members, levels and variables they share out.
        lead_unit: Of leads that are numbers without a unit: d, h, min, s or ns.
        init_time: Of files that tell valid times alone.
        calendar: "standard" takes the dates of a model's calendar as they are written.
        repeated: What becomes of fields that come twice: "first" or "last" keeps one, "members" makes each file a
            member; else that is an error.
        points: "interpolate" makes rows of different lengths, as those of a reduced Gaussian grid, as long as the
            longest; else they are an error.
        rename: Names by what files call variables, coordinates and dimensions.

    Returns:
        What was written, up to the precision of the format: `(init_time, lead_time, number, level, latitude,
        longitude)`, latitude 90 to -90, longitude 0 to 360. GRIB2 keeps fields alone, not the attributes of a forecast.

    Raises:
        UserError: It is no forecast, is empty or not finished, cannot be read, or does not say what is asked by name.
    """
    told = Told(lead_unit, init_time, calendar, repeated, points, rename or {})
    parts = [Part(str(place), _told_one(place, told)) for place in _places(paths)]
    told.require_renamed(parts[0].dataset)
    whole = by_window(joined(parts, repeated), parts[0].place)
    return whole if whole is parts[0].dataset else _with_times(whole)


def _places(paths: Paths) -> list[Path | str]:
    """Return the files that paths and patterns mean, and URLs as they are."""
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise UserError("no forecast was named; pass at least one path")
    places = [[as_url(one)] if is_url(one) else _files(Path(one)) for one in given]
    return list(dict.fromkeys(place for own in places for place in own))


def _files(path: Path) -> list[Path | str]:
    """Return the files that a pattern matches; a path that is none as it is, which may be that of a new name."""
    return [*expand(path)] if has_magic(str(path)) and not path.exists() else [path]


def _told_one(place: Path | str, told: Told) -> xr.Dataset:
    """Return what is at a place, having looked that it is something."""
    read = _read_one(place, told)
    require_told(read, str(place))
    return read


def _read_one(place: Path | str, told: Told) -> xr.Dataset:
    if isinstance(place, str):
        raw = open_remote(place)
        return from_store(raw, place) if _COMPLETE in raw.attrs else _foreign(raw, place, told)
    if not place.exists() and not is_forecast(place):
        raise UserError(f"{place} does not exist; pass a forecast: a zarr store, NetCDF or GRIB2")
    if not place.exists() or _is_own(place):
        return open_forecast(place)
    if format_of(place) == "GRIB":
        return _finished(on_rows_and_columns(told.renamed(read_grib(place)), str(place), told.points), place)
    raw = open_zarr(place) if place.is_dir() else open_netcdf(place)
    return _foreign(raw, place, told)


def _foreign(raw: xr.Dataset, place: Path | str, told: Told) -> xr.Dataset:
    """Return what `convert` wrote, or others in their names, as a forecast."""
    raw = told.with_init_time(told.renamed(raw))
    if forecast_story(raw) is None:
        raise _no_forecast(raw, place)
    decoded = xr.decode_cf(raw, decode_timedelta=True)
    decoded = from_weatherbench(decoded) if "prediction_timedelta" in raw.variables else from_cf(decoded)
    named = with_canonical_names(with_known_places(unfold_variables(decoded)), str(place))
    return _finished(with_axes(on_rows_and_columns(named, str(place), told.points), str(place), told), place)


def _no_forecast(raw: xr.Dataset, place: Path | str) -> UserError:
    has_times = any(name in raw.variables for name in ("time", "valid_time"))
    told = Option("init_time", "2020-01-01T00", "if all its times are valid times of one initial time")
    return UserError(
        f"{place} is no forecast, it has dimensions {sorted(map(str, raw.dims))}",
        "pass what forecast or convert wrote",
        *([told] if has_times else []),
    )


def _is_own(path: Path) -> bool:
    """Return whether a folder is a store that a forecast was written to, finished or not."""
    return path.is_dir() and _COMPLETE in attributes_of(path)


def _finished(dataset: xr.Dataset, path: Path | str) -> xr.Dataset:
    """Return a forecast with dimensions in their order, times in nanoseconds, north first, and what is known of it."""
    fields = {str(name) for name in dataset.data_vars}
    strange = sorted(name for name in fields if split_field(name)[0] not in VARIABLES)
    if fields == set(strange):
        raise UserError(f"{path} holds no variable that weatherml knows; it has {listed(strange) or 'none at all'}")
    dataset = _with_times(_on_grid(_oriented(from_0_to_360(dataset.drop_vars(strange))), path))
    dataset = noted(dataset, f"variables passed over: {', '.join(strange)}") if strange else dataset
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
