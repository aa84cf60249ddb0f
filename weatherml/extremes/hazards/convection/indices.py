"""Fields of convection: energy, inhibition, shear, and where severe storms are likely."""

from functools import partial

import numpy as np
import xarray as xr

from weatherml.column import GRAVITY
from weatherml.errors import UserError
from weatherml.extremes.hazards.convection.definition import Definition
from weatherml.extremes.hazards.convection.energy import cape_and_cin
from weatherml.extremes.hazards.convection.parcels import lift, start_of
from weatherml.extremes.hazards.convection.profiles import (
    AT_GROUND,
    ON_LEVELS,
    Profiles,
    ground_of,
    require_levels,
    rising,
)
from weatherml.extremes.hazards.known import known_only
from weatherml.extremes.hazards.registry import Hazard, registry
from weatherml.references import Reference

CAPE, CIN, SHEAR, SEVERE = (
    "convective_available_potential_energy",
    "convective_inhibition",
    "bulk_shear",
    "craven_brooks",
)
_HIGHEST = 50  # hPa: no air rises freely higher up
_TILE = 2**14  # points that are lifted together: their columns stay in a processor's cache


def convection(fields: xr.Dataset, definition: Definition | None = None) -> xr.Dataset:
    """Return the energy of rising air, as lazily as the fields are.

    Args:
        fields: Temperature and specific humidity on levels, dims (..., level, latitude, longitude), with the pressure,
            2 m temperature and dew point at the ground, or without all three, where the lowest level stands for it.
        definition: Which air rises.

    Returns:
        `convective_available_potential_energy` and `convective_inhibition` (negative; NaN where air never rises
        freely), J kg-1, float32; attributes say which air rises.

    Raises:
        UserError: A field is missing.
    """
    own = definition or Definition()
    require_levels(fields, ON_LEVELS[:2])
    ground = ground_of(fields, AT_GROUND[:3])
    fields = rising(fields.sel(level=fields["level"] >= _HIGHEST))
    levels = fields["level"].values
    columns = [_along_levels(fields[name]) for name in ON_LEVELS[:2]]
    energies = xr.apply_ufunc(
        partial(_energies, levels=levels, definition=own),
        *columns,
        *ground,
        input_core_dims=[["level"], ["level"], *[[] for _ in ground]],
        output_core_dims=[[], []],
        dask="parallelized",
        output_dtypes=[np.float32, np.float32],
    )
    told = {"units": "J kg-1", "parcel": own.parcel}
    return xr.Dataset({name: field.assign_attrs(told) for name, field in zip((CAPE, CIN), energies, strict=True)})


def bulk_shear(fields: xr.Dataset, definition: Definition | None = None) -> xr.DataArray:
    """Return how much the wind changes from the ground up to a height, m s-1, as lazily as the fields are.

    Args:
        fields: Geopotential and wind on levels, with the pressure and the wind at 10 m, or without both, where the
            lowest level stands for the ground. Heights are above that where the pressure is that of the ground.
        definition: Up to which height.

    Raises:
        UserError: A field is missing, or the levels do not reach the height.
    """
    own = definition or Definition()
    require_levels(fields, ON_LEVELS[2:])
    ground, fields = ground_of(fields, (AT_GROUND[0], *AT_GROUND[3:])), rising(fields)
    levels = fields["geopotential"]["level"].values
    shear: xr.DataArray = xr.apply_ufunc(
        partial(_shear, levels=levels, height=own.shear_height),
        *[_along_levels(fields[name]) for name in ON_LEVELS[2:]],
        *ground,
        input_core_dims=[["level"]] * 3 + [[] for _ in ground],
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    return shear.rename(SHEAR).assign_attrs(units="m s-1", height=own.shear_height)


def craven_brooks(fields: xr.Dataset, definition: Definition | None = None) -> xr.DataArray:
    """Return the product of energy and shear, m3 s-3 (Craven and Brooks 2004); `fields` as of both."""
    product = convection(fields, definition)[CAPE] * bulk_shear(fields, definition)
    return product.rename(SEVERE).assign_attrs(units="m3 s-3")


def _along_levels(field: xr.DataArray) -> xr.DataArray:
    """Return a field whose levels, if it is lazy, are in one piece."""
    return field.chunk(level=-1) if field.chunks is not None else field


def _energies(
    temperature: np.ndarray, humidity: np.ndarray, *ground: np.ndarray, levels: np.ndarray, definition: Definition
) -> tuple[np.ndarray, np.ndarray]:
    """Return both energies `[...]` of fields `[..., level]` and at the ground `[...]`."""
    shape = np.broadcast_shapes(temperature.shape[:-1], *(own.shape for own in ground))
    columns = [np.broadcast_to(own, (*shape, len(levels))).reshape(-1, len(levels)) for own in (temperature, humidity)]
    flat = [np.broadcast_to(own, shape).ravel() for own in ground]
    energies = np.empty((2, len(columns[0])), np.float32)
    for first in range(0, len(columns[0]), _TILE):
        tile = slice(first, first + _TILE)
        profiles = Profiles.of(levels, [own[tile] for own in columns], [own[tile] for own in flat])
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            start, (pressure, surroundings) = start_of(profiles, definition), profiles.finely()
            found = cape_and_cin(pressure, surroundings, start, lift(start, pressure))
        energies[:, tile] = np.where(profiles.is_known, found, np.nan)
    return energies[0].reshape(shape), energies[1].reshape(shape)


def _shear(
    geopotential: np.ndarray,
    eastward: np.ndarray,
    northward: np.ndarray,
    *ground: np.ndarray,
    levels: np.ndarray,
    height: float,
) -> np.ndarray:
    """Return the change of wind `[...]` of fields `[..., level]` and at the ground `[...]`."""
    heights = geopotential / GRAVITY
    low, *wind = heights[..., -1], eastward[..., -1], northward[..., -1]
    if ground:
        pressure, *wind = ground
        low = _at(np.log(levels / 1000), np.log(pressure / 1e5), heights)
    wanted = low + height
    if np.any(wanted > heights[..., 0]):
        raise UserError(
            f"the levels end at {np.min(heights[..., 0]):.0f} m, below {height:g} m above the ground; read levels up to"
            " 300 hPa or above"
        )
    change = [_at(-heights, -wanted, up) - own for up, own in zip((eastward, northward), wind, strict=True)]
    return np.asarray(np.hypot(*change), np.float32)


def _at(places: np.ndarray, wanted: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values `[..., level]` at a place `[...]` between places that rise `[..., level]`; linear, also beyond."""
    above = np.clip((places < wanted[..., None]).sum(axis=-1) - 1, 0, values.shape[-1] - 2)[..., None]
    ends = [
        np.take_along_axis(np.broadcast_to(own, values.shape), above + i, -1)[..., 0]
        for own in (places, values)
        for i in (0, 1)
    ]
    share = (wanted - ends[0]) / (ends[1] - ends[0])
    return np.asarray(ends[2] + share * (ends[3] - ends[2]))


def _event(fields: xr.Dataset, definition: Definition, threshold: Reference | None) -> xr.DataArray:
    product = craven_brooks(fields, definition)
    return known_only(product >= definition.severe, product.notnull()).rename("event")


def _index(fields: xr.Dataset, definition: Definition, threshold: Reference | None) -> xr.DataArray:
    return craven_brooks(fields, definition)


registry.register("severe_convection")(
    Hazard("severe convection", ON_LEVELS, Definition, _event, _index, summary="maximum")
)
