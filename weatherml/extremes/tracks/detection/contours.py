"""Closed contours around a cell: whether a field rises in every direction before so far away."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from weatherml.extremes.tracks.detection.criteria import ClosedContour
from weatherml.extremes.tracks.detection.refinement import centres
from weatherml.extremes.tracks.detection.surroundings import Patch, Surroundings

_FIRST, _LAST, _ALL = slice(0, 1), slice(-1, None), slice(None)
_Cells = tuple[slice, slice]


def fulfilled(
    contour: ClosedContour, field: np.ndarray, cells: np.ndarray, senses: np.ndarray, around: Surroundings
) -> np.ndarray:
    """Return around which cells a contour is closed, or is not where it must not be, `[cell]`.

    Args:
        contour: Which one. Its distance is from where the extremum lies between the points of the grid.
        field: `[lat, lon]`, columns eastward.
        cells: Rows and columns `[cell, 2]`.
        senses: What the contour's change is multiplied by, -1 where its opposite is meant, `[cell]`.
        around: What is beside each cell.
    """
    changes = senses * contour.change
    if contour.offset:
        own = [
            _extremum(field, cell, contour.offset, change, around) for cell, change in zip(cells, changes, strict=True)
        ]
        cells = np.asarray(own, int).reshape(-1, 2)
    middles = zip(cells.tolist(), changes, *centres(field, cells, around), strict=True)
    closed = [
        is_closed(
            np.sign(change) * (patch.of(field).astype(np.float64) - float(field[row, column])),
            abs(change),
            contour.distance,
            patch,
        )
        for (row, column), change, *centre in middles
        for patch in (around.patch(row, column, contour.distance, (centre[0], centre[1])),)
    ]
    return np.asarray(np.asarray(closed, bool) != contour.absent)


def is_closed(rise: np.ndarray, least: float, distance: float, patch: Patch) -> bool:
    """Return whether a field rises by `least` on every path from the middle of a patch, before so far away.

    Args:
        rise: What the field is above its value at the middle `[row, column]`; where that is not known it is no rise.
        least: In units of the field.
        distance: Degrees of a great circle.
        patch: The cells.
    """
    low = ~(rise >= least) & (patch.distance <= distance)
    reached = _component(low, patch)
    at_edges = zip(patch.edges, (reached[0], reached[-1], reached[:, 0], reached[:, -1]), strict=True)
    if any(ends and cells.any() for ends, cells in at_edges):
        return False
    return not any(_leaks(reached, rise, least, distance, patch, pair) for pair in _neighbours(patch))


def _extremum(
    field: np.ndarray, cell: np.ndarray, distance: float, change: float, around: Surroundings
) -> tuple[int, int]:
    """Return the lowest cell within a distance where the field is to rise, the highest where it is to fall."""
    patch = around.patch(int(cell[0]), int(cell[1]), distance)
    values = np.sign(change) * np.where(patch.distance <= distance, patch.of(field), np.nan)
    if np.isnan(values).all():
        return int(cell[0]), int(cell[1])
    row, column = np.unravel_index(np.nanargmin(values), values.shape)
    return patch.rows.start + int(row), int(patch.columns[column])


def _component(low: np.ndarray, patch: Patch) -> np.ndarray:
    """Return which low cells are reached from the middle over cells that share a side, `[row, column]`."""
    labels, n_labels = ndimage.label(low)
    own = np.zeros(n_labels + 1, bool)
    own[labels[patch.start]] = True
    seams = []
    if patch.closes:
        seams.append((labels[:, 0], labels[:, -1]))
    half = labels.shape[1] // 2
    seams += [(row, np.roll(row, half)) for row in labels[: int(patch.over_north)]]
    seams += [(row, np.roll(row, half)) for row in labels[labels.shape[0] - int(patch.over_south) :]]
    n_before = 0
    while seams and own.sum() > n_before:
        n_before = own.sum()
        for first, second in seams:
            both = (first > 0) & (second > 0)
            own[second[both & own[first]]] = True
            own[first[both & own[second]]] = True
    own[0] = False  # what is not low; where the middle is not, nothing is reached
    return np.asarray(own[labels])


def _neighbours(patch: Patch) -> Iterator[tuple[_Cells, _Cells, int]]:
    """Give pairs of parts of a patch whose cells share a side, and how the columns of the second are turned."""
    upper, lower = slice(None, -1), slice(1, None)
    half = patch.distance.shape[1] // 2
    for one, other in ((upper, lower), (lower, upper)):
        yield (one, _ALL), (other, _ALL), 0
        yield (_ALL, one), (_ALL, other), 0
    if patch.closes:
        yield (_ALL, _FIRST), (_ALL, _LAST), 0
        yield (_ALL, _LAST), (_ALL, _FIRST), 0
    if patch.over_north:
        yield (_FIRST, _ALL), (_FIRST, _ALL), half
    if patch.over_south:
        yield (_LAST, _ALL), (_LAST, _ALL), half


def _leaks(
    reached: np.ndarray,
    rise: np.ndarray,
    least: float,
    distance: float,
    patch: Patch,
    pair: tuple[_Cells, _Cells, int],
) -> bool:
    """Return whether a path leaves the distance, between cells of two parts, below the rise."""
    own, beside, turn = pair
    beyond = np.roll(patch.distance[beside], turn, axis=1)
    leaving = reached[own] & (beyond > distance)
    if not leaving.any():
        return False
    near, far = patch.distance[own][leaving], beyond[leaving]
    below, above = rise[own][leaving], np.roll(rise[beside], turn, axis=1)[leaving]
    at_distance = below + (distance - near) / (far - near) * (above - below)
    return bool((~(at_distance >= least)).any())
