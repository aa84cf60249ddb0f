"""Latitude-longitude grids as frozen values, with exact cell areas."""

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.errors import UserError, require_kind
from weatherml.errors.wording import listed

_Array = npt.NDArray[np.float64]

# Grids hold coordinates to a ten-thousandth of a degree, files in float32, in float64 or with few decimals.
_DECIMALS = 4
_PRECISION = 2e-4
"""Degrees; what lies closer to a row or column of a known grid is that row or column."""
_TOLERANCE = 0.01
"""Of the spacing: rows and columns of two grids that are closer are the same."""


_MOST_ROWS = 18_001
"""Of a grid by its name: a spacing of 0.01 degrees, finer than any global analysis."""

REGRID = "bring both to one: weatherml convert --grid, source.regrid at ingestion, or weatherml.regrid in Python"
"""What to do about two grids."""
OPEN_FIRST = "open it with weatherml.open_store, open_files or read_forecast, and pass what that returns"
"""What to do about a path where a dataset is wanted."""


@dataclass(frozen=True)
class LatLonGrid:
    """A rectangular grid in the canonical order: latitude north to south, longitude eastward from >= 0 to < 360.

    Attributes:
        latitude: Degrees north, strictly falling.
        longitude: Degrees east in [0, 360), strictly rising.

    Raises:
        UserError: A coordinate is empty, out of range or out of order.
    """

    latitude: tuple[float, ...]
    longitude: tuple[float, ...]

    def __post_init__(self) -> None:
        _require_order("latitude", self.latitude, -1, "north to south")
        _require_order("longitude", self.longitude, 1, "eastward")
        if max(map(abs, self.latitude)) > 90:
            raise UserError(f"latitude must lie within -90 .. 90, got {self.latitude[0]} .. {self.latitude[-1]}")
        if self.longitude[0] < 0 or self.longitude[-1] >= 360:
            raise UserError(f"longitude must lie in [0, 360), got {self.longitude[0]} .. {self.longitude[-1]}")

    @classmethod
    def from_coordinates(cls, latitude: np.ndarray, longitude: np.ndarray) -> Self:
        """Build from coordinate arrays `[lat]` and `[lon]` in degrees, rounded to 1e-4 degree.

        Whatever the precision in which a file holds equally spaced or Gaussian coordinates, the grid is the same.
        """
        return cls(_rounded(exact_latitude(latitude)), _rounded(exact_longitude(longitude)))

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset | xr.DataArray) -> Self:
        """Read the grid of a canonical dataset.

        Raises:
            UserError: The dataset has no `latitude` or no `longitude`, or they are not in canonical order.
        """
        require_kind(dataset, (xr.Dataset, xr.DataArray), "dataset", OPEN_FIRST)
        missing = {"latitude", "longitude"} - set(dataset.coords)
        if missing:
            lacking = " and no ".join(sorted(missing))
            raise UserError(f"dataset has no {lacking} coordinate; it has {listed(sorted(map(str, dataset.coords)))}")
        if dataset["latitude"].dims == dataset["longitude"].dims != ():
            (place, *_) = map(str, dataset["latitude"].dims)
            raise UserError(
                f"the data are values at places (dimension {place!r}); pass the fields they were taken from"
            )
        return cls.from_coordinates(dataset["latitude"].values, dataset["longitude"].values)

    @classmethod
    def regular(cls, n_lat: int, n_lon: int, poles: bool = True) -> Self:
        """Build an equally spaced global grid; with `poles` the outermost rows are +-90, else half a cell inside."""
        step = 180 / (n_lat - 1) if poles else 180 / n_lat
        first = 90 if poles else 90 - step / 2
        return cls.from_coordinates(first - step * np.arange(n_lat), 360 / n_lon * np.arange(n_lon))

    @classmethod
    def gaussian(cls, n_lat: int, n_lon: int) -> Self:
        """Build a Gaussian grid: latitudes at the roots of the Legendre polynomial of degree `n_lat`."""
        return cls.from_coordinates(gaussian_latitude(n_lat), 360 / n_lon * np.arange(n_lon))

    @classmethod
    def named(cls, name: str) -> Self:
        """Build a global grid from its name.

        Args:
            name: `1.5deg` (with both poles), `121x240` (rows x columns; with the poles where rows are odd, else half a
                spacing inside), `gaussian 32x64`, or `0.25deg without south pole` (720 rows, as FourCastNet's).

        Raises:
            UserError: The name says no grid, one finer than 0.01 degrees, or the spacing does not divide 180 degrees.
        """
        require_kind(name, str, "grid", "pass a name, 1.5deg, 121x240 or gaussian 32x64, or a LatLonGrid")
        text = " ".join(name.lower().split())
        if match := re.fullmatch(r"(gaussian )?(\d+) ?x ?(\d+)", text):
            n_lat, n_lon = int(match[2]), int(match[3])
            if min(n_lat, n_lon) >= 2:
                _require_coarse(name, n_lat, n_lon)
                return cls.gaussian(n_lat, n_lon) if match[1] else cls.regular(n_lat, n_lon, poles=n_lat % 2 == 1)
        if match := re.fullmatch(r"(\d*\.?\d+) ?(?:deg|degree|degrees|°)( without south pole)?", text):
            return cls._spaced(name, float(match[1]), south_pole=not match[2])
        raise UserError(f"grid {name!r} says no grid; write 1.5deg, 121x240 or gaussian 32x64")

    @classmethod
    def _spaced(cls, name: str, spacing: float, south_pole: bool) -> Self:
        n_rows = round(180 / spacing) if spacing else 0
        if not n_rows or abs(n_rows * spacing - 180) > 1e-9:
            raise UserError(f"grid {name!r}: its spacing does not divide 180 degrees; choose one that does, or 121x240")
        _require_coarse(name, n_rows, 2 * n_rows)
        latitude = 90 - spacing * np.arange(n_rows + south_pole)
        return cls.from_coordinates(latitude, spacing * np.arange(2 * n_rows))

    @property
    def n_lat(self) -> int:
        """Number of rows."""
        return len(self.latitude)

    @property
    def n_lon(self) -> int:
        """Number of columns."""
        return len(self.longitude)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.n_lat, self.n_lon

    @property
    def resolution(self) -> float:
        """Median spacing of the rows in degrees."""
        return float(np.median(-np.diff(self.latitude))) if self.n_lat > 1 else float("nan")

    @cached_property
    def is_cyclic(self) -> bool:
        """Whether the columns close the circle, equally spaced."""
        return closes_circle(np.asarray(self.longitude))

    @cached_property
    def is_global(self) -> bool:
        """Whether the columns close the circle and the rows reach within one spacing of both poles."""
        reach = 1.01 * self.resolution
        return bool(
            self.n_lat > 1 and self.is_cyclic and self.latitude[0] >= 90 - reach and self.latitude[-1] <= reach - 90
        )

    @property
    def west_east(self) -> tuple[float, float]:
        """First and last column, degrees east, of a region in one piece: west is negative where it lies across 0."""
        gaps = np.diff([*self.longitude, self.longitude[0] + 360])
        last = int(gaps.argmax())
        if self.is_global or last == self.n_lon - 1:
            return self.longitude[0], self.longitude[-1]
        return round(self.longitude[last + 1] - 360, _DECIMALS), self.longitude[last]

    @property
    def gaps(self) -> tuple[float, ...]:
        """Longitudes after which a column is missing, not counting what lies outside a region in one piece."""
        spacing = np.diff([*self.longitude, self.longitude[0] + 360])
        after = np.flatnonzero(spacing > 1.5 * np.median(spacing))
        return tuple(self.longitude[i] for i in after if i != spacing.argmax())

    def is_same(self, other: Self) -> bool:
        """Return whether two grids have the same rows and columns, as far as rounding lets tell."""
        pairs = ((self.latitude, other.latitude), (self.longitude, other.longitude))
        return self.shape == other.shape and all(_is_close(own, others, _spacing(own)) for own, others in pairs)

    def places_in(self, other: Self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None:
        """Return the positions of rows and columns in another grid, which may have more; None if it lacks some."""
        rows = _positions(self.latitude, other.latitude)
        columns = _positions(self.longitude, other.longitude)
        return None if rows is None or columns is None else (rows, columns)

    def latitude_edges(self) -> np.ndarray:
        """Return the edges of the rows, degrees north, float64 `[lat + 1]`, falling.

        Half-way between rows; the outermost reach the poles on a global grid, else half a spacing beyond the rows.
        """
        rows = np.asarray(self.latitude)
        middle = (rows[:-1] + rows[1:]) / 2
        half = self.resolution / 2 if self.n_lat > 1 else 0.5
        outer = (90.0, -90.0) if self.is_global else (min(rows[0] + half, 90.0), max(rows[-1] - half, -90.0))
        return np.concatenate([[outer[0]], middle, [outer[1]]])

    def eastward(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns from the western one to the eastern, and their degrees east, which may pass 360.

        Returns:
            Positions of the columns `[lon]`, and longitudes `[lon]` that rise by less than 360: a region over the
            meridian of Greenwich is in one piece. Columns that close the circle are equally spaced to the last digit.
        """
        if self.is_cyclic:
            return np.arange(self.n_lon), self.longitude[0] + 360 / self.n_lon * np.arange(self.n_lon)
        longitude = np.asarray(self.longitude)
        order = from_the_west(longitude)
        steps = np.diff(longitude[order]) % 360
        return order, longitude[order[0]] + np.concatenate([[0.0], np.cumsum(steps)])

    def cell_areas(self) -> np.ndarray:
        """Return the exact area of one cell in each row, steradian, float64 `[lat]`.

        Cells reach half-way to the neighbouring rows; on a global grid the outermost rows reach the poles, so a row at
        +-90 degrees is a cap with a small area, not none.
        """
        edges: np.ndarray = np.radians(self.latitude_edges())
        areas: np.ndarray = (np.sin(edges[:-1]) - np.sin(edges[1:])) * np.radians(self._longitude_spacing())
        return areas

    def area_weights(self) -> np.ndarray:
        """Return cell areas scaled to a mean of one over all cells, float32 `[lat, 1]`."""
        areas = self.cell_areas()
        weights: np.ndarray = (areas / areas.mean()).astype(np.float32)
        return weights[:, None]

    def _longitude_spacing(self) -> float:
        if self.is_cyclic or self.n_lon == 1:
            return 360 / self.n_lon
        return float(np.median(np.diff(self.longitude)))


def exact_latitude(latitude: npt.ArrayLike) -> _Array:
    """Return the latitudes `[lat]` that rounded ones stand for: of a known grid exactly, others as they are."""
    rounded = np.atleast_1d(np.asarray(latitude, np.float64))
    even = _even(rounded)
    if _is_at(rounded, even):
        return even
    # The roots of a large grid take a while, so whether the outermost rows can be Gaussian is asked first.
    if abs(rounded[0] + rounded[-1]) > _PRECISION or abs(rounded[0]) < 90 - 1.5 * _spacing(rounded):
        return rounded
    gaussian = np.copysign(1, rounded[0]) * gaussian_latitude(len(rounded))
    return gaussian if _is_at(rounded, gaussian) else rounded


def exact_longitude(longitude: npt.ArrayLike) -> _Array:
    """Return the longitudes `[lon]` that rounded ones stand for, if they divide the circle evenly, else as they are."""
    rounded = np.atleast_1d(np.asarray(longitude, np.float64))
    even = _even(rounded)
    return even if _is_at(rounded, even) else rounded


@cache
def gaussian_latitude(n_lat: int) -> _Array:
    """Return the latitudes of a whole Gaussian grid, falling `[lat]`."""
    from scipy.special import roots_legendre  # 20 times as fast as numpy's; whoever needs no roots need not load it

    roots, _ = roots_legendre(n_lat)
    latitude: _Array = np.degrees(np.arcsin(roots[::-1]))
    latitude.flags.writeable = False
    return latitude


def closes_circle(longitude: np.ndarray) -> bool:
    """Return whether rising columns `[lon]`, degrees east, go all the way round, equally spaced."""
    gaps = np.diff(longitude, append=longitude[:1] + 360)
    return bool(len(longitude) > 1 and np.ptp(gaps) < 1e-2 * gaps.mean())


def from_the_west(longitude: np.ndarray) -> npt.NDArray[np.intp]:
    """Return the positions of rising columns `[lon]`, degrees east, from the first one after the widest gap on.

    So a region across the meridian of Greenwich is in one piece.
    """
    first = int(np.diff(longitude, append=longitude[:1] + 360).argmax()) + 1
    return np.roll(np.arange(len(longitude)), -first)


def on_circle(longitude: npt.ArrayLike) -> _Array:
    """Return longitudes within 0 .. 360; what is 0 but for rounding is 0, from whichever side."""
    return np.asarray(np.round(np.asarray(longitude, np.float64), _DECIMALS) % 360)


def _even(values: _Array) -> _Array:
    """Return multiples, nearest to `values`, of half a spacing that divides the circle; a region may have a gap."""
    gaps = np.abs(np.diff(values))
    if not len(gaps) or not np.median(gaps) > 0:
        return values
    n_around = max(round(360 / gaps[gaps < 1.5 * np.median(gaps)].mean()), 1)
    return np.asarray(np.round(values * n_around / 180) * 180 / n_around)


def _is_at(values: _Array, known: _Array) -> bool:
    return bool(np.abs(values - known).max(initial=0) < _PRECISION)


def _is_close(one: npt.ArrayLike, other: npt.ArrayLike, spacing: float) -> bool:
    return bool(np.abs(np.asarray(one) - np.asarray(other)).max() < max(_TOLERANCE * spacing, _PRECISION))


def _positions(wanted: npt.ArrayLike, others: npt.ArrayLike) -> npt.NDArray[np.intp] | None:
    """Return where `wanted` are among `others`, which rise or fall; None if they are not all there."""
    values, known = np.asarray(wanted), np.asarray(others)
    sign = np.sign(known[-1] - known[0])
    nearest = np.searchsorted(sign * (known[1:] + known[:-1]) / 2, sign * values)
    return nearest if _is_close(values, known[nearest], _spacing(known)) else None


def _spacing(values: npt.ArrayLike) -> float:
    """Return the least distance between neighbours, degrees; 0 of a single value."""
    gaps = np.abs(np.diff(np.asarray(values)))
    return float(gaps.min()) if len(gaps) else 0.0


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple((np.round(np.atleast_1d(values).astype(np.float64), _DECIMALS) + 0.0).tolist())


def _require_coarse(name: str, n_lat: int, n_lon: int) -> None:
    if n_lat > _MOST_ROWS or n_lon > 2 * _MOST_ROWS:
        raise UserError(f"grid {name!r} is finer than 0.01 degrees; choose a coarser one, such as 0.25deg or 721x1440")


def _require_order(name: str, values: tuple[float, ...], sign: int, direction: str) -> None:
    if not values:
        raise UserError(f"{name} is empty; a grid needs at least one value")
    if n_bad := int((~np.isfinite(values)).sum()):
        raise UserError(f"{name} is missing or not finite at {n_bad} of its {len(values)} places; correct the file")
    if not np.all(sign * np.diff(values) > 0):
        raise UserError(
            f"{name} must run {direction}, got {values[0]} .. {values[-1]}; weatherml.open_files reorders what it opens"
        )
