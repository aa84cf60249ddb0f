"""The one bridge between labelled datasets and arrays: channels, specifications, and the two conversions."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.grid import REGRID, LatLonGrid
from weatherml.registry import all_known, nearest
from weatherml.variables import find, look_up

SEE_DATA = "weatherml info"
"""Where all names of some data are seen."""

LEADING = ("init_time", "time", "lead_time", "number")
"""Leading dimensions in canonical order."""


@dataclass(frozen=True)
class Channel:
    """One two-dimensional field of the state: a variable, on a pressure level in hPa or (None) at one height."""

    variable: str
    level: int | None = None

    @classmethod
    def parse(cls, text: str, levels: Collection[int] = ()) -> Self:
        """Read `geopotential_500`, `z500`, `2m_temperature`, `t2m` or `10u`.

        CDS calls wind at 10 m `u10`, which could be wind at 10 hPa where that is among the levels.

        Args:
            text: A name in any of the field's vocabularies.
            levels: Of the data at hand, hPa.

        Raises:
            UserError: No known variable reads so, or two do.
        """
        whole = look_up(text)
        match = re.fullmatch(r"(.+?)_?(\d+)", text)
        variable = look_up(match[1]) if match else None
        if match and variable and variable.vertical == "pressure" and whole and int(match[2]) in levels:
            raise UserError(
                f"channel {text!r} is wind at {match[2]} m or at {match[2]} hPa, which is there, too; write"
                f" {whole.earth2_name!r} or '{variable.name}_{match[2]}'"
            )
        if whole and whole.vertical == "surface":
            return cls(whole.name)
        if match and variable and variable.vertical == "pressure":
            return cls(variable.name, int(match[2]))
        if whole:
            raise UserError(f"channel {text!r} needs a pressure level in hPa, for example '{text}_500'")
        find(match[1] if match else text)  # raises, with a suggestion
        raise UserError(
            f"channel {text!r}: {match[1] if match else text} is not on pressure levels; leave the level out"
        )

    def __str__(self) -> str:
        return self.variable if self.level is None else f"{self.variable}_{self.level}"

    @property
    def units(self) -> str:
        """SI units of the field."""
        return find(self.variable).units


@dataclass(frozen=True)
class StateSpec:
    """What an array `[..., channel, lat, lon]` holds: frozen and hashable, so it can be static under `jit`."""

    channels: tuple[Channel, ...]
    grid: LatLonGrid

    def __post_init__(self) -> None:
        if not self.channels:
            raise UserError("a state needs at least one channel, got none")
        repeated = {str(c) for c in self.channels if self.channels.count(c) > 1}
        if repeated:
            raise UserError(f"channels are named twice: {listed(sorted(repeated))}; leave one out")

    @property
    def names(self) -> tuple[str, ...]:
        """Channel names such as `geopotential_500`."""
        return tuple(map(str, self.channels))

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channel, lat, lon)."""
        return (self.n_channels, *self.grid.shape)

    @cached_property
    def levels(self) -> frozenset[int]:
        """All pressure levels, hPa."""
        return levels_in(self.channels)

    @cached_property
    def variables(self) -> dict[str, tuple[int, ...]]:
        """Levels of each variable in rising order; an empty tuple where it has none."""
        levels: dict[str, list[int]] = {}
        for channel in self.channels:
            levels.setdefault(channel.variable, []).extend([] if channel.level is None else [channel.level])
        return {name: tuple(sorted(values)) for name, values in levels.items()}

    def index(self, channel: Channel | str) -> int:
        """Return the position of a channel.

        Raises:
            UserError: The state has no such channel.
        """
        wanted = Channel.parse(channel, self.levels) if isinstance(channel, str) else channel
        if wanted not in self.channels:
            raise UserError(f"the state has no channel {str(wanted)!r}{alternatives(wanted, self.channels)}")
        return self.channels.index(wanted)

    def is_same(self, other: Self) -> bool:
        """Return whether two states have the same channels in the same order on the same grid but for rounding."""
        return self.channels == other.channels and self.grid.is_same(other.grid)

    def check(self, array: Any) -> None:
        """Require that the last three axes of `array` are this state's.

        Raises:
            UserError: They are not; the message says which axis differs.
        """
        shape = tuple(array.shape[-3:])
        if shape != self.shape:
            raise UserError(f"array must end in [channel, lat, lon] = {list(self.shape)}, got {list(shape)}")

    def to_json(self) -> str:
        """Write as JSON, channel names and coordinates in full."""
        grid = {"latitude": self.grid.latitude, "longitude": self.grid.longitude}
        return json.dumps({"channels": self.names, "grid": grid})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        content = json.loads(text)
        grid = LatLonGrid(tuple(content["grid"]["latitude"]), tuple(content["grid"]["longitude"]))
        return cls(parse_channels(content["channels"]), grid)


def parse_channels(names: Iterable[str], levels: Collection[int] = ()) -> tuple[Channel, ...]:
    """Parse channel names; see `Channel.parse`. The levels of those that name one are at hand for the others, too."""
    names = tuple(names)
    at_hand = levels_in(map(Channel.parse, names)).union(levels)
    return tuple(Channel.parse(name, at_hand) for name in names)


