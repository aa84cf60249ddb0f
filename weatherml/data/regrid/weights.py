"""What each row, and each column, of one grid takes from those of another: sparse matrices `[out, in]`, float64.

Cells of latitude-longitude grids are rectangles in longitude and the sine of latitude, so that the share which two of
them have in common is a product of one number for the rows and one for the columns. Interpolation between rows and
columns is such a product as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from weatherml.grid import LatLonGrid

_TURNS = (-360.0, 0.0, 360.0)


@dataclass(frozen=True)
class Weights:
    """A linear map between two grids.

    Attributes:
        rows: `[lat out, lat in]`; each row of it sums to one.
        columns: `[lon out, lon in]`; each row of it sums to one.
    """

    rows: csr_array
    columns: csr_array


def conservative(source: LatLonGrid, target: LatLonGrid) -> Weights:
    """Return the area that each cell has in common with the cells of the source, as a part of its own."""
    return Weights(csr_array(_shares_of_rows(source, target)), csr_array(_shares_of_columns(source, target)))


def bilinear(source: LatLonGrid, target: LatLonGrid) -> Weights:
    """Return weights that are linear in latitude and longitude; constant from the outermost row to the pole."""
    south = -np.asarray(source.latitude)
    rows = _linear(south, -np.asarray(target.latitude))
    order, nodes = source.eastward()
    if source.is_cyclic:
        order, nodes = np.append(order, order[0]), np.append(nodes, nodes[0] + 360)
    columns = _in_order(_linear(nodes, _turned(_centres(target), nodes)), order, source.n_lon)
    return Weights(csr_array(rows), csr_array(columns))


def nearest(source: LatLonGrid, target: LatLonGrid) -> Weights:
    """Return weights that take the nearest row and the nearest column: for categories, which have no mean."""
    one = bilinear(source, target)
    return Weights(_largest(one.rows), _largest(one.columns))


METHODS: dict[str, Callable[[LatLonGrid, LatLonGrid], Weights]] = {
    "conservative": conservative,
    "bilinear": bilinear,
    "nearest": nearest,
}
"""Ways to come from one grid to another, by name."""


@lru_cache(maxsize=16)
def weights_between(source: LatLonGrid, target: LatLonGrid, method: str) -> Weights:
    """Return the weights of a method, made once for all fields of a process."""
    return METHODS[method](source, target)


def _shares_of_rows(source: LatLonGrid, target: LatLonGrid) -> np.ndarray:
    own, given = (np.sin(np.radians(grid.latitude_edges())) for grid in (target, source))
    shared = np.minimum(own[:-1, None], given[:-1]) - np.maximum(own[1:, None], given[1:])
    return np.asarray(np.maximum(shared, 0) / (own[:-1] - own[1:])[:, None])


def _shares_of_columns(source: LatLonGrid, target: LatLonGrid) -> np.ndarray:
    (west, east), (west_given, east_given) = column_edges(target), column_edges(source)
    shared = sum(
        np.maximum(np.minimum(east[:, None], east_given + turn) - np.maximum(west[:, None], west_given + turn), 0)
        for turn in _TURNS
    )
    return np.asarray(shared / (east - west)[:, None])


def column_edges(grid: LatLonGrid) -> tuple[np.ndarray, np.ndarray]:
    """Return the western and eastern edges of a grid's columns in degrees, float64 `[lon]` each."""
    order, centres = grid.eastward()
    middle = (centres[:-1] + centres[1:]) / 2
    half = 180 / grid.n_lon if grid.is_cyclic or grid.n_lon == 1 else float(np.median(np.diff(centres))) / 2
    edges = np.concatenate([[centres[0] - half], middle, [centres[-1] + half]])
    place = np.argsort(order)
    return edges[:-1][place], edges[1:][place]


def _centres(grid: LatLonGrid) -> np.ndarray:
    order, centres = grid.eastward()
    return np.asarray(centres[np.argsort(order)])


def _turned(longitude: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Return longitudes by whole turns moved to within half a turn of the middle of `nodes`."""
    west = (nodes[0] + nodes[-1]) / 2 - 180
    return np.asarray((longitude - west) % 360 + west)


def _linear(nodes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the dense weights `[points, nodes]` of linear interpolation between rising nodes, constant beyond them."""
    weights = np.zeros((len(points), len(nodes)))
    if len(nodes) == 1:
        return np.ones_like(weights)
    left = np.clip(np.searchsorted(nodes, points, side="right") - 1, 0, len(nodes) - 2)
    part = np.clip((points - nodes[left]) / (nodes[left + 1] - nodes[left]), 0, 1)
    rows = np.arange(len(points))
    weights[rows, left], weights[rows, left + 1] = 1 - part, part
    return weights


def _in_order(weights: np.ndarray, order: np.ndarray, n_columns: int) -> np.ndarray:
    """Sum weights of columns listed by `order` (one may be listed twice) into the `n_columns` of the grid."""
    result = np.zeros((len(weights), n_columns))
    for column, weight in zip(order, weights.T, strict=True):
        result[:, column] += weight
    return result


def _largest(weights: csr_array) -> csr_array:
    dense = weights.toarray()
    return csr_array((np.ones(len(dense)), (np.arange(len(dense)), dense.argmax(axis=1))), dense.shape)
