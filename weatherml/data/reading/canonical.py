"""From whatever a file calls and orders to the one vocabulary: the only place that renames and reorders."""

from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from weatherml.data.reading.units import convert
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.registry import nearest
from weatherml.state import LEADING, with_metadata
from weatherml.times import parse_times
from weatherml.variables import VARIABLES, find

LAYOUT = "weatherml_source_layout"
"""Dataset attribute: what had to be put right, one sentence each."""
PRELIMINARY = "weatherml_preliminary"
"""Dataset attribute: which times are preliminary ERA5T (expver 5), one sentence each."""
SOURCE_NAME = "weatherml_source_name"
"""Variable attribute: what the file called it."""

STATIC = ("land_sea_mask", "geopotential_at_surface", "soil_type")
"""Variables that do not change with time."""

_ALIASES = {
    "latitude": ("latitude", "lat", "nav_lat"),
    "longitude": ("longitude", "lon", "nav_lon"),
    "level": ("level", "pressure_level", "isobaricInhPa", "isobaricInPa", "plev", "pressure", "lev"),
    "time": ("valid_time", "time"),
    "number": ("number", "realization", "ensemble_member", "member"),
}
_VERSIONS = ("expver", "experimentVersionNumber")
_FORECAST = ("step", "lead_time", "prediction_timedelta", "init_time", "forecast_period", "forecast_reference_time")
# Heights become geopotential through their units.
_HEIGHTS = {"gh": "geopotential", "geopotential_height": "geopotential"}


def canonicalise(raw: xr.Dataset, origin: str, rename: Mapping[str, str] | None = None) -> xr.Dataset:
    """Return the dataset in weatherml's vocabulary, order and units; lazy where `raw` is.

    Dimensions become `(time, number, level, latitude, longitude)`, each where the field has it. Variables that
    weatherml does not know are passed over; `notes` tells that and whatever else was changed. `cell_methods` are kept
    but never choose a name: a daily maximum that its file calls `t2m` is `2m_temperature` unless `rename` says
    otherwise.

    Args:
        raw: One file as xarray decodes it.
        origin: Its name, for messages.
        rename: Canonical (or alias) name by the file's own, for names that weatherml would not know or would misread.

    Raises:
        UserError: The file holds no known variable, has no one-dimensional latitude and longitude, or is a forecast.
    """
    dataset = raw.drop_encoding()
    # What was put right before weatherml wrote the file itself stays known.
    dataset.attrs = {key: raw.attrs[key] for key in (LAYOUT, PRELIMINARY) if key in raw.attrs}
    dataset = _without_bounds(_name_coordinates(dataset, origin))
    dataset = _name_variables(_merge_versions(dataset), origin, rename or {})
    dataset = _place_times(_place_levels(dataset, origin), origin)
    return _finish(_orient(dataset, origin), origin)


def notes(dataset: xr.Dataset, attribute: str = LAYOUT) -> list[str]:
    """Return the sentences kept under `LAYOUT` or `PRELIMINARY`, also after a round trip through a file."""
    kept = dataset.attrs.get(attribute, [])
    return [kept] if isinstance(kept, str) else list(kept)


def _noted(dataset: xr.Dataset, text: str, attribute: str = LAYOUT) -> xr.Dataset:
    return dataset.assign_attrs({attribute: [*notes(dataset, attribute), text]})


