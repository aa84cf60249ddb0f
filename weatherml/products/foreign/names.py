"""Fields under canonical names: short ones, one for each level, or all in one array along `variable`.

earth2studio writes an array for each channel, `z500` or `u10m` (its `io` backends; `E2STUDIO_VOCAB` in its
`lexicon/base.py`), or keeps all of them along a dimension `variable`; anemoi-inference writes `z_500` and `10u` (its
`outputs/netcdf.py`).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from weatherml.data.notes import LAYOUT
from weatherml.data.reading.canonical.names import known_name
from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed
from weatherml.products.selection import split_field
from weatherml.variables import VARIABLES, look_up

_VARIABLE = "variable"
_ON_A_LEVEL = re.compile(r"([a-z]+)_?(\d+)", re.IGNORECASE)
_OWN_LETTERS = frozenset("zqtrwd")
"""Of names such as `z500`; `u100` and `v100` may be wind at 100 m."""


def unfold_variables(raw: xr.Dataset) -> xr.Dataset:
    """Return arrays along `variable`, whose coordinate has their names, as so many fields."""
    folded = [name for name, field in raw.data_vars.items() if _VARIABLE in field.dims]
    if not folded or _VARIABLE not in raw.coords:
        return raw
    names = [value.decode() if isinstance(value, bytes) else str(value) for value in raw[_VARIABLE].values]
    fields = {
        channel: raw[name].isel({_VARIABLE: place}, drop=True) for name in folded for place, channel in enumerate(names)
    }
    return raw.drop_vars([*folded, _VARIABLE]).assign(fields)


def with_canonical_names(dataset: xr.Dataset, place: str) -> xr.Dataset:
    """Return the fields that are known, under their names, on levels where they have one each; note the others.

    Raises:
        UserError: Nothing is known, or two fields would be one.
    """
    channels = _channels(dataset)
    strange = sorted(set(map(str, dataset.data_vars)) - set(channels))
    if not channels:
        raise UserError(
            f"{place} holds no variable that weatherml knows; it has {listed(strange) or 'none at all'}",
            *([Option("rename", {strange[0]: "NAME"}, "to say what one is")] if strange else []),
        )
    named = _on_levels(dataset.drop_vars(strange), channels, place)
    return named.assign_attrs({LAYOUT: [f"variables passed over: {', '.join(strange)}"]} if strange else {})


def _channels(dataset: xr.Dataset) -> dict[str, tuple[str, int | None]]:
    """Return name and level of each field that is known; names of statistics keep what follows the variable."""
    names = list(map(str, dataset.data_vars))
    is_by_channel = any(_level_of(name) is not None and name[0].lower() in _OWN_LETTERS for name in names)
    found = {name: _channel(dataset[name], is_by_channel) for name in names}
    return {name: own for name, own in found.items() if own is not None}


def _channel(field: xr.DataArray, is_by_channel: bool) -> tuple[str, int | None] | None:
    variable, statistic = split_field(str(field.name))
    if is_by_channel and (channel := _level_of(variable)) is not None:
        return channel[0], channel[1]
    known = variable if variable in VARIABLES else known_name(field, variable)
    if known is None:
        channel = _level_of(variable)
        return None if channel is None else channel
    has_level = "level" in field.coords or "level" in field.dims
    if VARIABLES[known].vertical == "pressure" and not (has_level or statistic):
        return None
    return known + statistic, None


def _level_of(name: str) -> tuple[str, int] | None:
    """Return variable and level of a name such as `z500` or `t_850`."""
    match = _ON_A_LEVEL.fullmatch(name)
    variable = look_up(match[1].lower()) if match else None
    if match is None or variable is None or variable.vertical != "pressure":
        return None
    return variable.name, int(match[2])


def _on_levels(dataset: xr.Dataset, channels: Mapping[str, tuple[str, int | None]], place: str) -> xr.Dataset:
    """Return fields under canonical names, those of one variable along its levels."""
    by_name: dict[str, list[tuple[int | None, str]]] = defaultdict(list)
    for own, (name, level) in channels.items():
        by_name[name].append((level, own))
    fields = {name: _joined(dataset, own, name, place) for name, own in by_name.items()}
    for field in fields.values():
        _rename_ancillary(field, {own: name for own, (name, _) in channels.items()})
    kept = dataset.drop_vars(list(channels))
    return xr.merge([kept, *(field.rename(name) for name, field in fields.items())], join="outer", compat="override")


def _joined(dataset: xr.Dataset, own: Iterable[tuple[int | None, str]], name: str, place: str) -> xr.DataArray:
    levels, names = zip(*sorted(own, key=lambda one: one[0] or 0), strict=True)
    if len(set(levels)) < len(levels) or (None in levels and len(levels) > 1):
        raise UserError(f"{place}: {listed(names)} would all be {name!r}", Option("rename", {names[0]: "NAME"}))
    if levels == (None,):
        field: xr.DataArray = dataset[names[0]]
        return field
    along = xr.Variable("level", np.array(levels, np.int32))
    joined: xr.DataArray = xr.concat(
        [dataset[one].drop_vars("level", errors="ignore") for one in names],
        along,
        coords="minimal",
        compat="override",
        join="exact",
    )
    return joined.assign_coords(level=along)


def _rename_ancillary(field: xr.DataArray, names: Mapping[str, str]) -> None:
    """Rename the variables that belong to a field, among its attributes, too."""
    if (others := field.attrs.get("ancillary_variables")) is not None:
        told = " ".join(names.get(other, other) for other in others.split())
        field.attrs = {**field.attrs, "ancillary_variables": told}
