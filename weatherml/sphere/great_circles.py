"""Distances, directions and means of places on the sphere, in degrees and km; at the poles and the date line, too."""

import numpy as np
import numpy.typing as npt

from weatherml.sphere import EARTH_RADIUS

_Array = npt.NDArray[np.float64]

DEGREE = np.pi / 180 * EARTH_RADIUS
"""Km along a great circle."""


def unit_vectors(latitude: npt.ArrayLike, longitude: npt.ArrayLike) -> _Array:
    """Return the directions of places from the middle of the Earth, `[..., 3]`: to 0 E, to 90 E and to the North Pole.

    Args:
        latitude: Degrees north, `[...]`.
        longitude: Degrees east of any turn, `[...]`.
    """
    north, east = np.radians(latitude), np.radians(longitude)
    parts = np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)
    return np.stack(np.broadcast_arrays(*parts), axis=-1)


def places(vectors: npt.ArrayLike) -> tuple[_Array, _Array]:
    """Return latitude and longitude (0 <= longitude < 360), degrees `[...]`, of directions `[..., 3]` of any length."""
    x, y, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), _whole_turn(np.degrees(np.arctan2(y, x)))


def distance(
    latitude: npt.ArrayLike, longitude: npt.ArrayLike, to_latitude: npt.ArrayLike, to_longitude: npt.ArrayLike
) -> _Array:
    """Return the distance along the great circle, km, of places in degrees whose shapes fit each other.

    From the chords to the other place and to its antipode (Kahan), so it is as exact for neighbours as for antipodes.
    """
    own, other = unit_vectors(latitude, longitude), unit_vectors(to_latitude, to_longitude)
    chords = (np.linalg.norm(own + sign * other, axis=-1) for sign in (-1, 1))
    return np.asarray(2 * EARTH_RADIUS * np.arctan2(*chords))


def bearing(
    latitude: npt.ArrayLike, longitude: npt.ArrayLike, to_latitude: npt.ArrayLike, to_longitude: npt.ArrayLike
) -> _Array:
    """Return in which direction a great circle starts towards another place: degrees clockwise from north, 0 .. 360.

    NaN where both are one place.
    """
    south, north = np.radians(latitude), np.radians(to_latitude)
    east = np.radians(np.subtract(to_longitude, longitude))
    across = np.sin(east) * np.cos(north)
    along = np.cos(south) * np.sin(north) - np.sin(south) * np.cos(north) * np.cos(east)
    same = distance(latitude, longitude, to_latitude, to_longitude) < _ONE_PLACE
    return np.where(same, np.nan, _whole_turn(np.degrees(np.arctan2(across, along))))


def destination(
    latitude: npt.ArrayLike, longitude: npt.ArrayLike, direction: npt.ArrayLike, km: npt.ArrayLike
) -> tuple[_Array, _Array]:
    """Return latitude and longitude of where one arrives that starts in a direction (`bearing`) and goes so far."""
    north, east, turn, angle = np.broadcast_arrays(
        np.radians(latitude), np.radians(longitude), np.radians(direction), np.divide(km, EARTH_RADIUS)
    )
    # By vectors, which have directions at a pole, too: those of the meridian of the longitude that it is given.
    northward = np.stack([-np.sin(north) * np.cos(east), -np.sin(north) * np.sin(east), np.cos(north)], axis=-1)
    eastward = np.stack([-np.sin(east), np.cos(east), np.zeros_like(east)], axis=-1)
    ahead = np.cos(turn)[..., None] * northward + np.sin(turn)[..., None] * eastward
    return places(np.cos(angle)[..., None] * unit_vectors(latitude, longitude) + np.sin(angle)[..., None] * ahead)


def between(
    latitude: npt.ArrayLike,
    longitude: npt.ArrayLike,
    to_latitude: npt.ArrayLike,
    to_longitude: npt.ArrayLike,
    share: npt.ArrayLike,
) -> tuple[_Array, _Array]:
    """Return latitude and longitude of where one is after a share, 0 to 1, of the way along the great circle."""
    way = latitude, longitude, to_latitude, to_longitude
    direction = np.nan_to_num(bearing(*way))  # of no way there is none
    return destination(latitude, longitude, direction, np.asarray(share) * distance(*way))


def between_angles(first: npt.ArrayLike, second: npt.ArrayLike, share: npt.ArrayLike) -> _Array:
    """Return the angle, 0 .. 360 degrees, a share of the shorter way round from one to another."""
    way = (np.subtract(second, first) + 180) % 360 - 180
    return _whole_turn(np.asarray(first + np.asarray(share) * way))


def mean_place(latitude: npt.ArrayLike, longitude: npt.ArrayLike, weights: npt.ArrayLike = 1.0) -> tuple[float, float]:
    """Return latitude and longitude of the middle of places `[n]`: the direction of the mean of their directions."""
    vectors = unit_vectors(latitude, longitude) * np.broadcast_to(weights, np.shape(latitude))[..., None]
    north, east = places(vectors.sum(axis=0))
    return float(north), float(east)


_ONE_PLACE = 1e-6  # km


def _whole_turn(degrees: _Array) -> _Array:
    """Return angles within 0 .. 360, without 360 itself, which the remainder of a tiny negative one is."""
    turned = degrees % 360
    return np.where(turned == 360, 0.0, turned)
