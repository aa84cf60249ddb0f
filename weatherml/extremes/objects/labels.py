"""Which cells make one object: those that touch each other, on the sphere and through time."""

import numpy as np
from scipy.ndimage import generate_binary_structure
from scipy.ndimage import label as label_array
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

_SIDES, _CORNERS = 4, 8
_AT_POLE = 1e-3  # degrees: grids hold coordinates to 1e-4


def label(mask: np.ndarray, grid: LatLonGrid, neighbours: int = _CORNERS, connect_time: bool = False) -> np.ndarray:
    """Number the objects of fields: cells that touch each other, wherever on the sphere.

    The first column touches the last one where columns close the circle, and in a region across Greenwich those that
    lie on either side of it. At a pole that a grid reaches, all cells of the outermost row meet: they touch, unless
    cells touch along sides alone (4 neighbours) and the row is not the pole itself.

    Args:
        mask: Boolean `[..., lat, lon]`, where the event is; with `connect_time` `[..., time, lat, lon]`.
        grid: Its rows and columns.
        neighbours: Of a cell within its field: 8, or the 4 that share a side with it.
        connect_time: Whether an object goes on from one time to the next: where it covers the same cell, and with 8
            neighbours also where it covers a neighbour of it. Objects of the other leading axes are always apart.

    Returns:
        int32 of the shape of `mask`: 0 where it is false, else the object's number from 1 on, of all fields together,
        in order of their first cells, of a region across Greenwich from its western column on.

    Raises:
        UserError: The mask is not boolean, not on the grid or has no time, or there is no such number of neighbours.
    """
    _require(mask, grid, neighbours, connect_time)
    order = grid.eastward()[0]  # of a region across Greenwich the columns in one piece
    pieces, n_pieces = label_array(mask[..., order], _structure(mask.ndim, neighbours, connect_time))
    meetings = [_across_the_meridian(pieces, neighbours, connect_time)] if grid.is_cyclic else []
    meetings += [_at_a_pole(pieces[..., row, :], connect_time) for row in _pole_rows(grid, neighbours)]
    numbers = np.empty(mask.shape, np.int32)
    numbers[..., order] = _wholes(n_pieces, meetings)[pieces]
    return numbers


class Labeller:
    """Numbers the objects of fields that come time after time, as `label` with `connect_time` numbers those of all.

    It holds the objects of the last time alone. Numbers that `add` returns are provisional: two objects that meet at a
    later time are one, which `final` says.
    """

    def __init__(self, grid: LatLonGrid, neighbours: int = _CORNERS) -> None:
        self._grid, self._neighbours = grid, neighbours
        self._last: np.ndarray = np.zeros(grid.shape, np.int32)
        self._n_objects = 0
        self._meetings: list[np.ndarray] = []

    def add(self, mask: np.ndarray) -> np.ndarray:
        """Take in the next time, boolean `[lat, lon]`, and return provisional numbers int32 `[lat, lon]`."""
        both = label(np.stack([self._last > 0, mask]), self._grid, self._neighbours, connect_time=True)
        names = np.zeros(both.max(initial=0) + 1, np.int32)
        known = np.unique(np.stack([both[0], self._last])[:, self._last > 0], axis=1)
        names[known[0, ::-1]] = known[1, ::-1]  # of objects that have met the first
        self._meetings.append(known[::-1])
        is_new = names == 0
        is_new[0] = False
        names[is_new] = self._n_objects + 1 + np.arange(is_new.sum())
        self._n_objects += int(is_new.sum())
        self._last = names[both[1]]
        return self._last

    def final(self) -> np.ndarray:
        """Return the number of each provisional number, int32 `[provisional]`, with 0 for 0."""
        return _wholes(self._n_objects, self._meetings)


def _wholes(n_pieces: int, meetings: list[np.ndarray]) -> np.ndarray:
    """Return the number of the whole that each piece belongs to.

    Args:
        n_pieces: Pieces are numbered from 1 to it.
        meetings: Pairs `[2, pair]` of a piece and a place where it meets those that are paired with the same place.
            Places are numbered from 0, in each array apart.

    Returns:
        int32 `[piece]`, from 0, which stays 0: wholes are numbered from 1, in order of their first pieces.
    """
    n_nodes, edges = n_pieces + 1, [np.zeros((2, 0), np.int64)]
    for piece, place in meetings:
        edges.append(np.stack([piece, n_nodes + place.astype(np.int64)]))
        n_nodes += int(place.max(initial=-1)) + 1
    first, second = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(n_nodes, n_nodes))
    whole = connected_components(graph, directed=False)[1][: n_pieces + 1]
    _, firsts, back = np.unique(whole, return_index=True, return_inverse=True)
    numbers: np.ndarray = np.argsort(np.argsort(firsts))[back].astype(np.int32)
    return numbers


def _structure(n_dims: int, neighbours: int, connect_time: bool) -> np.ndarray:
    """Return which of the cells around one touch it, `[3] * n_dims`."""
    n_joined = 3 if connect_time else 2
    own = generate_binary_structure(n_joined, n_joined if neighbours == _CORNERS else 1)
    whole = np.zeros((3,) * n_dims, bool)
    whole[(1,) * (n_dims - n_joined)] = own
    return whole


def _across_the_meridian(pieces: np.ndarray, neighbours: int, connect_time: bool) -> np.ndarray:
    """Return which pieces meet where the last column touches the first, as `_wholes` takes it."""
    strip = pieces[..., [-1, 0]]
    places, _ = label_array(strip > 0, _structure(pieces.ndim, neighbours, connect_time))
    return _pairs(strip, places)


def _at_a_pole(row: np.ndarray, connect_time: bool) -> np.ndarray:
    """Return which pieces `[..., lon]` of an outermost row meet at the pole, at each time or through time."""
    places = 1 + np.arange(row[..., 0].size).reshape(row.shape[:-1])
    if connect_time:
        through_time = np.zeros((3,) * places.ndim, bool)
        through_time[(1,) * (places.ndim - 1)] = True
        places, _ = label_array(row.any(axis=-1), through_time)
    return _pairs(row, np.broadcast_to(places[..., None], row.shape))


def _pairs(pieces: np.ndarray, places: np.ndarray) -> np.ndarray:
    pairs: np.ndarray = np.unique(np.stack([pieces, places])[:, pieces > 0], axis=1)
    return pairs


def _pole_rows(grid: LatLonGrid, neighbours: int) -> list[int]:
    """Return the outermost rows whose cells touch each other at a pole."""
    if not grid.is_cyclic or grid.n_lat == 1:
        return []
    ends = np.asarray(grid.latitude) if neighbours == _SIDES else grid.latitude_edges()
    return [row for row, end in ((0, ends[0]), (-1, -ends[-1])) if end >= 90 - _AT_POLE]


def _require(mask: np.ndarray, grid: LatLonGrid, neighbours: int, connect_time: bool) -> None:
    if neighbours not in (_SIDES, _CORNERS):
        raise UserError(f"a cell has 4 or 8 neighbours, got {neighbours!r}; pass neighbours=8 or neighbours=4")
    if mask.dtype != bool:
        raise UserError(
            f"a mask is boolean, got {mask.dtype}; compare the field with a threshold, such as field > 300, or"
            " events, which may be unknown, with 1"
        )
    if mask.shape[-2:] != grid.shape:
        raise UserError(f"the mask {list(mask.shape)} is not on the grid {list(grid.shape)}; pass the mask's own grid")
    if connect_time and mask.ndim < 3:
        raise UserError("a single field has no time to connect; pass [time, lat, lon], or connect_time=False")
