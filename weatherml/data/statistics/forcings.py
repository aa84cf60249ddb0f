"""Fields that a model is told rather than predicts: season, sunlight, place, ground."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from weatherml.column import GRAVITY
from weatherml.data.statistics.accumulators.harmonics import year_angle
from weatherml.data.sunlight import DAY, insolation
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.registry import Registry
from weatherml.times import parse_times


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
    span = min(forcings.time_step, DAY)
    return insolation(times, span, forcings.grid)[:, None]


@FORCINGS.register("orography")
def _orography(forcings: Forcings, _: np.ndarray) -> np.ndarray:
    """Height of the surface, km."""
    return _static(forcings, "geopotential_at_surface") / (1000 * GRAVITY)


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
