"""Relative vorticity of a wind on a latitude-longitude grid, by differences between neighbours."""

import numpy as np
import numpy.typing as npt

from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.sphere import EARTH_RADIUS

_RADIUS = 1000 * EARTH_RADIUS  # m


def relative_vorticity(
    u: npt.NDArray[np.floating], v: npt.NDArray[np.floating], around: Surroundings
) -> npt.NDArray[np.float64]:
    """Return `(dv/dlon - d(u cos lat)/dlat) / (a cos lat)`, s-1 `[lat, lon]`, positive where the air turns to the left.

    By central differences, at the edges of a region by one-sided ones. Around a pole they reach over it, and on the
    pole itself it is the circulation along the row beside it, divided by the area within (Stokes).

    Args:
        u: Eastward, m s-1, `[lat, lon]`, columns eastward.
        v: Northward, m s-1, `[lat, lon]`.
        around: The grid.
    """
    latitude = np.radians(around.latitude)
    cosine = np.cos(latitude)[:, None]
    # Over a pole the wind's components change their signs, and so does the cosine of a latitude that goes on beyond 90.
    flux = around.padded(u * cosine)
    beyond = np.r_[np.pi - latitude[int(around.is_pole(0))], latitude, -np.pi - latitude[-1 - int(around.is_pole(-1))]]
    north_south = _slope(flux[:, 1:-1], beyond)
    east_west = _slope(_closed(v, around).T, _longitudes(around)).T
    with np.errstate(divide="ignore", invalid="ignore"):
        vorticity = (east_west - north_south) / (_RADIUS * cosine)
    for pole, ring in ((0, 1), (-1, -2)):
        if around.is_pole(pole):
            vorticity[pole] = _at_pole(u[ring], latitude[ring])
    return np.asarray(vorticity)


def _at_pole(u: npt.NDArray[np.floating], latitude: float) -> float:
    """Return the circulation along a row over the area within."""
    circulation = np.cos(latitude) * u.mean(dtype=np.float64)
    return float(np.sign(latitude) * circulation / (_RADIUS * (1 - abs(np.sin(latitude)))))


def _closed(field: npt.NDArray[np.floating], around: Surroundings) -> npt.NDArray[np.floating]:
    """Return `[lat, lon + 2]`: a column more on both sides, that of the other side where they close a circle."""
    return np.asarray(around.padded(field)[1:-1])


def _longitudes(around: Surroundings) -> npt.NDArray[np.float64]:
    own = np.radians(around.longitude)
    before, after = (own[-1] - 2 * np.pi, own[0] + 2 * np.pi) if around.grid.is_cyclic else (np.nan, np.nan)
    return np.concatenate([[before], own, [after]])


def _slope(field: npt.NDArray[np.floating], where: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the slope `[n, ...]` of a field `[n + 2, ...]` whose first and last are NaN where nothing lies beyond.

    A parabola through both neighbours, or a line through one.
    """
    shape = (-1, *[1] * (field.ndim - 1))
    step = np.diff(where).reshape(shape)
    step = np.where(np.isfinite(step), step, 1.0)
    rise = np.diff(field.astype(np.float64), axis=0) / step
    before, after = rise[:-1], rise[1:]
    both = (before * step[1:] + after * step[:-1]) / (step[1:] + step[:-1])
    slope: npt.NDArray[np.float64] = np.where(np.isnan(before), after, np.where(np.isnan(after), before, both))
    return slope
