"""The names of variables: from the file's to those of the vocabulary."""

from collections.abc import Collection, Mapping

import xarray as xr

from weatherml.data.notes import noted
from weatherml.data.reading.canonical.coordinates import ALIASES, curvilinear
from weatherml.data.reading.canonical.heights import at_height, height_of, names_of, strange_dims
from weatherml.data.reading.canonical.notes import SOURCE_NAME, PassedOverError
from weatherml.data.reading.windows import name_of_sum, windows_of
from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed
from weatherml.variables import SEE_NAMES, VARIABLES, find, look_up

_OTHER_NAMES = {
    # Heights become geopotential through their units.
    "gh": "geopotential",
    "geopotential_height": "geopotential",
    "orog": "geopotential_at_surface",
    "prmsl": "mean_sea_level_pressure",
    "sea_level_pressure": "mean_sea_level_pressure",
    "pwat": "total_column_water_vapour",
}
"""What others call a variable, beside the vocabulary."""

_STANDARD_NAMES = {
    **{v.standard_name: v.name for v in reversed(VARIABLES.values()) if v.standard_name},
    "air_pressure_at_sea_level": "mean_sea_level_pressure",
    "sea_level_pressure": "mean_sea_level_pressure",  # MERRA-2's, not CF's
    "land_area_fraction": "land_sea_mask",
    "geopotential_height": "geopotential",
    "surface_altitude": "geopotential_at_surface",
}
"""Variables by CF standard name; of several the first of the vocabulary, which `at_height` may put elsewhere."""


def has_known_name(field: xr.DataArray, rename: Mapping[str, str]) -> bool:
    """Return whether weatherml knows what a variable of a file is called."""
    return _spelled(field, rename) is not None


def require_known(dataset: xr.Dataset, origin: str, rename: Mapping[str, str], wanted: Collection[str] | None) -> None:
    """Require a variable that weatherml knows and that is wanted, before anything else is asked of the file.

    Raises:
        PassedOverError: There is none.
    """
    names = sorted(map(str, dataset.data_vars))
    known = {_spelled(field, rename) for field in dataset.data_vars.values()} - {None}
    if not known:
        raise _nothing_known(names, origin, curvilinear(dataset))
    if wanted is not None and not any(set(wanted) & names_of(str(name)) for name in known):
        raise _nothing_wanted(origin, names)


def name_variables(
    dataset: xr.Dataset, origin: str, rename: Mapping[str, str], wanted: Collection[str] | None
) -> xr.Dataset:
    """Keep the known variables under their canonical names; drop the rest and every auxiliary coordinate.

    Raises:
        PassedOverError: Nothing is left.
        UserError: Two would have the same name.
    """
    canonical = {str(v): _variable_name(dataset[v], rename) for v in dataset.data_vars}
    unknown = [_placed(dataset[old], rename) for old, new in sorted(canonical.items()) if new is None]
    kept = {old: new for old, new in canonical.items() if new and (wanted is None or new in wanted)}
    if not any(canonical.values()):
        raise _nothing_known(unknown, origin)
    if not kept:
        raise _nothing_wanted(origin, list(canonical))
    _require_distinct(kept, origin)
    auxiliary = [c for c in dataset.coords if c not in ALIASES or (c == "number" and not dataset[c].dims)]
    dataset = dataset.drop_vars([*set(canonical) - set(kept), *auxiliary])
    for old in kept:
        dataset[old].attrs[SOURCE_NAME] = old
        period = dataset[old].attrs.get("GRIB_stepType", "instant")
        if period != "instant":
            windows = ", ".join(windows_of(dataset[old]))
            over = f"{windows} h" if windows else "a period"
            dataset = noted(dataset, f"{old} has GRIB stepType {period!r}: values over {over}, not instants")
    dataset = noted(dataset, _passed(unknown)) if unknown else dataset
    return dataset.rename({old: new for old, new in kept.items() if old != new})


