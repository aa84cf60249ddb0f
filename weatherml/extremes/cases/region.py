"""Where an event was: between bounds or around a place, across the date line and Greenwich."""

from typing import Any, Self, TypeAlias

import numpy as np
import xarray as xr
from pydantic import model_validator

from weatherml.config import Config
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import distance
from weatherml.verification.aggregation.regions import Region, regions


class Bounds(Config):
    """Cells whose centres lie within bounds, degrees; from `west` eastward to `east`."""

    south: float
    north: float
    west: float
    east: float

    @model_validator(mode="after")
    def _require_rows(self) -> Self:
        Region(self.south, self.north, self.west, self.east)
        return self

    def contains(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Return which places it holds, bool, of the shape of degrees that fit each other."""
        width = self.east - self.west
        is_round = width >= 360 or (width != 0 and width % 360 == 0)
        eastward = ((longitude - self.west) % 360 <= width % 360) | is_round
        return np.asarray((self.south <= latitude) & (latitude <= self.north) & eastward)

    def __str__(self) -> str:
        return f"{_north(self.south)} to {_north(self.north)}, {_east(self.west)} to {_east(self.east)}"


class Circle(Config):
    """Cells whose centres lie around a place: degrees, and a radius in km."""

    latitude: float
    longitude: float
    radius: float

    @model_validator(mode="after")
    def _require_place(self) -> Self:
        if abs(self.latitude) > 90 or self.radius <= 0:
            raise UserError(f"no circle of {self.radius:g} km lies around {self.latitude:g} degrees north; correct it")
        return self

    def contains(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Return which places it holds, bool, of the shape of degrees that fit each other."""
        return np.asarray(distance(latitude, longitude, self.latitude, self.longitude) <= self.radius)

    def __str__(self) -> str:
        return f"{self.radius:g} km around {_north(self.latitude)}, {_east(self.longitude)}"


Place: TypeAlias = Bounds | Circle


def as_place(value: Any) -> Any:
    """Return what a file says of a region: the name of one, or a mapping told by its keys."""
    if isinstance(value, Bounds | Circle):
        return value
    if isinstance(value, str):
        own = regions[value]
        return Bounds(south=own.south, north=own.north, west=own.west, east=own.east)
    if isinstance(value, dict):
        return (Circle if "radius" in value else Bounds)(**{key: _number(own) for key, own in value.items()})
    raise UserError(
        "a region is a name such as europe, or keys: {south: 35, north: 60, west: -10, east: 30}, or {latitude: 55,"
        f" longitude: -37.5, radius: 1000}} in km; got {shown(value)}"
    )


def shown(value: Any) -> str:
    """Write a value as a file has it, to be shown."""
    return (
        "nothing" if value is None else f"[{', '.join(map(shown, value))}]" if isinstance(value, list) else str(value)
    )


def require_cells(place: Place, grid: LatLonGrid) -> np.ndarray:
    """Return which cells of a grid a region holds, bool `[lat, lon]`.

    Raises:
        UserError: None.
    """
    held = place.contains(np.array(grid.latitude)[:, None], np.array(grid.longitude))
    if not held.any():
        raise UserError(
            f"the region is empty: no cell of the grid {grid.n_lat} x {grid.n_lon} ({_span(grid)}) lies in {place};"
            " make it larger"
        )
    return held


def cut(dataset: xr.Dataset | xr.DataArray, held: np.ndarray) -> Any:
    """Return the rows and columns of a dataset that hold cells `[lat, lon]`, which rise from 0 to 360 still."""
    rows, columns = (np.flatnonzero(held.any(axis=axis)) for axis in (1, 0))
    return dataset.isel(latitude=rows, longitude=columns)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def write_place(latitude: float, longitude: float) -> str:
    """Write a place, degrees north and east: `45°N, 10°E`."""
    return f"{_north(latitude)}, {_east(longitude)}"


def _north(degrees: float) -> str:
    return f"{abs(degrees):g}°{'S' if degrees < 0 else 'N'}"


def _east(degrees: float) -> str:
    own = (degrees + 180) % 360 - 180
    return f"{abs(own):g}°{'W' if own < 0 else 'E'}"


def _span(grid: LatLonGrid) -> str:
    west, east = grid.west_east
    return f"{grid.latitude[-1]:g} .. {grid.latitude[0]:g} N, {west:g} .. {east:g} E"
