"""Extrema of a field on the whole grid at once, and which of them are merged into stronger ones."""

from itertools import product

import numpy as np
from scipy.spatial import cKDTree

from weatherml.extremes.tracks.detection.criteria import Detection, Extremum
from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.sphere.great_circles import unit_vectors


def candidates(field: np.ndarray, detection: Detection, around: Surroundings) -> np.ndarray:
    """Return rows and columns `[candidate, 2]` of the extrema of a field that are kept, from north to south.

    Args:
        field: `[lat, lon]`, columns eastward.
        detection: Which extrema, how intense, and how far apart.
        around: What is beside each cell.
    """
    senses = sense(detection.extremum, around)
    places = _extrema(field, detection.extremum, around)
    rows, columns = np.nonzero(places)
    values = senses[rows] * field[rows, columns]
    if detection.intensity is not None:
        limit = detection.intensity if detection.extremum == "minimum" else -detection.intensity
        rows, columns, values = (own[values <= limit] for own in (rows, columns, values))
    kept = merged(values, around.latitude[rows], around.longitude[columns], detection.merge_distance)
    return np.stack([rows[kept], columns[kept]], axis=1)


def sense(extremum: Extremum, around: Surroundings) -> np.ndarray:
    """Return what a field is multiplied by, in each row `[lat]`, so that what is sought are minima."""
    if extremum == "cyclonic":
        return np.where(around.latitude >= 0, -1.0, 1.0)
    return np.full(around.grid.n_lat, 1.0 if extremum == "minimum" else -1.0)


def merged(values: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, distance: float) -> np.ndarray:
    """Return which candidates `[candidate]` have none within a distance that is stronger, of equals the first.

    Also one that is merged itself counts, so the order is of no account.

    Args:
        values: `[candidate]`, the lower the stronger.
        latitude: Degrees `[candidate]`.
        longitude: Degrees `[candidate]`.
        distance: Degrees of a great circle.
    """
    kept = np.ones(len(values), bool)
    if len(values) < 2:
        return kept
    chord = 2 * np.sin(np.radians(distance) / 2)
    first, second = cKDTree(unit_vectors(latitude, longitude)).query_pairs(chord, output_type="ndarray").T
    kept[np.where(values[first] <= values[second], second, first)] = False  # of a pair the first has the lower position
    return kept


def _extrema(field: np.ndarray, extremum: Extremum, around: Surroundings) -> np.ndarray:
    """Return where the extrema are, `[lat, lon]`."""
    if extremum == "minimum":
        return _minima(field, around)
    if extremum == "maximum":
        return _minima(-field, around)
    north = around.latitude >= 0
    # A part of each hemisphere with a row of the other: what is the strongest of its own only is none.
    return np.where(north[:, None], _minima(-field, around), _minima(field, around))


def _minima(field: np.ndarray, around: Surroundings) -> np.ndarray:
    """Return which cells are below their eight neighbours; of equal ones the first counts as lower.

    Of two equal neighbours one is a minimum, also over a pole and across the edge of the columns. A circle of equal
    cells has no minimum, but for one around a pole: that is one cell, which the whole circle beside it surrounds.
    """
    wide = around.padded(field)
    n_lat, n_lon = field.shape
    is_least = np.ones(field.shape, bool)
    for row, column in product(range(3), range(3)):
        is_least &= field <= wide[row : row + n_lat, column : column + n_lon]
    _leave_the_first(is_least, field, wide, around)
    is_circle = around.grid.is_cyclic & (field[:, 0] == field[:, -1])
    is_circle[is_circle] = (field[is_circle] == field[is_circle, :1]).all(axis=1)
    is_least[is_circle] = False
    for pole, ring, reaches in ((0, 1, around.reaches_north), (-1, -2, around.reaches_south)):
        if n_lat > 1 and (around.is_pole(pole) or (reaches and is_circle[pole])):
            is_least[pole] = False
            is_least[pole, 0] = field[pole, 0] < field[ring].min()
    return is_least


def _leave_the_first(is_least: np.ndarray, field: np.ndarray, wide: np.ndarray, around: Surroundings) -> None:
    """Keep, of cells that are equal neighbours, the first: from north to south, and in rows from the west."""
    rows, columns = np.nonzero(is_least)
    own, values = rows * field.shape[1] + columns, field[rows, columns]
    for row, column in product(range(3), range(3)):
        beside = rows + row, columns + column
        is_later = (wide[beside] == values) & (around.numbers[beside] < own)
        is_least[rows[is_later], columns[is_later]] = False
