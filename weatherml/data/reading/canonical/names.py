"""The names of variables: from the file's to those of the vocabulary."""

from collections.abc import Mapping

import xarray as xr

from weatherml.data.reading.canonical.coordinates import ALIASES
from weatherml.data.reading.canonical.notes import SOURCE_NAME, noted
from weatherml.errors import UserError
from weatherml.registry import nearest
from weatherml.variables import VARIABLES, find

# Heights become geopotential through their units.
_HEIGHTS = {"gh": "geopotential", "geopotential_height": "geopotential"}


def name_variables(dataset: xr.Dataset, origin: str, rename: Mapping[str, str]) -> xr.Dataset:
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
    auxiliary = [c for c in dataset.coords if c not in ALIASES or (c == "number" and not dataset[c].dims)]
    dataset = dataset.drop_vars([*unknown, *auxiliary])
    for old in known:
        dataset[old].attrs[SOURCE_NAME] = old
        period = dataset[old].attrs.get("GRIB_stepType", "instant")
        if period != "instant":
            dataset = noted(dataset, f"{old} has GRIB stepType {period!r}: values over a period, not instants")
    dataset = noted(dataset, f"variables passed over: {', '.join(unknown)}") if unknown else dataset
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
