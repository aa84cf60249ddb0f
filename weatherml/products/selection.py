"""Parts of a forecast: channels and regions, also of its statistics, without reading a value."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.grid import closes_circle, from_the_west, on_circle
from weatherml.registry import all_known, nearest
from weatherml.state import SEE_DATA, Channel, alternatives, levels_of, parse_channels
from weatherml.variables import VARIABLES

_FIELD = re.compile("(.+?)(|_mean|_spread|_minimum|_maximum|_quantile|_count|(?:_[0-9]+)?_exceedance)")
_TOLERANCE = 1e-5
"""Degrees; grids are known to a ten-thousandth."""


@dataclass(frozen=True)
class Region:
    """A rectangle of latitudes and longitudes; it may lie across 0 or 180 degrees east.

    Attributes:
        north: Degrees north.
        west: Degrees east, -180 .. 360; the region reaches eastward from here.
        south: Degrees north.
        east: Degrees east, -180 .. 360.

    Raises:
        UserError: South lies north of north, or a number is out of range.
    """

    north: float
    west: float
    south: float
    east: float

    def __post_init__(self) -> None:
        if not -90 <= self.south <= self.north <= 90:
            raise UserError(f"region {self} must have 90 >= north >= south >= -90")
        if not all(-180 <= side <= 360 for side in (self.west, self.east)):
            raise UserError(f"region {self} must have west and east within -180 .. 360")

    def __str__(self) -> str:
        return ",".join(f"{side:g}" for side in (self.north, self.west, self.south, self.east))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `north,west,south,east` in degrees, for example `72,-25,34,45`.

        Raises:
            UserError: It does not read so.
        """
        try:
            north, west, south, east = map(float, text.split(","))
        except ValueError:
            raise UserError(f"region {text!r} must read north,west,south,east, for example 72,-25,34,45") from None
        return cls(north, west, south, east)

    @property
    def width(self) -> float:
        """Degrees from west to east."""
        return 360.0 if self.east - self.west >= 360 else (self.east - self.west) % 360


def select_channels(dataset: xr.Dataset, channels: Sequence[str]) -> xr.Dataset:
    """Keep some channels; of statistics, those of these channels.

    As in every forecast, a level that only some variables have is NaN for the others.

    Raises:
        UserError: A channel is not there.
    """
    wanted = parse_channels(channels, levels_of(dataset))
    for channel in wanted:
        _require(dataset, channel)
    levels = sorted({channel.level for channel in wanted if channel.level is not None})
    if "level" in dataset.dims:
        dataset = dataset.sel(level=levels) if levels else dataset.drop_dims("level")
    fields = {name: _part(field, wanted) for name, field in dataset.data_vars.items()}
    chosen = dataset.assign({name: field for name, field in fields.items() if field is not None})
    return _without_idle_coordinates(chosen[[name for name, field in fields.items() if field is not None]])


def select_region(dataset: xr.Dataset, region: Region) -> xr.Dataset:
    """Keep the grid points inside a region, its edges included.

    Longitudes rise within 0 .. 360; where the region lies across 0 they begin below it, so that it is in one piece.

    Raises:
        UserError: No grid point lies inside, or the forecast is on no grid.
    """
    require_grid(dataset)
    latitude, longitude = dataset["latitude"].values, dataset["longitude"].values
    rows = np.flatnonzero((latitude <= region.north + _TOLERANCE) & (latitude >= region.south - _TOLERANCE))
    eastward = (longitude - region.west + _TOLERANCE) % 360 - _TOLERANCE
    columns = np.flatnonzero(eastward <= region.width + _TOLERANCE)
    if not len(rows) or not len(columns):
        raise UserError(f"no grid point lies in the region {region} (north,west,south,east); make it larger")
    if region.width >= 360:
        return dataset.isel(latitude=rows)
    return _with_columns(dataset.isel(latitude=rows), columns[np.argsort(eastward[columns])])


def in_one_piece(dataset: xr.Dataset) -> xr.Dataset:
    """Return a forecast whose columns rise without a gap, as others want them: those of a region across 0 begin below.

    What closes the circle, and what has no columns, stays as it is.
    """
    if "longitude" not in dataset.dims or closes_circle(dataset["longitude"].values):
        return dataset
    columns = from_the_west(dataset["longitude"].values)
    return _with_columns(dataset, columns) if columns[0] else dataset


def from_0_to_360(dataset: xr.Dataset) -> xr.Dataset:
    """Return a forecast whose columns rise from 0 to 360, as everywhere here; a region across 0 then has a gap."""
    if "longitude" not in dataset.dims:
        return dataset
    eastward = on_circle(dataset["longitude"].values)
    columns = np.argsort(eastward, kind="stable")
    ordered = dataset.isel(longitude=columns) if np.any(np.diff(columns) < 0) else dataset
    return ordered.assign_coords(longitude=ordered["longitude"].copy(data=eastward[columns]))


