"""Storms that are tracked: a place is struck where the centre of one that is strong enough passes near."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards.registry import Hazard, registry
from weatherml.extremes.tracks import presets
from weatherml.extremes.tracks.tracking import track
from weatherml.sphere.great_circles import DEGREE, distance

_PRESSURE = "mean_sea_level_pressure"


@dataclass(frozen=True)
class Storm:
    """A low of middle latitudes: detected and linked as `tracks.presets.EXTRATROPICAL` says, but for what counts.

    There a storm lasts 60 hours, goes 12 degrees, and may be missing for 18 hours. Deep lows often stand still: the
    deepest over the North Atlantic in the winter of 2025 to 2026 is none by that.

    Attributes:
        pressure: Pa at its centre, at most, for it to strike.
        radius: km around its centre within which places are struck.
        hours: It lasts so long at least.
        displacement: Degrees of a great circle from its first to its last record, at least.
        gap: Hours between its records, at most; with 0 none is missing. In 18 hours a storm may go 2000 km, and lows
            that have nothing to do with each other become one.
    """

    pressure: float = 98_000.0
    radius: float = 500.0
    hours: float = 24.0
    displacement: float = 0.0
    gap: float = 0.0

    def __post_init__(self) -> None:
        _require_positive(self.radius, "radius")

    def tracks(self, fields: xr.Dataset) -> xr.Dataset:
        """Return the tracks of all lows."""
        detection, linking = presets.EXTRATROPICAL
        linking = replace(
            linking, maximum_gap=self.gap, least_duration=self.hours, least_displacement=self.displacement
        )
        return track(fields, detection, linking)

    def strong(self, tracks: xr.Dataset) -> np.ndarray:
        """Return which records strike, bool `[record]`."""
        return np.asarray(tracks[_PRESSURE].values <= self.pressure)


@dataclass(frozen=True)
class TropicalCyclone:
    """A tropical cyclone: detected and linked as `tracks.presets.tropical_cyclone` says.

    Attributes:
        wind: m s-1 within 2 degrees of its centre, at least, for it to strike; 17.5 is a tropical storm.
        radius: km around its centre within which places are struck; 120 is that of ECMWF's strike probability.
        upper: Top of the layer whose thickness tells the warm core, hPa.
        lower: Its bottom.
    """

    wind: float = 17.5
    radius: float = 120.0
    upper: int = 300
    lower: int = 500

    def __post_init__(self) -> None:
        _require_positive(self.radius, "radius")

    def tracks(self, fields: xr.Dataset) -> xr.Dataset:
        """Return the tracks of all cyclones."""
        return track(fields, *presets.tropical_cyclone(self.upper, self.lower))

    def strong(self, tracks: xr.Dataset) -> np.ndarray:
        """Return which records strike, bool `[record]`."""
        return np.asarray(tracks["maximum_wind_speed"].values >= self.wind)


def struck(tracks: xr.Dataset, fields: xr.Dataset, definition: Storm | TropicalCyclone) -> xr.DataArray:
    """Return where and when a storm strikes, bool `[time, latitude, longitude]`.

    Args:
        tracks: As the definition finds them.
        fields: Dims (time, latitude, longitude), which say where and when is asked.
        definition: What strikes, and how far.
    """
    rows, columns, times = (fields[name].values for name in ("latitude", "longitude", "time"))
    found = np.zeros((len(times), len(rows), len(columns)), bool)
    strong = tracks.isel(record=np.flatnonzero(definition.strong(tracks))) if tracks.sizes["record"] else tracks
    at = np.searchsorted(times, strong["time"].values)
    for place, north, east in zip(at, strong["latitude"].values, strong["longitude"].values, strict=True):
        near = np.flatnonzero(np.abs(rows - north) <= definition.radius / DEGREE + 0.1)
        found[place, near] |= distance(rows[near, None], columns, north, east) <= definition.radius
    coords = {"time": times, "latitude": rows, "longitude": columns}
    return xr.DataArray(found, coords, name="struck")


def _tracks(fields: xr.Dataset, definition: Storm | TropicalCyclone) -> xr.Dataset:
    return definition.tracks(fields)


def _event(fields: xr.Dataset, definition: Storm | TropicalCyclone, _: Any) -> xr.DataArray:
    return struck(definition.tracks(fields), fields, definition)


def _pressure(fields: xr.Dataset, *_: Any) -> xr.DataArray:
    return fields[_PRESSURE].assign_attrs(units="Pa")


def _require_positive(radius: float, name: str) -> None:
    if not radius > 0:
        raise UserError(f"a {name} of {radius:g} km strikes nowhere; give one above 0")


registry.register("storm")(
    Hazard(
        "storm",
        (_PRESSURE,),
        Storm,
        _event,
        _pressure,
        "minimum",
        tracks=_tracks,
        strike=struck,
        extent="everything",
        least_share=0.0,
    )
)
registry.register("tropical_cyclone")(
    Hazard(
        "tropical cyclone",
        (_PRESSURE, "geopotential", "10m_u_component_of_wind", "10m_v_component_of_wind"),
        TropicalCyclone,
        _event,
        _pressure,
        "minimum",
        tracks=_tracks,
        strike=struck,
        extent="everything",
        least_share=0.0,
    )
)
