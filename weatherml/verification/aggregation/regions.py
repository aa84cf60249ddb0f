"""Parts of the globe over which statistics are averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.registry import Registry, nearest
from weatherml.verification.aggregation.adding import digest

_LAND = 0.5  # share of land from which a cell is land
_TURN = 360  # degrees


@dataclass(frozen=True)
class Region:
    """Cells whose centres lie within bounds.

    Attributes:
        south: Degrees north; bounds are included.
        north: Degrees north.
        west: Degrees east of Greenwich; from there eastward to `east`, across the date line where that is smaller.
        east: Degrees east; a whole turn from `west`, whichever way it is written (180 to -180), is the whole circle,
            and the same number one meridian.
        surface: What of it; cells of which it is not known (NaN in the land_sea_mask) are neither land nor sea.
        borders: Whose rows on a border of latitude are: held at `both`, or at the `south` alone, so that regions one
            north of the other share none.

    Raises:
        UserError: The bounds are none of latitudes, or of longitudes.
    """

    south: float = -90.0
    north: float = 90.0
    west: float = 0.0
    east: float = 360.0
    surface: Literal["all", "land", "sea"] = "all"
    borders: Literal["both", "south"] = "both"

    def __post_init__(self) -> None:
        for latitude in (own for own in (self.south, self.north) if not -90 <= own <= 90):
            raise UserError(f"no latitude of a region is {latitude:g} degrees north; give south and north in -90 .. 90")
        if not self.south < self.north:
            raise UserError(
                f"a region from {self.south:g} to {self.north:g} degrees north holds nothing; give south below north"
                " within -90 .. 90"
            )
        for longitude in (own for own in (self.west, self.east) if not -_TURN <= own <= _TURN):
            raise UserError(
                f"no longitude of a region is {longitude:g} degrees east; give west and east in -180 .. 180 or 0 .. 360"
            )

    def holds(self, grid: LatLonGrid, land: np.ndarray | None = None) -> np.ndarray:
        """Return which cells of a grid it holds, bool `[lat, lon]`.

        Args:
            grid: The grid.
            land: Share of land in each cell, `[lat, lon]`.

        Raises:
            UserError: It needs to know where land is.
        """
        latitude, longitude = np.array(grid.latitude)[:, None], np.array(grid.longitude)
        below = latitude <= self.north if self.borders == "both" else latitude < self.north
        held: np.ndarray = (self.south <= latitude) & below & self._eastward(longitude)
        if self.surface == "all":
            return held
        if land is None:
            raise UserError(f"a region of {self.surface} needs to know where land is; give the truth a land_sea_mask")
        on_surface: np.ndarray = held & (land >= _LAND if self.surface == "land" else land < _LAND)
        return on_surface

    def _eastward(self, longitude: np.ndarray) -> np.ndarray:
        width = self.east - self.west
        if width >= 360 or (width != 0 and width % 360 == 0):
            return np.ones_like(longitude, bool)
        return (longitude - self.west) % 360 <= width % 360


regions: Registry[Region] = Registry("region")
"""Regions by name; the bounds are WeatherBench 2's (its `config` of regions), which follow ECMWF's scorecards."""

for _name, _region in {
    "global": Region(),
    "tropics": Region(-20, 20),
    "extratropics_north": Region(20, 90),
    "extratropics_south": Region(-90, -20),
    "arctic": Region(60, 90),
    "antarctic": Region(-90, -60),
    "europe": Region(35, 75, -12.5, 42.5),
    "north_america": Region(25, 60, -120, -75),
    "north_atlantic": Region(25, 65, -70, -20),
    "north_pacific": Region(25, 60, 145, -130),
    "east_asia": Region(25, 60, 102.5, 150),
    "australia_new_zealand": Region(-45, -12.5, 120, 175),
    "land": Region(surface="land"),
    "sea": Region(surface="sea"),
}.items():
    regions.register(_name)(_region)

GLOBAL = {"global": regions["global"]}
"""All that a forecast covers."""


def latitude_bands(width: float) -> dict[str, Region]:
    """Return bands of latitude of a width in degrees, from south to north.

    A row on the border of two is in the northern one, so that each row counts once.

    Raises:
        UserError: The width does not divide 180.
    """
    n_bands = round(180 / width) if width > 0 else 0
    if n_bands < 1 or abs(n_bands * width - 180) > 1e-6:
        raise UserError(f"bands of latitude of {width:g} degrees do not fill 180; choose 10, 20 or 30")
    borders = np.linspace(-90, 90, n_bands + 1)
    bands = {f"{a:g}..{b:g}": Region(a, b, borders="south") for a, b in pairwise(borders)}
    name, northernmost = bands.popitem()
    return bands | {name: replace(northernmost, borders="both")}


def regions_named(wanted: Sequence[str] | Mapping[str, Region] | None) -> dict[str, Region]:
    """Return regions by their names, or `NAME=NORTH,WEST,SOUTH,EAST`; all of the globe where none are given.

    Raises:
        UserError: There are none, one is unknown, or two have one name.
    """
    if wanted is None:
        return dict(GLOBAL)
    wanted = (wanted,) if isinstance(wanted, str) else wanted
    if not wanted:
        raise UserError(f"regions are empty; leave them out for the globe, or give one of {', '.join(regions)}")
    named = list(wanted.items()) if isinstance(wanted, Mapping) else [_region_named(name) for name in wanted]
    found: dict[str, Region] = {}
    for name, own in named:
        _require_own_name(name, own)
        if found.setdefault(name, own) != own:
            raise UserError(f"two regions are called {name!r}; give each a name of its own")
    return found


def _require_own_name(name: str, region: Region) -> None:
    """Require that a name which is known means what it means to all who read a table.

    Raises:
        UserError: It is of another region.
    """
    if name in regions and region != regions[name]:
        raise UserError(
            f"region {name!r} is known, and has other bounds than were given; give this one another name, or leave its"
            " bounds out"
        )


def _region_named(text: str) -> tuple[str, Region]:
    """Return a region by its name, or with bounds of its own: `alps=48,5,43,17` is north, west, south and east.

    Raises:
        UserError: It is unknown, or its bounds are none.
    """
    name, sign, bounds = text.partition("=")
    if sign:
        north, west, south, east = _numbers(text, bounds)
        return name, Region(south, north, west, east)
    if name not in regions:
        likely = nearest(name, regions)
        all_known = f"; known: {', '.join(regions)}, or one by its bounds, such as alps=48,5,43,17"
        raise UserError(f"unknown region {name!r}{likely if likely.startswith('; did') else all_known}")
    return name, regions[name]


def _numbers(text: str, bounds: str) -> list[float]:
    try:
        numbers = [float(own) for own in bounds.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not np.isfinite(numbers).all() or text.startswith("="):
        raise UserError(f"region {text!r} must read NAME=NORTH,WEST,SOUTH,EAST in degrees, such as alps=48,5,43,17")
    return numbers


def region_weights(grid: LatLonGrid, wanted: Mapping[str, Region], truth: xr.Dataset | None = None) -> np.ndarray:
    """Return the area of each cell that lies in each region, steradian, `[region, lat, lon]`.

    Raises:
        UserError: A region holds no cell, or it is not known where land is.
    """
    land = None if truth is None or "land_sea_mask" not in truth else _land(truth["land_sea_mask"])
    held = np.stack([region.holds(grid, land) for region in wanted.values()])
    for name in (name for name, own in zip(wanted, held, strict=True) if not own.any()):
        raise UserError(f"region {name!r} holds no cell of the grid {grid.n_lat} x {grid.n_lon}; leave it out")
    areas: np.ndarray = held * grid.cell_areas()[:, None]
    return areas


def told_of_regions(wanted: Mapping[str, Region], areas: np.ndarray) -> dict[str, str]:
    """Return a line for each region: its bounds, and letters that tell apart the cells `[region, lat, lon]` in it."""
    return {name: f"{own} (cells {digest(held > 0)})" for (name, own), held in zip(wanted.items(), areas, strict=True)}


def _land(mask: xr.DataArray) -> np.ndarray:
    still = mask.isel({dim: 0 for dim in mask.dims if dim not in ("latitude", "longitude")})
    land: np.ndarray = still.transpose("latitude", "longitude").values
    return land
