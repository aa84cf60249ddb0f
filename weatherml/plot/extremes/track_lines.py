"""Lines of tracks on a map: along great circles, and not across its edge."""

import cartopy.crs as ccrs
import numpy as np
import numpy.typing as npt
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes

from weatherml.sphere.great_circles import DEGREE, distance, places, unit_vectors

_Array = npt.NDArray[np.float64]
DEGREES = ccrs.PlateCarree()
_STEP = 0.5
"""Degrees of a great circle between the points that a line is drawn through."""


def pieces_of(ax: GeoAxes, storms: xr.Dataset, values: _Array) -> tuple[_Array, _Array]:
    """Return the lines of tracks on the plane of a map.

    Args:
        ax: The map.
        storms: A table of tracks.
        values: What is told of each record `[record]`.

    Returns:
        Pieces `[piece, end, (x, y)]`, and the value in the middle of each `[piece]`.
    """
    points, own, is_joined = _points(storms, values)
    x, y, _ = ax.projection.transform_points(DEGREES, points[1], points[0]).T
    west, east = ax.projection.x_limits
    at = np.flatnonzero(is_joined & (np.abs(np.diff(x)) < (east - west) / 2))  # not across the edge of the map
    pieces = np.stack([np.column_stack([x[at], y[at]]), np.column_stack([x[at + 1], y[at + 1]])], axis=1)
    return pieces, (own[at] + own[at + 1]) / 2


def _points(storms: xr.Dataset, values: _Array) -> tuple[tuple[_Array, _Array], _Array, npt.NDArray[np.bool_]]:
    """Return points along great circles through the records.

    Returns:
        Latitude and longitude `[point]`, what is drawn there, and whether the point after it is of the same storm.
    """
    ids = storms["track_id"].values
    vectors = unit_vectors(storms["latitude"].values, storms["longitude"].values)
    is_last = np.append(ids[1:] != ids[:-1], True)
    north, east = storms["latitude"].values, storms["longitude"].values
    after = np.minimum(np.arange(len(ids)) + 1, len(ids) - 1)
    angle = distance(north, east, north[after], east[after]) / DEGREE
    n_each = np.where(is_last, 1, np.maximum(np.ceil(angle / _STEP), 1)).astype(np.intp)
    record = np.repeat(np.arange(len(ids)), n_each)
    after = np.minimum(record + 1, len(ids) - 1)
    share = (np.arange(len(record)) - np.repeat(np.cumsum(n_each) - n_each, n_each)) / n_each[record]
    points = places(vectors[record] * (1 - share[:, None]) + vectors[after] * share[:, None])
    own = np.where(share > 0, values[record] * (1 - share) + values[after] * share, values[record])
    return points, own, ~is_last[record][:-1]
