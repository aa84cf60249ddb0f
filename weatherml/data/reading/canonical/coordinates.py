"""Which variables of a file are its coordinates, and the dimensions that they give names to."""

from collections.abc import Mapping

import xarray as xr

from weatherml.data.notes import iso, noted
from weatherml.data.reading.leads import along_valid_times, find_init, find_lead, forecast_story, holds_sums_of_analyses
from weatherml.data.reading.units import is_pressure
from weatherml.errors import UserError
from weatherml.errors.wording import listed

ALIASES = {
    "latitude": ("latitude", "lat", "nav_lat"),
    "longitude": ("longitude", "lon", "nav_lon"),
    "level": ("level", "pressure_level", "isobaricInhPa", "isobaricInPa", "isobaric", "plev", "pressure", "lev"),
    "time": ("valid_time", "time", "datetime", "date"),
    "number": ("number", "realization", "ensemble_member", "member"),
}
"""What files call each canonical coordinate."""

_STANDARD_NAMES = {
    "latitude": "latitude",
    "longitude": "longitude",
    "level": "air_pressure",
    "time": "time",
    "number": "realization",
}

_BRING = "bring it to latitude-longitude with another tool, such as cdo remapcon"


def name_coordinates(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Give the coordinates and their dimensions the canonical names; drop other dimensions of one.

    Raises:
        UserError: The file is a forecast, or latitude and longitude do not span a rectangle.
    """
    dataset = _without_leads(dataset, origin)
    names = _find_coordinates(dataset, origin)
    kept = {dim for target, name in names.items() if target != "number" for dim in dataset[name].dims}
    dataset = dataset.squeeze([d for d, n in dataset.sizes.items() if n == 1 and d not in kept])
    for target, name in names.items():
        dataset = _make_dimension(dataset, target, name)
    return dataset


def rename_coordinates(dataset: xr.Dataset, origin: str, rename: Mapping[str, str]) -> xr.Dataset:
    """Give coordinates and dimensions the names that `rename` says they have, such as `time`.

    Raises:
        UserError: The file calls something else so.
    """
    here = {*map(str, dataset.variables), *map(str, dataset.dims)}
    told = {own: name for own, name in rename.items() if name in ALIASES and own in here and own != name}
    for own, name in told.items():
        if name in here:
            raise UserError(f"{origin}: {own!r} cannot be called {name!r} by rename, which something else is called")
    return dataset.rename(told)


def curvilinear(dataset: xr.Dataset) -> str:
    """Say what is wrong with a grid whose latitude varies along a row; nothing where there is none."""
    found = [name for name, field in dataset.variables.items() if field.ndim > 1 and _is_latitude(str(name), field)]
    return f"it is curvilinear, {found[0]} over {dataset[found[0]].dims}; {_BRING}" if found else ""


def _is_latitude(name: str, field: xr.Variable) -> bool:
    told = field.attrs.get("standard_name") == "latitude" or str(field.attrs.get("units", "")).startswith("degree")
    return name.upper() in ("XLAT", "XLAT_M", "NAV_LAT", "LAT2D") or ("lat" in name.lower() and told)


def _without_leads(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Refuse a forecast; where the lead is zero the initial time is the time."""
    story = forecast_story(dataset)
    if story is not None:
        held = f"{origin} holds forecasts ({story}), which are not read as analyses"
        raise UserError(f"{held}: pass files of analyses, or open it in Python with weatherml.products.read_forecast")
    init, lead = find_init(dataset), find_lead(dataset)
    if lead is not None and holds_sums_of_analyses(dataset, lead):
        return along_valid_times(dataset, lead)
    if lead is not None and lead in dataset.dims:
        dataset = dataset.squeeze(lead, drop=True)
    if init is None or init not in dataset.variables:
        return dataset.drop_vars([lead] if lead in dataset.variables else [])
    dataset = dataset.drop_vars([n for n in ("valid_time", "time", lead) if n in dataset.variables and n != init])
    return dataset.rename({init: "time"})


def _find_coordinates(dataset: xr.Dataset, origin: str) -> dict[str, str]:
    """Return the file's name of each canonical coordinate it has; latitude and longitude must span a rectangle."""
    found = {target: coordinate_of(dataset, target) for target in ALIASES}
    names = {target: name for target, name in found.items() if name}
    _require_rectangle(dataset, names, origin)
    return names


def _make_dimension(dataset: xr.Dataset, target: str, name: str) -> xr.Dataset:
    """Rename coordinate `name` to `target`, also the dimension it lies along, and drop its other spellings."""
    dataset = dataset.set_coords(name)
    dims = dataset[name].dims
    if dims and dims[0] != name:
        dataset = dataset.swap_dims({dims[0]: name})
    others = {*ALIASES[target], *dims} - {name}
    return dataset.drop_vars([n for n in others if n in dataset.variables]).rename({name: target})


def coordinate_of(dataset: xr.Dataset, target: str) -> str | None:
    """Return the variable that is coordinate `target`: by name, else by CF standard name, else levels by units."""
    for alias in ALIASES[target]:
        if alias in dataset.variables:
            return alias
    standard = _STANDARD_NAMES[target]
    told = [str(n) for n, c in dataset.coords.items() if c.attrs.get("standard_name") == standard]
    if not told and target == "level":
        told = [str(n) for n, c in dataset.coords.items() if n in c.dims and is_pressure(c.attrs.get("units"))]
    return next(iter(told), None)


def _require_rectangle(dataset: xr.Dataset, names: Mapping[str, str], origin: str) -> None:
    missing = [target for target in ("latitude", "longitude") if target not in names]
    if missing and (grid := curvilinear(dataset)):
        raise UserError(f"{origin} has a grid that is not read: {grid}")
    if missing:
        there = listed(sorted(map(str, dataset.variables)))
        raise UserError(f"{origin} has no {' and no '.join(missing)}; it has {there}")
    latitude, longitude = (dataset[names[target]] for target in ("latitude", "longitude"))
    if latitude.ndim != 1 or longitude.ndim != 1 or latitude.dims == longitude.dims:
        kind = "curvilinear" if latitude.ndim > 1 else "unstructured"
        raise UserError(f"{origin} has a {kind} grid, latitude over {latitude.dims}; {_BRING}")
    deep = [name for name in names.values() if dataset[name].ndim > 1]
    if deep:
        raise UserError(f"{origin}: coordinate {deep[0]!r} has dimensions {dataset[deep[0]].dims}, expected one")


def without_bounds(dataset: xr.Dataset) -> xr.Dataset:
    """Drop cell bounds; time bounds mean that values are not instants, which is worth a note."""
    bounds = {
        target: dataset[target].attrs.get("bounds", f"{target}_bnds") for target in ALIASES if target in dataset.coords
    }
    present = {target: name for target, name in bounds.items() if name in dataset.variables}
    if "time" in present and dataset["time"].size and dataset[present["time"]].dtype.kind == "M":
        first, last = dataset[present["time"]].values.reshape(-1, 2)[0]
        text = f"times carry bounds (the first {iso(first)} .. {iso(last)}): values are means or extremes, not instants"
        dataset = noted(dataset, text)
    return dataset.drop_vars(present.values())
