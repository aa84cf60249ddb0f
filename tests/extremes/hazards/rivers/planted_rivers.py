"""Bands of vapour of known length, width and direction along great circles."""

import numpy as np
import xarray as xr

from weatherml.extremes.hazards.rivers.transport import EASTWARD, NORTHWARD
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import bearing, destination, distance


def band(grid, centre, turn, length, width, strength=600.0, drift=0.0):
    """Components of transport `[lat, lon]` along a band; `drift` degrees clockwise of it; 10 kg m-1 s-1 outside."""
    latitude, longitude = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    angle = distance(*centre, latitude, longitude) / EARTH_RADIUS
    off = np.radians(np.nan_to_num(bearing(*centre, latitude, longitude)) - turn)
    across = EARTH_RADIUS * np.arcsin(np.sin(angle) * np.sin(off))
    along = EARTH_RADIUS * np.arctan2(np.sin(angle) * np.cos(off), np.cos(angle))
    back, ahead = (destination(*centre, turn, along + step) for step in (-50, 50))
    towards = np.radians(bearing(*back, *ahead) + drift)
    own = np.where((abs(along) <= length / 2) & (abs(across) <= width / 2), strength, 10.0)
    return own * np.sin(towards), own * np.cos(towards)


def fields(grid, *bands, start="2020-01-01", step="6h"):
    """A dataset of a band a time."""
    times = np.datetime64(start, "ns") + np.arange(len(bands)) * np.timedelta64(int(step[:-1]), step[-1])
    coords = {"time": times, "latitude": np.array(grid.latitude), "longitude": np.array(grid.longitude)}
    parts = np.moveaxis(np.asarray(bands, np.float32), 1, 0)
    named = zip((EASTWARD, NORTHWARD), parts, strict=True)
    return xr.Dataset({name: (tuple(coords), own) for name, own in named}, coords)
