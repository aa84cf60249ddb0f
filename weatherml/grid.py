"""Latitude-longitude grids as frozen values, with exact cell areas."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import xarray as xr

from weatherml.errors import UserError

# Files hold coordinates in float32 or float64; a millidegree-exact value must compare equal whichever it came from.
_DECIMALS = 4


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
        """Build from coordinate arrays `[lat]` and `[lon]` in degrees, rounded to 1e-4 degree."""
        return cls(_rounded(latitude), _rounded(longitude))

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset | xr.DataArray) -> Self:
        """Read the grid of a canonical dataset.

        Raises:
            UserError: The dataset has no `latitude` or no `longitude`, or they are not in canonical order.
        """
        missing = {"latitude", "longitude"} - set(dataset.coords)
        if missing:
            lacking = " and no ".join(sorted(missing))
            raise UserError(f"dataset has no {lacking} coordinate; it has {sorted(map(str, dataset.coords))}")
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
        roots, _ = np.polynomial.legendre.leggauss(n_lat)
        return cls.from_coordinates(np.degrees(np.arcsin(roots[::-1])), 360 / n_lon * np.arange(n_lon))

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
    def is_global(self) -> bool:
        """Whether the columns close the circle and the rows reach within one spacing of both poles."""
        if self.n_lat < 2 or self.n_lon < 2:
            return False
        spacing = np.diff([*self.longitude, self.longitude[0] + 360])
        reach = 1.01 * self.resolution
        return bool(
            np.ptp(spacing) < 1e-2 * spacing.mean()
            and self.latitude[0] >= 90 - reach
            and self.latitude[-1] <= reach - 90
        )

    def cell_areas(self) -> np.ndarray:
        """Return the exact area of one cell in each row, steradian, float64 `[lat]`.

        Cells reach half-way to the neighbouring rows; on a global grid the outermost rows reach the poles, so a row at
        +-90 degrees is a cap with a small area, not none.
        """
        edges: np.ndarray = np.radians(self._latitude_edges())
        areas: np.ndarray = (np.sin(edges[:-1]) - np.sin(edges[1:])) * np.radians(self._longitude_spacing())
        return areas

    def area_weights(self) -> np.ndarray:
        """Return cell areas scaled to a mean of one over all cells, float32 `[lat, 1]`."""
        areas = self.cell_areas()
        weights: np.ndarray = (areas / areas.mean()).astype(np.float32)
        return weights[:, None]

    def _latitude_edges(self) -> np.ndarray:
        rows = np.asarray(self.latitude)
        middle = (rows[:-1] + rows[1:]) / 2
        half = self.resolution / 2 if self.n_lat > 1 else 0.5
        outer = (90.0, -90.0) if self.is_global else (min(rows[0] + half, 90.0), max(rows[-1] - half, -90.0))
        return np.concatenate([[outer[0]], middle, [outer[1]]])

    def _longitude_spacing(self) -> float:
        if self.is_global or self.n_lon == 1:
            return 360 / self.n_lon
        return float(np.median(np.diff(self.longitude)))


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple((np.round(np.atleast_1d(values).astype(np.float64), _DECIMALS) + 0.0).tolist())


def _require_order(name: str, values: tuple[float, ...], sign: int, direction: str) -> None:
    if not values:
        raise UserError(f"{name} is empty; a grid needs at least one value")
    if not np.all(sign * np.diff(values) > 0):
        raise UserError(
            f"{name} must run {direction}, got {values[0]} .. {values[-1]}; weatherml.open_files reorders what it opens"
        )