def levels_in(channels: Iterable[Channel]) -> frozenset[int]:
    """Return the pressure levels of channels, hPa."""
    return frozenset(channel.level for channel in channels if channel.level is not None)


def levels_of(dataset: xr.Dataset) -> frozenset[int]:
    """Return the pressure levels of a dataset, hPa; none where it has none."""
    return frozenset(map(int, np.atleast_1d(dataset["level"].values))) if "level" in dataset.coords else frozenset()


def alternatives(channel: Channel, known: Iterable[Channel]) -> str:
    """Return `; ...` that says what is there instead of a channel: other levels, or a variable with a near name."""
    known = tuple(known)
    levels = sorted({other.level for other in known if other.variable == channel.variable and other.level is not None})
    if channel.level is None or not levels:
        return all_known(channel.variable, {other.variable for other in known}, SEE_DATA)
    short = f"{find(channel.variable).short_name}{channel.level}m"
    near_ground = look_up(short)
    is_same = near_ground is not None and near_ground.standard_name == find(channel.variable).standard_name
    at_height = f", and {short!r} is that at {channel.level} m" if is_same else ""
    return f"; it is there at {listed(levels)} hPa{at_height}"


def spec_of(dataset: xr.Dataset, channels: Sequence[str] | None = None) -> StateSpec:
    """Describe a canonical dataset as a state.

    Args:
        dataset: Canonical analyses or forecasts.
        channels: Names to keep, in this order; when None all time-dependent fields, each with rising level.

    Raises:
        UserError: A channel is not in the dataset.
    """
    spec = StateSpec(
        parse_channels(channels, levels_of(dataset)) if channels is not None else all_channels(dataset),
        LatLonGrid.from_dataset(dataset),
    )
    for channel in spec.channels:
        _field(dataset, channel)
    return spec


def on_grid(dataset: xr.Dataset, grid: LatLonGrid) -> xr.Dataset:
    """Keep the rows and columns of `grid`, by its coordinates, where a dataset has them all; else return it as it is.

    FourCastNet, for example, leaves the row at the South Pole out. Datasets that lie on one grid but for rounding can
    be added and compared afterwards.
    """
    if all(np.array_equal(dataset[name].values, getattr(grid, name)) for name in ("latitude", "longitude")):
        return dataset  # asked of every block that is read; to make a grid takes longer than to read a small field
    own = LatLonGrid.from_dataset(dataset)
    places = grid.places_in(own)
    if places is None:
        return dataset
    rows, columns = places
    kept = dataset if own.shape == grid.shape else dataset.isel(latitude=rows, longitude=columns)
    horizontal = {"latitude": np.asarray(grid.latitude), "longitude": np.asarray(grid.longitude)}
    attributes = {name: kept[name].attrs for name in horizontal}
    return kept.assign_coords({name: (name, values, attributes[name]) for name, values in horizontal.items()})


def to_array(dataset: xr.Dataset, spec: StateSpec) -> np.ndarray:
    """Convert a canonical dataset to one array.

    Leading dimensions come in the order init_time, time, lead_time, number; other variables are passed over.

    Returns:
        float32 `[..., channel, lat, lon]` in the dataset's SI units.

    Raises:
        UserError: A channel is missing, or the dataset lies on another grid.
    """
    grid = LatLonGrid.from_dataset(dataset)
    if not grid.is_same(spec.grid):
        raise UserError(
            f"dataset lies on another grid ({_describe(grid)}) than the state ({_describe(spec.grid)}); {REGRID}"
        )
    fields = [_field(dataset, channel) for channel in spec.channels]
    dims = tuple(d for d in LEADING if any(d in f.dims for f in fields))
    sizes = {d: dataset.sizes[d] for d in dims}
    array = np.empty((*sizes.values(), *spec.shape), np.float32)
    for position, field in enumerate(fields):
        missing = {d: n for d, n in sizes.items() if d not in field.dims}
        array[..., position, :, :] = field.expand_dims(missing).transpose(*dims, "latitude", "longitude").values
    return array


def to_dataset(array: Any, spec: StateSpec, coords: Mapping[str, Any]) -> xr.Dataset:
    """Convert one array to a canonical dataset.

    Args:
        array: `[..., channel, lat, lon]`, one leading axis for each entry of `coords`.
        spec: What the channels are.
        coords: Values of each leading dimension, in the array's order.

    Returns:
        float32 fields. Levels that only some variables have (ragged sets) are NaN where the state has no channel.

    Raises:
        UserError: The array's shape is not that of `coords` and `spec`.
    """
    spec.check(array)
    array = np.asarray(array, np.float32)
    sizes = tuple(np.size(values) for values in coords.values())
    if array.shape[:-3] != sizes:
        raise UserError(f"array must begin with {dict(zip(coords, sizes, strict=True))}, got {list(array.shape[:-3])}")
    dims = (*coords, "latitude", "longitude")
    levels = sorted({c.level for c in spec.channels if c.level is not None})
    fields = {name: _variable(array, spec, name, dims, levels) for name in spec.variables}
    horizontal = {"latitude": np.asarray(spec.grid.latitude), "longitude": np.asarray(spec.grid.longitude)}
    vertical = {"level": np.asarray(levels, np.int32)} if levels else {}
    return with_metadata(xr.Dataset(fields, {**coords, **vertical, **horizontal}))


