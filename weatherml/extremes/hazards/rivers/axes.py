"""How long rivers are and where they run: a line through the middle of each, on the sphere."""

from dataclasses import dataclass

import numpy as np

from weatherml.extremes.objects.shapes import Cells, centroids, ellipses
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import bearing, distance, places, unit_vectors

_CELLS_OF_A_PIECE = 1.5  # so that each piece has some
_SIDE_OF_AXIS = np.sqrt(3) / 2  # a rectangle's side over the axis of the ellipse with its second moments
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Axes:
    """Lines through objects, one value each, `[object]`.

    Attributes:
        length: Along the line, km, from edge to edge.
        width: Area over length, km.
        direction: From the line's first end to the last, at the centroid, degrees clockwise from north, 0 to 180.
        latitude: Of the centroid, degrees.
        longitude: Of the centroid, degrees.
        area: km2.
    """

    length: np.ndarray
    width: np.ndarray
    direction: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    area: np.ndarray


def axes_of(cells: Cells) -> Axes:
    """Return the axis of each object: through the middles of its pieces, cut across its longer direction.

    A river that bends is as long as it is, as long as it does not turn back.

    Args:
        cells: Of all objects.
    """
    north, east = centroids(cells)
    pieces = _Pieces.of(cells, north, east)
    length, ends = pieces.line()
    area = EARTH_RADIUS**2 * cells.sums(cells.area)
    return Axes(length, area / length, _at_middle(north, east, *ends), north, east, area)


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Pieces of objects, in order along them.

    Attributes:
        owner: Object of each, rising `[piece]`.
        north: Latitude of its middle, degrees `[piece]`.
        east: Longitude, degrees `[piece]`.
        extent: Of each object along its longer direction, km `[object]`.
    """

    owner: np.ndarray
    north: np.ndarray
    east: np.ndarray
    extent: np.ndarray

    @classmethod
    def of(cls, cells: Cells, north: np.ndarray, east: np.ndarray) -> "_Pieces":
        shape = ellipses(cells)
        width = _SIDE_OF_AXIS * shape.width
        along, size = _along(cells, north, east, shape.axis, width)
        first, last = np.full(len(north), np.inf), np.full(len(north), -np.inf)
        np.minimum.at(first, cells.number, along - size / 2)
        np.maximum.at(last, cells.number, along + size / 2)
        extent = last - first
        # Shorter pieces than a river is wide would make its line follow the steps of the grid.
        step = np.maximum(width, _CELLS_OF_A_PIECE * float(np.max(_sides(cells))))
        n_pieces = np.maximum(1, np.rint(extent / step)).astype(np.int64)
        share = ((along - first[cells.number]) / extent[cells.number]).clip(0, 1 - 1e-9)
        most = int(n_pieces.max(initial=1))
        number = cells.number * most + (share * n_pieces[cells.number]).astype(np.int64)
        keys, piece = np.unique(number, return_inverse=True)
        vectors = unit_vectors(cells.latitude, cells.longitude) * cells.area[:, None]
        middles = places(np.stack([np.bincount(piece, part) for part in vectors.T], axis=1))
        return cls(keys // most, *middles, extent)

    def line(self) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Return the length of each line, km `[object]`, and latitude and longitude of its two ends."""
        numbers = np.arange(len(self.extent))
        starts, stops = np.searchsorted(self.owner, numbers), np.searchsorted(self.owner, numbers, side="right") - 1
        steps = distance(self.north[:-1], self.east[:-1], self.north[1:], self.east[1:])
        so_far = np.concatenate([[0.0], np.cumsum(np.where(self.owner[1:] == self.owner[:-1], steps, 0))])
        ends = self.north[starts], self.east[starts], self.north[stops], self.east[stops]
        chord = distance(*ends)
        # Lines end in the middles of the last pieces: what lies beyond is as long as it is along a straight line.
        return so_far[stops] - so_far[starts] + np.maximum(self.extent - chord, 0), ends


def _sides(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Return how wide and how tall the cells of each row are, km `[lat]`."""
    tall = np.abs(np.diff(np.radians(cells.grid.latitude_edges())))
    return EARTH_RADIUS * cells.grid.cell_areas() / tall, EARTH_RADIUS * tall


def _along(
    cells: Cells, north: np.ndarray, east: np.ndarray, axis: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far along the axis of its object each cell lies, km `[cell]`, and how far its own part of it reaches.

    An end that lies across rows and columns has cells at all distances from its edge, so that the last of them are
    nearer to it than half a cell.
    """
    towards = np.radians(axis)[cells.number]
    sine, cosine = np.abs(np.sin(towards)), np.abs(np.cos(towards))
    wide, tall = (side[cells.row] for side in _sides(cells))
    crossed = width[cells.number] * np.minimum(sine / tall, cosine / wide)
    size = np.minimum(wide / np.maximum(sine, _TINY), tall / np.maximum(cosine, _TINY)) / (1 + crossed)
    at = north[cells.number], east[cells.number]
    own = cells.latitude, cells.longitude
    turn = np.radians(np.nan_to_num(bearing(*at, *own)))
    return distance(*at, *own) * np.cos(turn - towards), size


def _at_middle(north: np.ndarray, east: np.ndarray, *ends: np.ndarray) -> np.ndarray:
    """Return the direction from one end to the other on the plane that touches the Earth at the middle, 0 to 180."""
    parts = []
    for end in (ends[:2], ends[2:]):
        turn, away = np.radians(np.nan_to_num(bearing(north, east, *end))), distance(north, east, *end)
        parts.append((away * np.sin(turn), away * np.cos(turn)))
    (first_x, first_y), (last_x, last_y) = parts
    return np.asarray(np.round(np.degrees(np.arctan2(last_x - first_x, last_y - first_y)), 6) % 180)
