"""How large objects are and how they lie, reckoned on the sphere."""

from dataclasses import dataclass

import numpy as np

from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS

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
        """Of the centre of each, radians `[cell]`."""
        latitude: np.ndarray = np.radians(np.asarray(self.grid.latitude))[self.row]
        return latitude

    @property
    def longitude(self) -> np.ndarray:
        """Of the centre of each, radians `[cell]`."""
        longitude: np.ndarray = np.radians(np.asarray(self.grid.longitude))[self.column]
        return longitude

    @property
    def area(self) -> np.ndarray:
        """Of each, steradian `[cell]`."""
        areas: np.ndarray = self.grid.cell_areas()[self.row]
        return areas

    @property
    def position(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the centre of each on the unit sphere: towards 0 E, 90 E and the north pole, each `[cell]`."""
        latitude, longitude = self.latitude, self.longitude
        return np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of values `[cell]` over each object's, float64 `[object]`."""
        return np.bincount(self.number, values)


def centroids(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Return where the mean of all places of each object is, carried up to the surface.

    Returns:
        Latitude and longitude, radians `[object]`. Of a belt round the Earth it is the pole that is nearer.
    """
    x, y, z = (cells.sums(cells.area * part) for part in cells.position)
    return np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)


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
    latitude, longitude = cells.latitude, cells.longitude
    centre, meridian = (values[cells.number] for values in centroids(cells))
    apart = longitude - meridian
    east = np.cos(latitude) * np.sin(apart)
    north = np.cos(centre) * np.sin(latitude) - np.sin(centre) * np.cos(latitude) * np.cos(apart)
    forward = np.sin(centre) * np.sin(latitude) + np.cos(centre) * np.cos(latitude) * np.cos(apart)
    sine = np.hypot(east, north)
    stretch = EARTH_RADIUS * np.divide(np.arctan2(sine, forward), sine, out=np.ones_like(sine), where=sine > 0)
    return stretch * east, stretch * north


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
    eastward = (cells.longitude - meridian + np.pi) % (2 * np.pi) - np.pi
    starts = _firsts(cells.number.astype(np.int64) * cells.grid.n_lat + cells.row)
    ends = np.stack([np.minimum.reduceat(eastward, starts), np.maximum.reduceat(eastward, starts)])
    latitude, rows = cells.latitude, _firsts(cells.number[starts])
    is_wide = np.maximum.reduceat(ends[1], rows) - np.minimum.reduceat(ends[0], rows) > np.pi
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
    """Return the greatest distance between two of some places in radians `[place]`, km."""
    cosine = np.cos(latitude)
    places = np.stack([cosine * np.cos(longitude), cosine * np.sin(longitude), np.sin(latitude)], axis=1)
    one, other = np.unravel_index((places @ places.T).argmin(), (len(places), len(places)))
    chord = float(np.linalg.norm(places[one] - places[other]))
    return 2 * EARTH_RADIUS * float(np.arcsin(min(chord / 2, 1.0)))
