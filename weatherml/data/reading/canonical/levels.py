"""Pressure levels: in whole hPa, ascending, on the variables that lie on them and on no other."""

import numpy as np
import xarray as xr

from weatherml.data.reading.canonical.orientation import ascending
from weatherml.errors import UserError
from weatherml.variables import find


def place_levels(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Give pressure-level variables their level dimension, ascending in hPa, and take it from the others."""
    if "level" in dataset.coords:
        dataset = dataset.assign_coords(level=_hectopascals(dataset["level"], origin))
    placed = {name: _on_or_off_levels(field, origin) for name, field in dataset.data_vars.items()}
    dataset = dataset.assign(placed)
    if "level" in dataset.coords and "level" not in dataset.dims:
        return dataset.drop_vars("level")
    return ascending(dataset, "level", "levels ran from the ground up")


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
