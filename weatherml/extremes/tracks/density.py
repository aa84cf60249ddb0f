"""How many storms pass where, and how long they live."""

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from weatherml.errors import UserError
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.forecasts import forecasts_of, select
from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import unit_vectors

_DAY = np.timedelta64(24 * 3600, "s")
_MONTH = 30.0
"""Days."""


def track_density(
    tracks: xr.Dataset, grid: LatLonGrid, n_days: float | None = None, radius: float = 556.0
) -> xr.DataArray:
    """Return how many storms pass near each point, each storm counted once however long it stays.

    A storm is near where one of its records is within `radius` on the sphere, so points at the poles and at the date
    line count as any other. Storms that go further than `radius` from one record to the next leave gaps.

    Args:
        tracks: Of an analysis, or of forecasts: of members the mean over those that the table tells of
            (`tracks.forecasts`), of several initial times the sum.
        grid: At whose points to count.
        n_days: Length of the period in days, not times the members; from the first record to the last when None.
        radius: Of the cap around a point, km; by default of 5 degrees, about 10^6 km2, as in Hodges et al. 2003.

    Returns:
        Dims (latitude, longitude), `track_density`: storms per 10^6 km2 and 30 days.

    Raises:
        UserError: `tracks` is no table of tracks, has no record, covers no time, or does not tell its forecasts.
    """
    table.check(tracks)
    days = _length(tracks) if n_days is None else n_days
    if not days > 0:
        raise UserError(f"a density over {days:g} days is none per month; pass n_days, the length of the period")
    latitude, longitude = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    points = cKDTree(unit_vectors(latitude, longitude).reshape(-1, 3))
    angle = radius / EARTH_RADIUS
    counts = np.zeros(latitude.size)
    for _, track in table.each(tracks):
        places = unit_vectors(track["latitude"].values, track["longitude"].values)
        near = points.query_ball_point(places, 2 * np.sin(angle / 2))
        counts[np.unique(np.concatenate(near).astype(np.intp))] += 1
    counts /= _n_members(tracks)
    area = 2 * np.pi * EARTH_RADIUS**2 * (1 - np.cos(angle)) / 1e6
    return xr.DataArray(
        (counts / (area * days / _MONTH)).reshape(grid.shape).astype(np.float32),
        {"latitude": list(grid.latitude), "longitude": list(grid.longitude)},
        ("latitude", "longitude"),
        "track_density",
        {"units": "(10⁶ km²)⁻¹ month⁻¹", "radius": f"{radius:g} km"},
    )


def lifetimes(tracks: xr.Dataset) -> xr.DataArray:
    """Return how long each storm is tracked, from its first record to its last, days: dim `track`, by its `track_id`.

    Raises:
        UserError: `tracks` is no table of tracks.
    """
    table.check(tracks)
    ids, place = np.unique(tracks["track_id"].values, return_inverse=True)
    time = tracks["time"].values.astype("datetime64[ns]").astype(np.int64)
    first, last = np.full(len(ids), np.iinfo(np.int64).max), np.full(len(ids), np.iinfo(np.int64).min)
    np.minimum.at(first, place, time)
    np.maximum.at(last, place, time)
    days = (last - first) / 8.64e13
    return xr.DataArray(days, {"track_id": ("track", ids)}, ("track",), "lifetime", {"units": "days"})


def lasting(tracks: xr.Dataset, days: float) -> xr.Dataset:
    """Return the storms that are tracked for so many days at least.

    Raises:
        UserError: `tracks` is no table of tracks.
    """
    lives = lifetimes(tracks)
    long = lives["track_id"].values[lives.values >= days - 1e-9]
    return select(tracks, np.isin(tracks["track_id"].values, long))


def _n_members(tracks: xr.Dataset) -> int:
    if "number" not in tracks.variables or not tracks.sizes[table.RECORD]:
        return 1
    known = forecasts_of(tracks) if "init_time" in tracks.variables else table.to_frame(tracks)
    return int(known["number"].nunique())


def _length(tracks: xr.Dataset) -> float:
    if not tracks.sizes[table.RECORD]:
        raise UserError("there are no tracks, so no period that they cover; pass n_days, the length of the period")
    times = tracks["time"].values
    return float((times.max() - times.min()) / _DAY)