def _nothing_known(names: list[str], origin: str, grid: str = "") -> PassedOverError:
    if grid:
        hint = f"; nor would its grid be read: {grid}"
    elif any("(sums" in name for name in names):
        hint = "; sums over 1, 6, 12 and 24 h are read, for others say what they are with rename"
    elif any("(" in name for name in names):
        hint = (
            "; only pressure levels, the surface, and heights of 2, 10 and 100 m are read; times or levels that are"
            " called otherwise are told by rename, such as initial_time0_hours=time"
        )
    else:  # a file's names are no slips of the pen, so none is suggested that is spelt alike
        hint = f"; say by rename which of them is what, such as {names[0]}=NAME; names: {SEE_NAMES}" if names else ""
    return PassedOverError(
        f"{origin} holds no variable that weatherml knows; it has {listed(names) or 'none at all'}{hint}",
        _passed(names) if names else "",
    )


def _nothing_wanted(origin: str, names: list[str]) -> PassedOverError:
    return PassedOverError(f"{origin} holds none of the variables asked for; it has {listed(names)}", "")


def _passed(names: list[str]) -> str:
    return f"variables passed over: {', '.join(names)}"


def _placed(field: xr.DataArray, rename: Mapping[str, str]) -> str:
    """Return what a field is called, and where it lies if that is why it is not read."""
    known, windows = _spelled(field, rename), windows_of(field)
    if windows:
        return f"{field.name} (sums over {' or '.join(windows)} h)"
    place = height_of(field) if known else None
    if place is None:
        return f"{field.name} (without a level or a height)" if known else str(field.name)
    return f"{field.name} ({_describe(place)})"


def _describe(place: float | str) -> str:
    return f"at {place:g} m" if isinstance(place, float) else f"on {place}"


def _require_distinct(names: Mapping[str, str], origin: str) -> None:
    for new in names.values():
        if list(names.values()).count(new) > 1:
            both = [old for old, name in names.items() if name == new]
            raise UserError(
                f"{origin}: {both} would all be {new!r}", Option("rename", {both[0]: "NAME"}, "that it has")
            )


def _variable_name(field: xr.DataArray, rename: Mapping[str, str]) -> str | None:
    """Return the canonical name of a field, given where it lies; None where none is known."""
    found = _spelled(field, rename)
    if found is None or strange_dims(field):
        return None
    if str(field.name) in rename:
        return found
    at_surface = field.attrs.get("GRIB_typeOfLevel") == "surface" or field.attrs.get("standard_name") in (
        "surface_geopotential",
        "surface_altitude",
    )
    if found == "geopotential" and at_surface:
        return "geopotential_at_surface"
    height = height_of(field)
    is_guess = height is None and "level" not in field.coords and known_name(field, str(field.name)) is None
    if is_guess and find(found).vertical == "pressure":
        return None
    return name_of_sum(at_height(found, height) or "", windows_of(field)) or None


def _spelled(field: xr.DataArray, rename: Mapping[str, str]) -> str | None:
    """Return the canonical name by the file's name, GRIB's names, the long name, and last CF's standard name."""
    name, attrs = str(field.name), field.attrs
    if rename.get(name, name) not in (name, *ALIASES):
        return find(rename[name]).name
    return known_name(field, name) or _STANDARD_NAMES.get(str(attrs.get("standard_name", "")))


def known_name(field: xr.DataArray, name: str) -> str | None:
    """Return the canonical name of a field that its file calls `name`, also by GRIB's names and the long name."""
    attrs = field.attrs
    words = str(attrs.get("long_name", "")).lower().replace(" ", "_")
    spellings = [name, name.lower(), attrs.get("GRIB_cfVarName"), attrs.get("GRIB_shortName"), words]
    return next((known for known in map(_known, spellings) if known), None)


def _known(spelling: str | None) -> str | None:
    variable = look_up(spelling or "")
    return _OTHER_NAMES.get(spelling or "") or (None if variable is None else variable.name)
