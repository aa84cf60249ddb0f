"""Extrema of a field on the whole grid at once, and which of them are merged into stronger ones."""

from itertools import product

import numpy as np
from scipy.spatial import cKDTree

from weatherml.extremes.tracks.detection.criteria import Detection, Extremum
from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.great_circles import unit_vectors

_BEFORE = ((-1, -1), (-1, 0), (-1, 1), (0, -1))
_AFTER = tuple((-row, -column) for row, column in _BEFORE)


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
    """Return which cells are not above any of their eight neighbours, and below those before them.

    So of two equal neighbours one is a minimum, and a field that is the same everywhere has none.
    """
    wide = around.padded(field)
    n_lat, n_lon = field.shape
    is_least = np.ones(field.shape, bool)
    for (row, column), is_before in (*product(_BEFORE, (True,)), *product(_AFTER, (False,))):
        beside = wide[1 + row : 1 + row + n_lat, 1 + column : 1 + column + n_lon]
        is_least &= (field < beside) if is_before else (field <= beside)
    for pole, ring in ((0, 1), (-1, -2)):
        if n_lat > 1 and around.is_pole(pole):
            is_least[pole] = False
            is_least[pole, 0] = field[pole, 0] < field[ring].min()
    return is_least
