"""Where an extremum lies between the points of a grid: by a quadratic surface on the plane that touches the sphere."""

import numpy as np

from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.sphere.great_circles import bearing, destination, distance

_MOST = 1.0  # of the distance to the farthest of the nine points: a surface whose extremum is beyond tells of none

_WEIGHTS = np.array([100.0, 1, 1, 1, 0.1, 0.1, 1, 0.1, 0.1])
"""Of the cell, the four beside it and those at the corners, as `_nine` has them. A storm is sharper than a quadratic
surface: one that leans on all alike misses the minima of ERA5's pressure in wavenumbers 5 to 36, on 2.5 degrees, by
39 km in the median, this one by 24 (benchmarks/storm_season.md)."""


def centres(field: np.ndarray, cells: np.ndarray, around: Surroundings) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude, degrees `[cell]`, of the extrema of a field around cells.

    A quadratic surface is fitted by least squares to the cell and eight points around it, about as far to the west and
    east as rows are apart, in coordinates of the plane that touches the sphere at the cell (azimuthal equidistant), so
    it is the same at the equator and at a pole. Where the surface has no extremum near, the cell is the centre.

    Args:
        field: `[lat, lon]`, columns eastward.
        cells: Rows and columns `[cell, 2]`, extrema of the field, maxima or minima.
        around: What is beside each cell.
    """
    latitude, longitude = around.latitude[cells[:, 0]], around.longitude[cells[:, 1]]
    if not len(cells):
        return latitude, longitude % 360
    rows, columns, known = _nine(cells, around)
    to_latitude, to_longitude = around.latitude[rows], around.longitude[columns]
    away = distance(latitude[:, None], longitude[:, None], to_latitude, to_longitude)
    towards = np.radians(np.nan_to_num(bearing(latitude[:, None], longitude[:, None], to_latitude, to_longitude)))
    values = field[rows, columns].astype(np.float64)
    values -= values[:, :1]
    known &= np.isfinite(values)
    east, north = _vertices(away * np.sin(towards), away * np.cos(towards), np.where(known, values, 0), known)
    moved = np.hypot(east, north)
    is_near = moved <= _MOST * away.max(axis=1)  # False where there is no extremum
    east, north, moved = (np.where(is_near, own, 0) for own in (east, north, moved))
    return destination(latitude, longitude, np.degrees(np.arctan2(east, north)), moved)


def _nine(cells: np.ndarray, around: Surroundings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows and columns `[cell, 9]` of each cell and eight points around it, and which of them there are."""
    n_lat, n_lon = around.grid.shape
    down, right = (own.ravel() for own in np.meshgrid([0, -1, 1], [0, -1, 1], indexing="ij"))
    per_row = around.spacing[0] / (around.spacing[1] * np.cos(np.radians(around.latitude[cells[:, 0]])))
    # On a pole the points are an eighth of the circle apart, so six at least of the nine are different ones.
    steps = np.clip(np.round(per_row), 1, max(1, n_lon // 8)).astype(int)
    rows, columns = cells[:, :1] + down, cells[:, 1:] + steps[:, None] * right
    for beyond, reaches, first in (
        (rows < 0, around.reaches_north, 0),
        (rows >= n_lat, around.reaches_south, n_lat - 1),
    ):
        if reaches:  # over the pole, where the meridians are those opposite
            mirrored = 2 * first - rows + np.sign(rows - first) * (not around.is_pole(first))
            columns = np.where(beyond, columns + n_lon // 2, columns)
            rows = np.where(beyond, mirrored, rows)
    known = (rows >= 0) & (rows < n_lat)
    if around.grid.is_cyclic:
        columns = columns % n_lon
    else:
        known &= (columns >= 0) & (columns < n_lon)
    return np.clip(rows, 0, n_lat - 1), np.clip(columns, 0, n_lon - 1), known


def _vertices(
    east: np.ndarray, north: np.ndarray, values: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where quadratic surfaces through points `[cell, 9]` have their extremum, `[cell]`; NaN where none."""
    scale = np.maximum(np.hypot(east, north).max(axis=1, keepdims=True), 1e-9)
    x, y = east / scale, north / scale
    weights = _WEIGHTS * known
    terms = np.stack([np.ones_like(x), x, y, x * x / 2, x * y, y * y / 2], axis=-1) * weights[..., None]
    _, slope_x, slope_y, bend_xx, bend_xy, bend_yy = np.einsum("cpn,cn->pc", np.linalg.pinv(terms), values * weights)
    determinant = bend_xx * bend_yy - bend_xy**2
    determinant[~(determinant > 0) | (known.sum(axis=1) < 6)] = np.nan  # a saddle, or too few points
    x = -(bend_yy * slope_x - bend_xy * slope_y) / determinant
    y = -(bend_xx * slope_y - bend_xy * slope_x) / determinant
    return x * scale[:, 0], y * scale[:, 0]
