"""What lies around cells of a grid: across the date line and over the poles."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from weatherml.grid import LatLonGrid

_POLE = 90 - 1e-3  # degrees; grids hold latitudes to a ten-thousandth of a degree


@dataclass(frozen=True, eq=False)
class Patch:
    """Cells around one.

    Attributes:
        rows: Of the grid, from north to south.
        columns: From west to east; the whole circle where it reaches over a pole, the cell's own in the middle.
        distance: Degrees of a great circle from the place in the middle `[row, column]`.
        start: Row and column of the cell within the patch.
        closes: Whether the columns are a whole circle: the last is beside the first.
        over_north: Whether the first row goes on beyond the North Pole, at the opposite columns.
        over_south: Whether the last row goes on beyond the South Pole.
        edges: Sides at which the grid ends: first row, last row, first column, last column.
    """

    rows: slice
    columns: np.ndarray
    distance: np.ndarray
    start: tuple[int, int]
    closes: bool
    over_north: bool
    over_south: bool
    edges: tuple[bool, bool, bool, bool]

    def of(self, field: np.ndarray) -> np.ndarray:
        """Return the part `[row, column]` of a field `[lat, lon]`."""
        part: np.ndarray = field[self.rows].take(self.columns, axis=1)
        return part


@dataclass(frozen=True)
class Surroundings:
    """The cells of a grid and their neighbours; columns go eastward, those of a region in one piece.

    Attributes:
        grid: Which one.
    """

    grid: LatLonGrid

    @cached_property
    def latitude(self) -> np.ndarray:
        """Degrees north, falling `[lat]`."""
        return np.asarray(self.grid.latitude)

    @cached_property
    def columns(self) -> np.ndarray:
        """Positions of the columns in the grid, from the western one to the eastern `[lon]`."""
        return self.grid.eastward()[0]

    @cached_property
    def longitude(self) -> np.ndarray:
        """Degrees east, rising, maybe beyond 360 `[lon]`."""
        return self.grid.eastward()[1]

    @cached_property
    def spacing(self) -> tuple[float, float]:
        """Of rows and of columns, degrees; the widest where they differ."""
        rows, columns = -np.diff(self.latitude), np.diff(self.longitude)
        return float(rows.max(initial=0)) or 1.0, float(columns.max(initial=0)) or 1.0

    @cached_property
    def numbers(self) -> np.ndarray:
        """Of the cells, from north to south and in rows eastward, padded by those of their neighbours."""
        return self.padded(np.arange(self.grid.n_lat * self.grid.n_lon, dtype=np.float64).reshape(self.grid.shape))

    @property
    def reaches_north(self) -> bool:
        """Whether the first row is all around the North Pole, or on it."""
        return self.grid.is_cyclic and self.latitude[0] >= 90 - 1.01 * self.spacing[0]

    @property
    def reaches_south(self) -> bool:
        """Whether the last row is all around the South Pole, or on it."""
        return self.grid.is_cyclic and self.latitude[-1] <= 1.01 * self.spacing[0] - 90

    def is_pole(self, row: int) -> bool:
        """Return whether a row is one point."""
        return self.grid.is_cyclic and bool(abs(self.latitude[row]) > _POLE)

    def padded(self, field: np.ndarray) -> np.ndarray:
        """Return a field `[lat, lon]` with a row and a column of its neighbours on every side; NaN where none are."""
        n_lat, n_lon = field.shape
        wide = np.full((n_lat + 2, n_lon + 2), np.nan, field.dtype)
        wide[1:-1, 1:-1] = field
        half = n_lon // 2
        if self.reaches_north:
            wide[0, 1:-1] = np.roll(field[int(self.is_pole(0))], half)
        if self.reaches_south:
            wide[-1, 1:-1] = np.roll(field[-1 - int(self.is_pole(-1))], half)
        if self.grid.is_cyclic:
            wide[:, 0], wide[:, -1] = wide[:, -2], wide[:, 1]
        return wide

    def patch(self, row: int, column: int, distance: float, centre: tuple[float, float] | None = None) -> Patch:
        """Return the cells within a distance of a place, degrees of a great circle, and those beside them.

        Args:
            row: Of the cell in the middle.
            column: Of that cell.
            distance: Degrees of a great circle.
            centre: Latitude and longitude, degrees, from which distances are taken; the cell itself when None.
        """
        own = float(self.latitude[row]), float(self.longitude[column])
        north, east = centre or own
        off = float(_degrees_between(*own, np.asarray(north), np.asarray(east)))
        first, last = self._rows(row, distance + off)
        columns, middle, closes = self._columns(row, column, distance + off)
        n_lat, n_lon = self.grid.shape
        ends = not self.grid.is_cyclic
        over_north, over_south = first == 0 and self.reaches_north, last == n_lat and self.reaches_south
        edges = (
            first == 0 and not over_north,
            last == n_lat and not over_south,
            ends and columns[0] == 0,
            ends and columns[-1] == n_lon - 1,
        )
        return Patch(
            slice(first, last),
            columns,
            _degrees_between(north, east, self.latitude[first:last, None], self.longitude[columns]),
            (row - first, middle),
            closes,
            over_north and closes,
            over_south and closes,
            edges,
        )

    def _rows(self, row: int, distance: float) -> tuple[int, int]:
        reach = distance + 1.01 * self.spacing[0]
        near = np.flatnonzero(np.abs(self.latitude - self.latitude[row]) <= reach)
        return int(near[0]), int(near[-1]) + 1

    def _columns(self, row: int, column: int, distance: float) -> tuple[np.ndarray, int, bool]:
        """Return the columns, where among them the cell's own is, and whether they are all of a circle."""
        n_lon = self.grid.n_lon
        half = n_lon
        if abs(self.latitude[row]) + distance + 1.01 * self.spacing[0] < 90:
            # The meridians that touch a circle around a place of this latitude.
            widest = np.arcsin(np.sin(np.radians(distance)) / np.cos(np.radians(self.latitude[row])))
            half = int(np.degrees(widest) / self.spacing[1]) + 2
        if not self.grid.is_cyclic:
            first, last = max(0, column - half), min(n_lon, column + half + 1)
            return np.arange(first, last), column - first, False
        if 2 * half + 1 >= n_lon:
            return (column - n_lon // 2 + np.arange(n_lon)) % n_lon, n_lon // 2, True
        return (column + np.arange(-half, half + 1)) % n_lon, half, False


def _degrees_between(north: float, east: float, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return degrees of a great circle from a place to others, by haversines: exact for neighbours, too."""
    own, others = np.radians(north), np.radians(latitude)
    turn = np.radians(longitude - east) / 2
    havers = np.sin((others - own) / 2) ** 2 + np.cos(own) * np.cos(others) * np.sin(turn) ** 2
    degrees: np.ndarray = np.degrees(2 * np.arcsin(np.sqrt(np.minimum(havers, 1))))
    return degrees