def _name_coordinates(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    for name in set(_FORECAST) & set(dataset.dims):
        if dataset.sizes[name] > 1:
            raise UserError(
                f"{origin} holds forecasts (dimension {name!r}); files are read as analyses: select one {name}"
            )
    kept = {alias for target, aliases in _ALIASES.items() if target != "number" for alias in aliases}
    dataset = dataset.squeeze([d for d, n in dataset.sizes.items() if n == 1 and d not in kept])
    names = _find_coordinates(dataset, origin)
    for target, name in names.items():
        dataset = _make_dimension(dataset, target, name)
    return dataset


def _find_coordinates(dataset: xr.Dataset, origin: str) -> dict[str, str]:
    """Return the file's name of each canonical coordinate it has; latitude and longitude must span a rectangle."""
    found = {target: _coordinate(dataset, target, aliases) for target, aliases in _ALIASES.items()}
    names = {target: name for target, name in found.items() if name}
    _require_rectangle(dataset, names, origin)
    return names


def _make_dimension(dataset: xr.Dataset, target: str, name: str) -> xr.Dataset:
    """Rename coordinate `name` to `target`, also the dimension it lies along, and drop its other spellings."""
    dataset = dataset.set_coords(name)
    dims = dataset[name].dims
    if dims and dims[0] != name:
        dataset = dataset.swap_dims({dims[0]: name})
    others = {*_ALIASES[target], *dims} - {name}
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


def _without_bounds(dataset: xr.Dataset) -> xr.Dataset:
    """Drop cell bounds; time bounds mean that values are not instants, which is worth a note."""
    bounds = {
        target: dataset[target].attrs.get("bounds", f"{target}_bnds") for target in _ALIASES if target in dataset.coords
    }
    present = {target: name for target, name in bounds.items() if name in dataset.variables}
    if "time" in present and dataset["time"].size:
        first, last = dataset[present["time"]].values.reshape(-1, 2)[0]
        text = f"times carry bounds (the first {iso(first)} .. {iso(last)}): values are means or extremes, not instants"
        dataset = _noted(dataset, text)
    return dataset.drop_vars(present.values())


def _merge_versions(dataset: xr.Dataset) -> xr.Dataset:
    """Fold the `expver` dimension of old CDS files (1 final, 5 preliminary) and note which times are preliminary."""
    name = next((v for v in _VERSIONS if v in dataset.variables), None)
    if name is None:
        return dataset
    if name in dataset.dims:
        return _fold_versions(dataset, name)
    preliminary = np.atleast_1d(_is_preliminary(dataset[name].values))
    return _note_preliminary(dataset.drop_vars(name), preliminary)


def _fold_versions(dataset: xr.Dataset, name: str) -> xr.Dataset:
    is_preliminary = _is_preliminary(dataset[name].values)
    order = np.argsort(is_preliminary, kind="stable")
    layers = [dataset.isel({name: i}).drop_vars(name) for i in order]
    fields = [v for v in dataset.data_vars if name in dataset[v].dims]
    folded = layers[0]
    for layer in layers[1:]:
        folded = folded.assign({v: folded[v].fillna(layer[v]) for v in fields})
    corner = layers[0][fields[0]]
    corner = corner.isel({d: 0 for d in corner.dims if d != "time"})
    folded = _noted(folded, f"dimension {name!r} folded: final values where there are any, else preliminary ones")
    return _note_preliminary(folded, np.isnan(np.atleast_1d(corner.values)))


def _is_preliminary(versions: np.ndarray) -> np.ndarray:
    return np.isin(versions.astype(str), ("5", "0005"))


def _note_preliminary(dataset: xr.Dataset, mask: np.ndarray) -> xr.Dataset:
    if not mask.any():
        return dataset
    if "time" not in dataset.coords or mask.size != dataset["time"].size:
        return _noted(dataset, "preliminary ERA5T (expver 5)", PRELIMINARY)
    times = np.atleast_1d(dataset["time"].values)[mask]
    text = f"preliminary ERA5T (expver 5): {times.size} of {mask.size} times, {iso(times[0])} .. {iso(times[-1])}"
    return _noted(dataset, text, PRELIMINARY)


def _name_variables(dataset: xr.Dataset, origin: str, rename: Mapping[str, str]) -> xr.Dataset:
    """Keep the known variables under their canonical names; drop the rest and every auxiliary coordinate."""
    canonical = {str(v): _variable_name(dataset[v], rename) for v in dataset.data_vars}
    known = {old: new for old, new in canonical.items() if new}
    unknown = sorted(set(canonical) - set(known))
    if not known:
        hint = nearest(unknown[0], VARIABLES) if unknown else ""
        raise UserError(f"{origin} holds no variable that weatherml knows; it has {unknown}{hint}")
    for new in known.values():
        if list(known.values()).count(new) > 1:
            both = [old for old, name in known.items() if name == new]
            raise UserError(f"{origin}: {both} would all be {new!r}; rename one")
    auxiliary = [c for c in dataset.coords if c not in _ALIASES or (c == "number" and not dataset[c].dims)]
    dataset = dataset.drop_vars([*unknown, *auxiliary])
    for old in known:
        dataset[old].attrs[SOURCE_NAME] = old
        period = dataset[old].attrs.get("GRIB_stepType", "instant")
        if period != "instant":
            dataset = _noted(dataset, f"{old} has GRIB stepType {period!r}: values over a period, not instants")
    dataset = _noted(dataset, f"variables passed over: {', '.join(unknown)}") if unknown else dataset
    return dataset.rename({old: new for old, new in known.items() if old != new})


def _variable_name(field: xr.DataArray, rename: Mapping[str, str]) -> str | None:
    """Return the canonical name by the file's name, then GRIB's names, then the long name; None where none is known."""
    name, attrs = str(field.name), field.attrs
    if name in rename:
        return find(rename[name]).name
    words = str(attrs.get("long_name", "")).lower().replace(" ", "_")
    spellings = [name, name.lower(), attrs.get("GRIB_cfVarName"), attrs.get("GRIB_shortName"), words]
    found = next((known for known in map(_known, spellings) if known), None)
    at_surface = attrs.get("GRIB_typeOfLevel") == "surface" or attrs.get("standard_name") == "surface_geopotential"
    return "geopotential_at_surface" if found == "geopotential" and at_surface else found


def _known(spelling: str | None) -> str | None:
    try:
        return _HEIGHTS.get(spelling or "") or find(spelling or "").name
    except UserError:
        return None


def _place_levels(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Give pressure-level variables their level dimension, ascending in hPa, and take it from the others."""
    if "level" in dataset.coords:
        dataset = dataset.assign_coords(level=_hectopascals(dataset["level"], origin))
    placed = {name: _on_or_off_levels(field, origin) for name, field in dataset.data_vars.items()}
    dataset = dataset.assign(placed)
    if "level" in dataset.coords and "level" not in dataset.dims:
        return dataset.drop_vars("level")
    return _ascending(dataset, "level", "levels ran from the ground up")


def _on_or_off_levels(field: xr.DataArray, origin: str) -> xr.DataArray:
    on_levels = find(str(field.name)).vertical == "pressure"
    if on_levels and "level" in field.coords and "level" not in field.dims:
        return field.expand_dims("level")
    if on_levels or "level" not in field.dims:
        return field
    if field.sizes["level"] > 1:
        raise UserError(f"{field.name} in {origin} lies on {field.sizes['level']} levels, but is a surface variable")
    return field.squeeze("level", drop=True)


def _hectopascals(level: xr.DataArray, origin: str) -> xr.DataArray:
    units, values = str(level.attrs.get("units", "")), np.asarray(level.values, np.float64)
    if units and units.lower() not in ("pa", "pascal", "hpa", "mb", "mbar", "millibar", "millibars"):
        raise UserError(f"{origin}: level has units {units!r}, not hPa or Pa; only pressure levels are read")
    # Files without units count in one or the other; no level has 2000 hPa.
    values = values / 100 if units.lower().startswith("pa") or values.max() > 2000 else values
    if np.any(values != np.round(values)) or np.any(values <= 0):
        held = f"{origin}: levels must be whole hPa, got {np.atleast_1d(values).tolist()}"
        raise UserError(f"{held}; select pressure levels")
    return level.copy(data=values.astype(np.int32))


def _place_times(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Give every varying field a time dimension of datetime64[ns], ascending; static fields lose theirs."""
    static = [v for v in STATIC if v in dataset.data_vars and "time" in dataset[v].coords]
    for name in static:
        field = dataset[name].isel(time=0) if "time" in dataset[name].dims else dataset[name]
        dataset = dataset.assign({name: field.drop_vars("time")})
    if "time" not in dataset.coords or set(dataset.data_vars) <= set(STATIC):
        return dataset.drop_vars("time", errors="ignore")
    if dataset["time"].dtype.kind not in "MO":  # O: what cftime reads, of another calendar or of years far away
        held = f"{origin}: time holds {dataset['time'].dtype} values, not dates"
        raise UserError(f"{held}; it needs units such as 'hours since 1900-01-01' and a standard calendar")
    times = parse_times(dataset["time"].values, f"{origin}: time")
    dataset = dataset.assign_coords(time=(dataset["time"].dims, times, dataset["time"].attrs))
    if "time" not in dataset.dims:
        dataset = dataset.assign({v: f.expand_dims("time") for v, f in dataset.data_vars.items() if v not in STATIC})
    return _ascending(dataset, "time", "times were out of order")


def _ascending(dataset: xr.Dataset, dim: str, text: str) -> xr.Dataset:
    if dim not in dataset.dims or np.all(dataset[dim].values[1:] >= dataset[dim].values[:-1]):
        return dataset
    return _noted(dataset.isel({dim: np.argsort(dataset[dim].values, kind="stable")}), f"{text}: reordered")


def _orient(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Turn latitude north to south and longitude eastward from 0 to 360."""
    latitude, longitude = (np.asarray(dataset[c].values, np.float64) for c in ("latitude", "longitude"))
    if latitude.size > 1 and np.all(np.diff(latitude) > 0):
        dataset = _noted(dataset.isel(latitude=slice(None, None, -1)), "latitudes ran south to north: reversed")
    # The grid's own four decimals: -1e-9 must not become 359.999999.
    eastward = np.round(longitude, 4) % 360
    _, order = np.unique(eastward, return_index=True)
    if order.size < longitude.size:
        dataset = _noted(dataset, "longitudes came round to the first again: repeated columns dropped")
    if not np.array_equal(order, np.arange(longitude.size)):
        dataset = dataset.isel(longitude=order)
    if longitude.min() < 0:
        dataset = _noted(dataset, f"longitudes ran from {longitude[0]:g}: turned to 0 .. 360")
    try:
        grid = LatLonGrid.from_coordinates(dataset["latitude"].values, eastward[order])
    except UserError as error:
        raise UserError(f"{origin}: {error}") from None
    return dataset.assign_coords(latitude=np.asarray(grid.latitude), longitude=np.asarray(grid.longitude))


def _finish(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Convert units, order dimensions and write the attributes."""
    finished = dataset.assign({name: _finish_field(field, origin) for name, field in dataset.data_vars.items()})
    for coordinate in finished.coords.values():
        coordinate.attrs = {}
    return with_metadata(finished)


def _finish_field(field: xr.DataArray, origin: str) -> xr.DataArray:
    dims = (*LEADING, "level", "latitude", "longitude")
    strange = sorted(str(d) for d in field.dims if d not in dims)
    if strange:
        held = f"{field.name} in {origin} lies on {strange}"
        raise UserError(f"{held}; only pressure levels and the surface are read")
    converted = convert(field, str(field.name), origin).transpose(*(d for d in dims if d in field.dims))
    converted.attrs = {key: field.attrs[key] for key in (SOURCE_NAME, "cell_methods") if key in field.attrs}
    return converted


def iso(time: np.datetime64) -> str:
    """Write a time to the minute, or to the hour where it is a full one."""
    return str(time.astype("datetime64[m]")).removesuffix(":00")


def join_notes(datasets: Iterable[xr.Dataset]) -> dict[str, list[str]]:
    """Return the notes of several datasets as attributes of one, each sentence once."""
    datasets = list(datasets)
    joined = {
        key: list(dict.fromkeys(text for d in datasets for text in notes(d, key))) for key in (LAYOUT, PRELIMINARY)
    }
    return {key: texts for key, texts in joined.items() if texts}
