"""Sunlight at the top of the atmosphere and the height of the sun: they follow from time and place alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.data.derived.derivation import Derivation, Request
from weatherml.data.sunlight import insolation, solar_position
from weatherml.grid import LatLonGrid

SOLAR_CONSTANT = 1360.8
"""W m-2 at one astronomical unit (Kopp and Lean 2011, doi:10.1029/2010GL045777)."""
_PIECE = 4  # times computed at once; a quarter-degree field of them is 33 MB in double precision


@dataclass(frozen=True)
class OfTimeAndPlace(Derivation):
    """A function of times `[time]` and a grid to `[time, lat, lon]`.

    Attributes:
        how: What is done.
        function: In SI units.
    """

    how: str
    function: Callable[[np.ndarray, LatLonGrid], np.ndarray]
    inputs: tuple[str, ...] = ()

    def derive(self, inputs: xr.Dataset, request: Request) -> xr.DataArray:
        """Compute it, lazily."""
        del inputs
        times = xr.DataArray(request.times, dims="time", coords={"time": request.times})
        horizontal = ("latitude", "longitude")
        field: xr.DataArray = xr.apply_ufunc(
            lambda block: self.function(block, request.grid).astype(np.float32),
            times.drop_vars("time").chunk(time=_PIECE),
            output_core_dims=[horizontal],
            dask="parallelized",
            output_dtypes=[np.float32],
            dask_gufunc_kwargs={"output_sizes": dict(zip(horizontal, request.grid.shape, strict=True))},
        )
        latitude, longitude = list(request.grid.latitude), list(request.grid.longitude)
        return field.assign_coords(time=times, latitude=latitude, longitude=longitude)


@dataclass(frozen=True)
class Received:
    """What the window before each time receives, J m-2 `[time, lat, lon]`.

    Attributes:
        window: How long.
    """

    window: np.timedelta64

    def __call__(self, times: np.ndarray, grid: LatLonGrid) -> np.ndarray:
        """Return the solar constant times the time in the sun."""
        seconds = self.window / np.timedelta64(1, "s")
        return np.asarray(SOLAR_CONSTANT * seconds * insolation(times - self.window, self.window, grid))


def cosine_of_zenith_angle(times: np.ndarray, grid: LatLonGrid) -> np.ndarray:
    """Return the cosine of the sun's angle to the zenith `[time, lat, lon]`, negative by night."""
    sine, hour_angle, _ = solar_position(times, grid)
    latitude = np.radians(grid.latitude)[:, None]
    swing = np.cos(latitude) * np.sqrt(1 - sine**2)[:, None, None]
    return np.asarray(np.sin(latitude) * sine[:, None, None] + swing * np.cos(hour_angle)[:, None, :])
