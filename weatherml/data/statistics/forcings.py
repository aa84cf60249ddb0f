"""Fields that a model is told rather than predicts: season, sunlight, place, ground."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from weatherml.data.statistics.climatology import year_angle
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.registry import Registry
from weatherml.times import parse_times

_GRAVITY = 9.80665  # m s-2, standard
_DAY = np.timedelta64(24, "h")


@dataclass(frozen=True, eq=False)
class Forcings:
    """A stack of forcing fields of order one.

    Attributes:
        names: Entries of `FORCINGS`, in the order of the maps.
        grid: Where.
        time_step: What sunlight is averaged over, from each time on, `timedelta64`.
        dataset: Holds the static fields that `orography` and `land_sea_mask` read; None where neither is named.

    Raises:
        UserError: A name is unknown, or a static field is missing or has gaps.
    """

    names: tuple[str, ...]
    grid: LatLonGrid
    time_step: np.timedelta64
    dataset: xr.Dataset | None = None

    def __post_init__(self) -> None:
        _ = self.n_maps  # computes every map once, so that a wrong name or a missing field stops here

    @cached_property
    def n_maps(self) -> int:
        """Number of maps; season and longitude are two each."""
        return int(self.at(np.array(["2000-01-01"], "datetime64[ns]")).shape[1])

    def at(self, times: np.ndarray) -> np.ndarray:
        """Return float32 `[time, forcing, lat, lon]` for `datetime64` times `[time]`."""
        times = parse_times(times)
        maps = [np.zeros((len(times), 0, *self.grid.shape), np.float32)]
        for name in self.names:
            field = FORCINGS[name](self, times)
            maps.append(np.broadcast_to(field, (len(times), field.shape[1], *self.grid.shape)))
        return np.concatenate(maps, axis=1, dtype=np.float32)


FORCINGS: Registry[Callable[[Forcings, np.ndarray], np.ndarray]] = Registry("forcing")
"""Functions of the settings and times `[time]` to maps that broadcast to `[time, map, lat, lon]`."""


@FORCINGS.register("season")
def _season(_: Forcings, times: np.ndarray) -> np.ndarray:
    """Sine and cosine of the phase of the year."""
    angle = year_angle(times)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)[:, :, None, None]


@FORCINGS.register("latitude")
def _latitude(forcings: Forcings, _: np.ndarray) -> np.ndarray:
    """Sine of latitude."""
    return np.sin(np.radians(forcings.grid.latitude))[None, None, :, None]


@FORCINGS.register("longitude")
def _longitude(forcings: Forcings, _: np.ndarray) -> np.ndarray:
    """Sine and cosine of longitude."""
    longitude = np.radians(forcings.grid.longitude)
    return np.stack([np.sin(longitude), np.cos(longitude)])[None, :, None, :]


@FORCINGS.register("insolation")
def _insolation(forcings: Forcings, times: np.ndarray) -> np.ndarray:
    """Sunlight at the top of the atmosphere in solar constants, averaged over the step (at most a day) to come."""
    span = min(forcings.time_step, _DAY)
    return insolation(times, span, forcings.grid)[:, None]


@FORCINGS.register("orography")
def _orography(forcings: Forcings, _: np.ndarray) -> np.ndarray:
    """Height of the surface, km."""
    return _static(forcings, "geopotential_at_surface") / (1000 * _GRAVITY)


@FORCINGS.register("land_sea_mask")
def _land_sea_mask(forcings: Forcings, _: np.ndarray) -> np.ndarray:
    """Fraction of land."""
    return _static(forcings, "land_sea_mask")


def _static(forcings: Forcings, name: str) -> np.ndarray:
    if forcings.dataset is None or name not in forcings.dataset:
        raise UserError(
            f"forcings need the static field {name!r}, which the data do not hold; ingest it, or leave it out"
        )
    field = forcings.dataset[name].transpose("latitude", "longitude").values
    if field.shape != forcings.grid.shape or not np.isfinite(field).all():
        raise UserError(f"static field {name!r} must cover the grid without gaps to be a forcing; mend or leave it out")
    return field[None, None]


def insolation(times: np.ndarray, span: np.timedelta64, grid: LatLonGrid) -> np.ndarray:
    """Return top-of-atmosphere sunlight averaged over `[time, time + span]`, float64 `[time, lat, lon]`.

    The cosine of the zenith angle, `sin(lat) sin(declination) + cos(lat) cos(declination) cos(hour angle)`, is
    integrated over its sunlit part in closed form; declination and distance are those at the middle of the span.

    Args:
        times: Starts, `datetime64[ns]` `[time]`.
        span: Up to a day.
        grid: Where.

    Returns:
        Fractions of the solar constant (at one astronomical unit): 0 by night, at most 1.035.
    """
    middle = times + span.astype("timedelta64[ns]") // 2
    sine, hour_angle, distance = solar_position(middle, grid)
    latitude = np.radians(grid.latitude)[:, None]
    steady = np.sin(latitude) * sine[:, None, None]
    swing = np.maximum(np.cos(latitude) * np.sqrt(1 - sine**2)[:, None, None], 1e-12)
    half_width = np.pi * (span / _DAY)
    upper = _sunlit_integral(hour_angle[:, None, :] + half_width, steady, swing)
    lower = _sunlit_integral(hour_angle[:, None, :] - half_width, steady, swing)
    mean = (upper - lower) / (2 * half_width)
    return np.asarray(mean / distance[:, None, None] ** 2)


def solar_position(times: np.ndarray, grid: LatLonGrid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where the sun is, to 0.01 degree between 1950 and 2050.

    Source: the Astronomical Almanac's low-precision formulae (Michalsky 1988, Solar Energy 40, 227-235).

    Returns:
        Sine of the declination `[time]`, local hour angle in radians `[time, lon]` (0 at noon), distance in
        astronomical units `[time]`.
    """
    days = (times - np.datetime64("2000-01-01T12:00", "ns")) / np.timedelta64(1, "D")
    anomaly = np.radians(357.528 + 0.9856003 * days)
    mean_longitude = 280.460 + 0.9856474 * days
    longitude = np.radians(mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 4e-7 * days)
    ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    # Mean longitude minus right ascension is the equation of time; 0 h UTC is half a turn from noon at Greenwich.
    noon = np.radians(mean_longitude) - ascension + 2 * np.pi * (days % 1)
    distance = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)
    return np.sin(obliquity) * np.sin(longitude), noon[:, None] + np.radians(grid.longitude), distance


def _sunlit_integral(angle: np.ndarray, steady: np.ndarray, swing: np.ndarray) -> np.ndarray:
    """Integrate `max(0, steady + swing cos(h))` over the hour angle `h` from -pi to `angle` (any number of turns)."""
    sunset = np.arccos(np.clip(-steady / swing, -1, 1))
    turns = np.floor((angle + np.pi) / (2 * np.pi))
    within = np.clip(angle - 2 * np.pi * turns, -sunset, sunset)
    half_day = steady * sunset + swing * np.sin(sunset)
    return np.asarray(2 * turns * half_day + steady * within + swing * np.sin(within))
