"""Fields with storms of known places: Gaussian dents in a smooth pressure that has none."""

import numpy as np
import xarray as xr

from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import destination, distance
from weatherml.state import with_metadata

PRESSURE = "mean_sea_level_pressure"


def times(n, step="6h"):
    """Return rising times."""
    return np.datetime64("2020-01-01", "ns") + np.arange(n) * np.timedelta64(int(step[:-1]), step[-1]).astype("m8[ns]")


def background(grid):
    """Return a pressure `[lat, lon]` with its lowest values at 60 degrees, but no closed contour, Pa."""
    north, east = np.radians(grid.latitude)[:, None], np.radians(grid.longitude)
    return 101300 + 900 * np.cos(6 * north) * np.cos(north) ** 2 + 200 * np.cos(north) ** 3 * np.sin(2 * east)


def dent(grid, latitude, longitude, depth=2000.0, radius=400.0):
    """Return a storm `[lat, lon]` of a depth, Pa, at its centre, and a radius, km."""
    away = distance(latitude, longitude, np.asarray(grid.latitude)[:, None], np.asarray(grid.longitude))
    return -depth * np.exp(-((away / radius) ** 2))


def path(latitude, longitude, direction, speed=12.0, n=9, hours=6):
    """Return latitudes and longitudes `[time]` of a storm along a great circle, with a speed in m s-1."""
    return destination(latitude, longitude, direction, speed * 3.6 * hours * np.arange(n))


def planted(grid, paths, depth=2000.0, radius=400.0):
    """Return a dataset of pressure in which storms go along paths (latitudes, longitudes), NaN where they are not."""
    n = len(paths[0][0])
    field = np.repeat(background(grid)[None], n, axis=0)
    for north, east in paths:
        for place in np.flatnonzero(np.isfinite(north)):
            field[place] += dent(grid, north[place], east[place], depth, radius)
    coords = {"time": times(n), "latitude": np.asarray(grid.latitude), "longitude": np.asarray(grid.longitude)}
    return with_metadata(xr.Dataset({PRESSURE: (tuple(coords), field.astype(np.float32))}, coords))


def with_warm_core(fields, grid):
    """Return fields whose storms have thick layers from 500 to 300 hPa, winds, and low ground."""
    shape = (fields[PRESSURE] - background(grid)) / -2000.0  # 1 in the middle
    dims = ("time", "level", "latitude", "longitude")
    heights = np.stack([90e3 + 2000 * shape.values, 55e3 + 0 * shape.values], axis=1)
    own = {f"10m_{part}_component_of_wind": 25 * shape for part in "uv"}
    own["geopotential_at_surface"] = xr.zeros_like(shape.isel(time=0, drop=True))
    fields = fields.assign(own).assign_coords(level=np.array([300, 500], np.int32))
    return with_metadata(fields.assign(geopotential=(dims, heights)).astype(np.float32))


def cell(grid):
    """Return the side of a cell, km."""
    return grid.resolution * 111.19


GRIDS = {
    "regular 2.5": LatLonGrid.regular(73, 144),
    "regular 5": LatLonGrid.regular(37, 72),
    "no poles 2": LatLonGrid.regular(90, 180, poles=False),
    "gaussian": LatLonGrid.gaussian(64, 128),
}
