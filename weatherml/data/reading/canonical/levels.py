"""Pressure levels: in whole hPa, ascending, on the variables that lie on them and on no other."""

import re

import numpy as np
import xarray as xr

from weatherml.data.notes import noted
from weatherml.data.reading.canonical.notes import PassedOverError
from weatherml.data.reading.canonical.orientation import ascending
from weatherml.data.reading.units import in_hectopascals
from weatherml.errors import UserError
from weatherml.variables import LEVEL_SETS, find

_ROUNDING = 1e-4
"""Of a level: what float32 and factors of 100 leave."""
_HIGHEST_HPA = 2000
"""More is Pa, where a file does not say."""
_MODEL_LEVELS = ("model", "hybrid", "sigma", "eta")
"""Words in the names and attributes of coordinates that count model levels."""


def place_levels(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Give pressure-level variables their level dimension, ascending in hPa, and take it from the others.

    Levels between whole hPa are passed over, and so is all that lies on levels of another kind.

    Raises:
        PassedOverError: Nothing is left.
        UserError: A surface variable lies on several levels, or a level comes twice.
    """
    if "level" not in dataset.coords:
        return dataset
    told = _why_no_pressure(dataset["level"])
    dataset = _without_fields(dataset, told, origin) if told else _on_whole_levels(dataset, origin)
    placed = {name: _on_or_off_levels(field, origin) for name, field in dataset.data_vars.items()}
    dataset = dataset.assign(placed)
    if "level" in dataset.coords and "level" not in dataset.dims:
        return dataset.drop_vars("level")
    return ascending(dataset, "level", "levels ran from the ground up")


def tell_levels(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Give pressure levels in hPa, and units that say so, to a dataset whose coordinate of levels has another name.

    Whether levels without units are of hPa, of Pa, or of the model, all of them together tell, and some of them do not.
    """
    level = dataset[name]
    if _why_no_pressure(level):
        return dataset
    return dataset.assign_coords({name: (level.dims, _hectopascals(level), {**level.attrs, "units": "hPa"})})


def _on_or_off_levels(field: xr.DataArray, origin: str) -> xr.DataArray:
    on_levels = _lies_on_levels(field)
    if on_levels and "level" in field.coords and "level" not in field.dims:
        return field.expand_dims("level")
    if on_levels or "level" not in field.dims:
        return field
    if field.sizes["level"] > 1:
        raise UserError(f"{field.name} in {origin} lies on {field.sizes['level']} levels, but is a surface variable")
    return field.squeeze("level", drop=True)


def _lies_on_levels(field: xr.DataArray) -> bool:
    return find(str(field.name)).vertical == "pressure"


def _why_no_pressure(level: xr.DataArray) -> str | None:
    """Return why levels are none of pressure; None where they are."""
    units, values = str(level.attrs.get("units", "")), np.atleast_1d(level.values)
    if values.dtype.kind in "OSU":
        return None if all(map(_read_level, values)) else f"levels {values[0]!r} .. are no numbers of hPa"
    if units and in_hectopascals(units) is None:
        return f"level has units {units!r}, not hPa or Pa"
    words = " ".join(str(level.attrs.get(key, "")) for key in ("standard_name", "long_name")).lower()
    named = any(word in words for word in _MODEL_LEVELS)
    if named or (not units and not _look_like_pressure(values.astype(np.float64))):
        return f"levels {values[0]:g} .. {values[-1]:g} without units of pressure are model levels, not hPa"
    return None


def _look_like_pressure(values: np.ndarray) -> bool:
    """Return whether numbers without units are those of pressure levels: round ones, and none after the other."""
    ordered = np.sort(values / 100 if values.max() > _HIGHEST_HPA else values)
    is_usual = np.isin(ordered, LEVEL_SETS["era5"]) | (ordered % 5 == 0) | (ordered % 1 != 0)
    is_counted = ordered.size > 2 and bool(np.all(np.diff(ordered) == 1))
    return bool(is_usual.all()) and not is_counted


def _hectopascals(level: xr.DataArray) -> np.ndarray:
    """Return levels in hPa, float64 `[level]` or a scalar, without what rounding has left on them."""
    units = str(level.attrs.get("units", ""))
    if level.dtype.kind in "OSU":
        values = np.reshape([_read_level(text) or np.nan for text in np.atleast_1d(level.values)], level.shape)
    else:
        values = np.asarray(level.values, np.float64)
        factor = in_hectopascals(units)
        # Files without units count in one or the other.
        values = values * (factor if factor else 0.01 if values.max() > _HIGHEST_HPA else 1)
    whole = np.round(values)
    return np.where(np.abs(values - whole) < _ROUNDING * values, whole, values)


def _read_level(text: object) -> float | None:
    """Return hPa of `500`, `500 hPa` or `50000 Pa`; None where it is no pressure."""
    told = text.decode() if isinstance(text, bytes) else str(text)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", told, re.IGNORECASE)
    factor = in_hectopascals(found[2] or "hPa") if found else None
    return None if found is None or factor is None else float(found[1]) * factor


def _on_whole_levels(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    values = _hectopascals(dataset["level"])
    is_whole = (values == np.round(values)) & (values > 0)
    if not np.any(is_whole):
        held = f"levels must be whole hPa, got {np.atleast_1d(values).round(6).tolist()}"
        return _without_fields(dataset, held, origin)
    if not np.all(is_whole):
        others = ", ".join(f"{value:g}" for value in np.atleast_1d(values)[~np.atleast_1d(is_whole)])
        dataset = noted(dataset.isel(level=is_whole), f"levels passed over: {others} hPa")
        values = values[is_whole]
    own, counts = np.unique(values, return_counts=True)
    if counts.max() > 1:
        raise UserError(
            f"{origin} has the level {own[counts.argmax()]:g} hPa {counts.max()} times; give it with each level once"
        )
    return dataset.assign_coords(level=dataset["level"].copy(data=values.astype(np.int32)))


def _without_fields(dataset: xr.Dataset, told: str, origin: str) -> xr.Dataset:
    """Leave out what lies on levels that are not read.

    Raises:
        PassedOverError: That is all there is.
    """
    names = [str(name) for name, field in dataset.data_vars.items() if _lies_on_levels(field)]
    note = f"{told}: {', '.join(names)} passed over"
    if len(names) == len(dataset.data_vars):
        raise PassedOverError(f"{origin}: {told}; only pressure levels are read, select or interpolate to them", note)
    return noted(dataset.drop_vars(names), note).squeeze("level", drop=True) if names else dataset
