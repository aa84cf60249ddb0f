"""How far forecast tracks are from best tracks, and how wrong their intensities: record by record."""

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.extremes.tracks.judging.pairing import BEST, Proximity, pair
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import bearing, distance

TRACK, ALONG, CROSS = "track_error", "along_track_error", "cross_track_error"
ERROR = "_error"
_POSITION = ("latitude", "longitude", "direction", "speed")


def errors(forecast: xr.Dataset, best: xr.Dataset, by: str | Proximity = "storm_id") -> xr.Dataset:
    """Return the errors of each record of forecast tracks.

    Args:
        forecast: Tracks of any number of initial times and members, or of an analysis.
        best: Best tracks.
        by: What tells which storm a forecast track is of, as `pairing.pair`.

    Returns:
        What `pairing.pair` returns, with `track_error` (km along the great circle), `along_track_error` and
        `cross_track_error` (km; ahead of the best track, and right of the way that it moves, are positive; NaN where it
        stands still), and forecast less best track of each intensity that both have, `maximum_wind_speed_error` ...

    Raises:
        UserError: As `pairing.pair`.
    """
    return of_pairs(pair(forecast, best, by))


def of_pairs(pairs: xr.Dataset) -> xr.Dataset:
    """As `errors`, of records that are paired."""
    own, best = ((pairs[f"{who}latitude"].values, pairs[f"{who}longitude"].values) for who in ("", BEST))
    along, cross = components(*best, pairs[f"{BEST}direction"].values, *own)
    found = {TRACK: distance(*own, *best), ALONG: along, CROSS: cross}
    fields = {name: ("record", values, {"units": "km"}) for name, values in found.items()}
    for name in map(str, pairs.data_vars):
        if f"{BEST}{name}" in pairs and name not in _POSITION and pairs[name].dtype.kind == "f":
            error = pairs[name].values - pairs[f"{BEST}{name}"].values
            fields[f"{name}{ERROR}"] = ("record", error, {"units": pairs[name].attrs.get("units", "")})
    return pairs.assign(fields)


def components(
    latitude: npt.ArrayLike,
    longitude: npt.ArrayLike,
    direction: npt.ArrayLike,
    to_latitude: npt.ArrayLike,
    to_longitude: npt.ArrayLike,
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far places lie along and across the great circle that leaves others in a direction, km.

    Across is the shortest way to that circle, right of it positive; along is from where one starts to the foot of that
    way, ahead positive.

    Args:
        latitude: Where the circle starts, degrees.
        longitude: Where the circle starts, degrees.
        direction: Degrees clockwise from north.
        to_latitude: The places, degrees.
        to_longitude: The places, degrees.
    """
    where = latitude, longitude, to_latitude, to_longitude
    angle = distance(*where) / EARTH_RADIUS
    off = np.radians(np.nan_to_num(bearing(*where)) - np.asarray(direction))  # of one place both are 0, whichever way
    along = np.arctan2(np.sin(angle) * np.cos(off), np.cos(angle))
    cross = np.arcsin(np.clip(np.sin(angle) * np.sin(off), -1, 1))
    return EARTH_RADIUS * along, EARTH_RADIUS * cross