def select_statistic(dataset: xr.Dataset, statistic: str) -> xr.Dataset:
    """Return one statistic of members, such as their `mean`, under the names of its variables.

    Raises:
        UserError: The forecast does not have it.
    """
    found = {str(name): variable_of(str(name)) for name in dataset.data_vars if statistic_of(str(name)) == statistic}
    if not found:
        own = sorted({statistic_of(str(name)) for name in dataset.data_vars} - {""})
        known = nearest(statistic, own) if own else "; it has members"
        raise UserError(f"the forecast has no statistic {statistic!r}{known}")
    return _without_idle_coordinates(dataset[list(found)].rename(found))


def is_statistics(dataset: xr.Dataset) -> bool:
    """Return whether a forecast holds statistics of members instead of members."""
    return any(statistic_of(str(name)) for name in dataset.data_vars)


def variable_of(field: str) -> str:
    """Return the variable that a field of a forecast or of its statistics is of: `geopotential_mean` is geopotential.

    Raises:
        UserError: It is of none.
    """
    variable, _ = split_field(field)
    if variable not in VARIABLES:
        raise UserError(f"{field!r} is no field of a forecast{nearest(field, VARIABLES)}")
    return variable


def statistic_of(field: str) -> str:
    """Return the statistic that a field is of: `mean` of `geopotential_mean`; empty where the field is of members."""
    return split_field(field)[1].rpartition("_")[2]


def split_field(field: str) -> tuple[str, str]:
    """Split the name of a field, in any vocabulary, after that of its variable: `t` and `_850_exceedance`."""
    match = _FIELD.fullmatch(field)
    return (match[1], match[2]) if match else (field, "")


def require_grid(dataset: xr.Dataset) -> None:
    """Require that a forecast has rows and columns.

    Raises:
        UserError: It has not, as one of stations.
    """
    if not {"latitude", "longitude"} <= set(dataset.dims):
        raise UserError(f"the forecast is on no grid, it has dimensions {sorted(map(str, dataset.dims))}")


def fields_alone(dataset: xr.Dataset) -> xr.Dataset:
    """Return a forecast in which only fields are data: what else is told of its members is among the coordinates."""
    return dataset.set_coords([name for name in dataset.data_vars if split_field(str(name))[0] not in VARIABLES])


def _require(dataset: xr.Dataset, channel: Channel) -> None:
    own = {str(name): field for name, field in dataset.data_vars.items() if variable_of(str(name)) == channel.variable}
    if not own:
        known = all_known(channel.variable, {variable_of(str(name)) for name in dataset.data_vars}, SEE_DATA)
        raise UserError(f"the forecast has no variable {channel.variable!r}{known}")
    levels = levels_of(dataset)
    if channel.level is not None and channel.level not in levels:
        held = [Channel(channel.variable, level) for level in levels]
        raise UserError(f"{channel.variable} has no level {channel.level} hPa{alternatives(channel, held)}")


def _part(field: xr.DataArray, wanted: Sequence[Channel]) -> xr.DataArray | None:
    """Return what a field has of some channels; None if nothing."""
    name = str(field.name)
    own = [channel for channel in wanted if channel.variable == variable_of(name)]
    if "level" in field.dims:
        levels = [channel.level for channel in own]
        if len(levels) in (0, field.sizes["level"]):
            return field if levels else None
        return field.where(field["level"].isin(levels)) if field.dtype.kind == "f" else field
    of_one_level = [channel for channel in own if channel.level is None or name.startswith(f"{channel}_")]
    return field if of_one_level else None


def _without_idle_coordinates(dataset: xr.Dataset) -> xr.Dataset:
    used = {dim for field in dataset.data_vars.values() for dim in field.dims}
    return dataset.drop_vars([name for name, c in dataset.coords.items() if not set(c.dims) <= used])


def _with_columns(dataset: xr.Dataset, columns: np.ndarray) -> xr.Dataset:
    """Return some columns, from west to east."""
    selected = dataset.isel(longitude=columns)
    longitude = selected["longitude"]
    return selected.assign_coords(longitude=longitude.copy(data=_rising(longitude.values)))


def _rising(longitude: np.ndarray) -> np.ndarray:
    """Return longitudes that go eastward past 360 as ones that rise past 0."""
    turns = np.concatenate([[0], np.cumsum(np.diff(longitude) < 0)])
    rising: np.ndarray = longitude - 360 * (turns[-1] - turns)
    return rising