def with_metadata(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset with CF attributes, and with `valid_time` where it is a forecast."""
    dataset = dataset.copy(deep=False)
    for name in dataset.data_vars:
        variable = find(str(name))
        dataset[name].attrs.update(units=variable.units, long_name=variable.long_name, **variable.cf_attributes)
    if {"init_time", "lead_time"} <= set(dataset.coords):
        dataset = dataset.assign_coords(valid_time=dataset["init_time"] + dataset["lead_time"])
    for name, attributes in _COORDINATE_ATTRIBUTES.items():
        if name in dataset.coords:
            dataset[name].attrs.update(attributes)
    return dataset


_COORDINATE_ATTRIBUTES = {
    "latitude": {"units": "degrees_north", "standard_name": "latitude", "axis": "Y"},
    "longitude": {"units": "degrees_east", "standard_name": "longitude", "axis": "X"},
    "level": {"units": "hPa", "standard_name": "air_pressure", "axis": "Z", "positive": "down"},
    "time": {"standard_name": "time", "axis": "T"},
    "init_time": {"standard_name": "forecast_reference_time"},
    "lead_time": {"standard_name": "forecast_period"},
    "valid_time": {"standard_name": "time"},
    "number": {"standard_name": "realization"},
}


def _variable(
    array: np.ndarray, spec: StateSpec, name: str, dims: tuple[str, ...], levels: list[int]
) -> tuple[tuple[str, ...], np.ndarray]:
    own = spec.variables[name]
    if not own:
        return dims, array[..., spec.channels.index(Channel(name)), :, :]
    fields = array[..., _as_slice([spec.channels.index(Channel(name, level)) for level in own]), :, :]
    leveled_dims = (*dims[:-2], "level", *dims[-2:])
    if list(own) == levels:
        return leveled_dims, fields
    field = np.full((*array.shape[:-3], len(levels), *spec.grid.shape), np.nan, np.float32)
    field[..., [levels.index(level) for level in own], :, :] = fields
    return leveled_dims, field


def _as_slice(positions: list[int]) -> list[int] | slice:
    """Return positions that follow each other as a slice, which takes a view and no copy."""
    first, last = positions[0], positions[-1]
    return slice(first, last + 1) if positions == list(range(first, last + 1)) else positions


def _field(dataset: xr.Dataset, channel: Channel) -> xr.DataArray:
    if channel.variable not in dataset.data_vars:
        known = all_known(channel.variable, map(str, dataset.data_vars), SEE_DATA)
        raise UserError(f"the data have no variable {channel.variable!r}{known}")
    field = dataset[channel.variable]
    if channel.level is None:
        return field
    levels = field["level"].values.tolist() if "level" in field.dims else []
    if channel.level not in levels:
        own = [Channel(channel.variable, level) for level in levels]
        raise UserError(f"{channel.variable} has no level {channel.level} hPa{alternatives(channel, own)}")
    return field.isel(level=levels.index(channel.level))


def all_channels(dataset: xr.Dataset) -> tuple[Channel, ...]:
    """Return the channels of all time-dependent fields, each with rising level."""
    channels = []
    for name, field in dataset.data_vars.items():
        if not set(LEADING) & set(field.dims):
            continue
        levels = [int(level) for level in field["level"].values] if "level" in field.dims else [None]
        channels += [Channel(str(name), level) for level in levels]
    return tuple(channels)


def _describe(grid: LatLonGrid) -> str:
    north, south, west, east = grid.latitude[0], grid.latitude[-1], grid.longitude[0], grid.longitude[-1]
    return f"{grid.n_lat} x {grid.n_lon}, latitude {north} .. {south}, longitude {west} .. {east}"


def channels_named(key: str, name: str, spec: StateSpec, others: Iterable[str] = ()) -> list[int]:
    """Return the positions of a channel, or of all channels of a variable.

    Args:
        key: Of the configuration, where the name stands.
        name: In any of the field's vocabularies.
        spec: The state.
        others: What else may stand there.

    Raises:
        UserError: The state has neither.
    """
    wanted = full_name(name, spec.levels)
    channels = [index for index, channel in enumerate(spec.channels) if wanted in (channel.variable, str(channel))]
    if not channels:
        raise UserError(
            f"{key} names {name!r}, which is no channel or variable of the state"
            f"{nearest(wanted, {*spec.names, *spec.variables, *others})}"
        )
    return channels


def full_name(name: str, levels: Collection[int] = ()) -> str:
    """Return the canonical name of a channel or variable in any vocabulary; what is neither, as it is.

    Raises:
        UserError: It is two; see `Channel.parse`.
    """
    variable = look_up(name)
    if variable and variable.vertical == "pressure":
        return str(variable.name)
    try:
        Channel.parse(name)
    except UserError:  # nobody knows it
        return name
    return str(Channel.parse(name, levels))
