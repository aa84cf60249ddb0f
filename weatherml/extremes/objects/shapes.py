"""How large objects are and how they lie, reckoned on the sphere."""

from dataclasses import dataclass

import numpy as np

from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import bearing, distance, places, unit_vectors

_MOST_POINTS = 3000  # of an object, whose distances from each other are taken at once: 72 MB


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of objects, each once, those of an object beside each other and in rising order.

    Attributes:
        number: Which object each is of, rising, from 0 on `[cell]`.
        row: Of the grid `[cell]`.
        column: Of the grid `[cell]`.
        grid: Rows and columns.
    """

    number: np.ndarray
    row: np.ndarray
    column: np.ndarray
    grid: LatLonGrid

    @property
    def latitude(self) -> np.ndarray:
        """Of the centre of each, degrees north `[cell]`."""
        latitude: np.ndarray = np.asarray(self.grid.latitude)[self.row]
        return latitude

    @property
    def longitude(self) -> np.ndarray:
        """Of the centre of each, degrees east `[cell]`."""
        longitude: np.ndarray = np.asarray(self.grid.longitude)[self.column]
        return longitude

    @property
    def area(self) -> np.ndarray:
        """Of each, steradian `[cell]`."""
        areas: np.ndarray = self.grid.cell_areas()[self.row]
        return areas

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of values `[cell]` over each object's, float64 `[object]`."""
        return np.bincount(self.number, values)

    @property
    def directions(self) -> np.ndarray:
        """Integral over each object of the direction from the middle of the Earth, `[object, 3]`."""
        vectors = unit_vectors(self.latitude, self.longitude) * self.area[:, None]
        return np.stack([self.sums(part) for part in vectors.T], axis=1)


def centroids(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Return where the mean of all places of each object is, carried up to the surface.

    Returns:
        Latitude and longitude, degrees `[object]`.
    """
    return places(cells.directions)


@dataclass(frozen=True, eq=False)
class Ellipses:
    """Ellipses that have the second moments of objects.

    Attributes:
        length: Long axis from end to end, km `[object]`.
        width: Short axis from end to end, km `[object]`.
        axis: Direction of the long axis at the centroid, degrees clockwise from north, 0 <= axis < 180 `[object]`.
    """

    length: np.ndarray
    width: np.ndarray
    axis: np.ndarray


def ellipses(cells: Cells) -> Ellipses:
    """Return the ellipse of each object's second moments on the plane that touches the Earth at its centroid.

    Distances and directions from the centroid are kept (azimuthal equidistant), and a cell counts with its own extent.
    """
    east, north = _on_plane(cells)
    area, (own_east, own_north) = cells.area, _own_moments(cells)
    whole = cells.sums(area)

    def moment(values: np.ndarray) -> np.ndarray:
        mean: np.ndarray = cells.sums(area * values) / whole
        return mean

    mean_east, mean_north = moment(east), moment(north)
    xx = moment(east**2 + own_east) - mean_east**2
    yy = moment(north**2 + own_north) - mean_north**2
    xy = moment(east * north) - mean_east * mean_north
    half, apart = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    axis = np.round(np.degrees(np.arctan2(2 * xy, yy - xx) / 2), 6) % 180
    return Ellipses(4 * np.sqrt(half + apart), 4 * np.sqrt(np.maximum(half - apart, 0)), axis)


def _on_plane(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Return how far east and north of its object's centroid each cell is, km `[cell]`, distances and bearings kept."""
    north, east = (values[cells.number] for values in centroids(cells))
    away = distance(north, east, cells.latitude, cells.longitude)
    turn = np.radians(np.nan_to_num(bearing(north, east, cells.latitude, cells.longitude)))
    return away * np.sin(turn), away * np.cos(turn)


def _own_moments(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean squared distance of a cell's places from its centre, eastward and northward, km2 `[cell]`."""
    edges = np.radians(cells.grid.latitude_edges())
    height = EARTH_RADIUS * (edges[:-1] - edges[1:])
    width = EARTH_RADIUS**2 * cells.grid.cell_areas() / height
    return (width**2 / 12)[cells.row], (height**2 / 12)[cells.row]


def extents(cells: Cells) -> np.ndarray:
    """Return the greatest great-circle distance between the centres of two cells of each object, km `[object]`.

    Of two rows those cells are farthest apart that end them, so these alone are looked at. Of an object that goes more
    than half round the Earth all cells count, of a great one every so manyth.
    """
    meridian = centroids(cells)[1][cells.number]
    eastward = (cells.longitude - meridian + 180) % 360 - 180
    starts = _firsts(cells.number.astype(np.int64) * cells.grid.n_lat + cells.row)
    ends = np.stack([np.minimum.reduceat(eastward, starts), np.maximum.reduceat(eastward, starts)])
    latitude, rows = cells.latitude, _firsts(cells.number[starts])
    is_wide = np.maximum.reduceat(ends[1], rows) - np.minimum.reduceat(ends[0], rows) > 180
    distances = np.zeros(len(rows))
    for number, own in enumerate(np.split(np.arange(len(starts)), rows)[1:]):
        if is_wide[number]:
            all_ = _thinned(cells.number, number)
            distances[number] = _greatest_distance(latitude[all_], eastward[all_])
        else:
            distances[number] = _greatest_distance(np.tile(latitude[starts[own]], 2), ends[:, own].ravel())
    return distances


def _firsts(rising: np.ndarray) -> np.ndarray:
    """Return where each of the values begins that a rising array `[cell]` holds."""
    return np.flatnonzero(np.diff(rising, prepend=-1))


def _thinned(numbers: np.ndarray, number: int) -> slice:
    """Return cells of an object, spread evenly over it and not too many."""
    first, last = np.searchsorted(numbers, [number, number + 1])
    return slice(first, last, -(-int(last - first) // _MOST_POINTS))


def _greatest_distance(latitude: np.ndarray, longitude: np.ndarray) -> float:
    """Return the greatest distance between two of some places in degrees `[place]`, km."""
    vectors = unit_vectors(latitude, longitude)
    one, other = np.unravel_index((vectors @ vectors.T).argmin(), (len(vectors), len(vectors)))
    return float(distance(latitude[one], longitude[one], latitude[other], longitude[other]))
