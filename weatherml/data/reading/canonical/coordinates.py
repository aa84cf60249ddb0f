"""Which variables of a file are its coordinates, and the dimensions that they give names to."""

from collections.abc import Mapping

import xarray as xr

from weatherml.data.reading.canonical.notes import iso, noted
from weatherml.errors import UserError

ALIASES = {
    "latitude": ("latitude", "lat", "nav_lat"),
    "longitude": ("longitude", "lon", "nav_lon"),
    "level": ("level", "pressure_level", "isobaricInhPa", "isobaricInPa", "plev", "pressure", "lev"),
    "time": ("valid_time", "time"),
    "number": ("number", "realization", "ensemble_member", "member"),
}
"""What files call each canonical coordinate."""

_FORECAST = ("step", "lead_time", "prediction_timedelta", "init_time", "forecast_period", "forecast_reference_time")


def name_coordinates(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Give the coordinates and their dimensions the canonical names; drop other dimensions of one.

    Raises:
        UserError: The file is a forecast, or latitude and longitude do not span a rectangle.
    """
    for name in set(_FORECAST) & set(dataset.dims):
        if dataset.sizes[name] > 1:
            raise UserError(
                f"{origin} holds forecasts (dimension {name!r}); files are read as analyses: select one {name}"
            )
    kept = {alias for target, aliases in ALIASES.items() if target != "number" for alias in aliases}
    dataset = dataset.squeeze([d for d, n in dataset.sizes.items() if n == 1 and d not in kept])
    names = _find_coordinates(dataset, origin)
    for target, name in names.items():
        dataset = _make_dimension(dataset, target, name)
    return dataset


def _find_coordinates(dataset: xr.Dataset, origin: str) -> dict[str, str]:
    """Return the file's name of each canonical coordinate it has; latitude and longitude must span a rectangle."""
    found = {target: _coordinate(dataset, target, aliases) for target, aliases in ALIASES.items()}
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


def _coordinate(dataset: xr.Dataset, target: str, aliases: tuple[str, ...]) -> str | None:
    """Return the variable that is coordinate `target`, by name or else by its CF standard name."""
    for alias in aliases:
        if alias in dataset.variables:
            return alias
    return next((str(n) for n, c in dataset.coords.items() if c.attrs.get("standard_name") == target), None)


def _require_rectangle(dataset: xr.Dataset, names: Mapping[str, str], origin: str) -> None:
    missing = [target for target in ("latitude", "longitude") if target not in names]
    if missing:
        raise UserError(f"{origin} has no {' and no '.join(missing)}; it has {sorted(map(str, dataset.variables))}")
    latitude, longitude = (dataset[names[target]] for target in ("latitude", "longitude"))
    if latitude.ndim != 1 or longitude.ndim != 1 or latitude.dims == longitude.dims:
        kind = "curvilinear" if latitude.ndim > 1 else "unstructured"
        raise UserError(
            f"{origin} has a {kind} grid, latitude over {latitude.dims}; regrid it to latitude-longitude first"
        )
    deep = [name for name in names.values() if dataset[name].ndim > 1]
    if deep:
        raise UserError(f"{origin}: coordinate {deep[0]!r} has dimensions {dataset[deep[0]].dims}, expected one")


def without_bounds(dataset: xr.Dataset) -> xr.Dataset:
    """Drop cell bounds; time bounds mean that values are not instants, which is worth a note."""
    bounds = {
        target: dataset[target].attrs.get("bounds", f"{target}_bnds") for target in ALIASES if target in dataset.coords
    }
    present = {target: name for target, name in bounds.items() if name in dataset.variables}
    if "time" in present and dataset["time"].size:
        first, last = dataset[present["time"]].values.reshape(-1, 2)[0]
        text = f"times carry bounds (the first {iso(first)} .. {iso(last)}): values are means or extremes, not instants"
        dataset = noted(dataset, text)
    return dataset.drop_vars(present.values())
