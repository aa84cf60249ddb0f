"""The fields of one time that criteria ask for, by name: as they are, as differences, and wind speeds."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.state import Channel, all_channels

_DIFFERENCE = " - "
_SPEEDS = {"10m_wind_speed": "10m_{}_component_of_wind", "wind_speed": "{}_component_of_wind"}
BLOCK_BYTES = 2**26
"""Bytes of fields that are read at once, unless chunks are larger."""


def parts_of(name: str, dataset: xr.Dataset) -> list[str]:
    """Return the names of the fields that one is made of; itself where it is there.

    Raises:
        UserError: Something is not there.
    """
    if _DIFFERENCE in name:
        return [part for own in name.split(_DIFFERENCE) for part in parts_of(own, dataset)]
    if _has(dataset, name):
        return [name]
    components = _components(name)
    if components and all(_has(dataset, own) for own in components):
        return components
    lacking = f"{name!r}, nor {' and '.join(components)}" if components else repr(name)
    raise UserError(
        f"the fields have no {lacking}, only {listed(_names(dataset))}; add it, or take a detection that does without"
    )


def variables_of(names: Iterable[str], dataset: xr.Dataset) -> list[str]:
    """Return the variables that fields by these names are read from.

    Raises:
        UserError: As `parts_of`.
    """
    parts = dict.fromkeys(part for name in names for part in parts_of(name, dataset))
    own = [part if part in dataset.data_vars else Channel.parse(part).variable for part in parts]
    return list(dict.fromkeys(own))


def each_time(dataset: xr.Dataset, names: Iterable[str]) -> Iterator[tuple[np.datetime64, dict[str, np.ndarray]]]:
    """Read fields time by time, a few times at once; give the time, and each field `[lat, lon]` by its name.

    What is lazy is read by whole blocks of its times, so nothing is computed again for the next times.

    Args:
        dataset: Dims (time, level, latitude, longitude); of fields without time, such as a land mask, one for all.
        names: As in criteria.

    Raises:
        UserError: As `parts_of`.
    """
    wanted = list(names)
    parts = dict.fromkeys(part for name in wanted for part in parts_of(name, dataset))
    arrays = {part: _array(dataset, part) for part in parts}
    static = {part: own.values for part, own in arrays.items() if "time" not in own.dims}
    moving = {part: own for part, own in arrays.items() if part not in static}
    n_most = max(1, BLOCK_BYTES // max(1, sum(own[:1].nbytes for own in moving.values())))
    alike: dict[tuple[int, ...], dict[str, xr.DataArray]] = {}  # what has the same blocks may share what it is made of
    for part, own in moving.items():
        alike.setdefault(own.chunksizes.get("time", ()), {})[part] = own
    readers = [_read(own, _borders(chunks, len(dataset["time"]), n_most)) for chunks, own in alike.items()]
    for time, *read in zip(dataset["time"].values, *readers, strict=True):
        values = static | {part: field for fields in read for part, field in fields.items()}
        yield time, {name: _made(name, values) for name in wanted}


def _read(arrays: dict[str, xr.DataArray], borders: list[int]) -> Iterator[dict[str, np.ndarray]]:
    """Give the fields of each time, read from border to border."""
    for first, end in pairwise(borders):
        block = xr.Dataset({part: own[first:end] for part, own in arrays.items()}).load()
        values = {part: own.values for part, own in block.items()}
        yield from ({str(part): own[place] for part, own in values.items()} for place in range(end - first))


def _borders(chunks: tuple[int, ...], n_times: int, n_most: int) -> list[int]:
    """Return where to begin reading anew: after so many times at most, but never within a chunk."""
    ends = np.cumsum(chunks).tolist() if chunks else list(range(1, n_times + 1))
    borders = [0]
    for end, after in pairwise([*ends, None]):
        if after is None or after - borders[-1] > n_most:
            borders.append(end)
    return borders


def _made(name: str, parts: dict[str, np.ndarray]) -> np.ndarray:
    if _DIFFERENCE in name:
        first, *others = (_made(own, parts) for own in name.split(_DIFFERENCE))
        return np.asarray(first - np.sum(others, axis=0))
    if name in parts:
        return parts[name]
    east, north = (parts[own] for own in _components(name))
    speed: np.ndarray = np.hypot(east, north)
    return speed


def _components(name: str) -> list[str]:
    """Return the names of the components of a wind whose speed it is; none of what is no speed."""
    for speed, component in _SPEEDS.items():
        if name == speed or name.startswith(f"{speed}_"):
            return [component.format(own) + name.removeprefix(speed) for own in "uv"]
    return []


def _has(dataset: xr.Dataset, name: str) -> bool:
    try:
        _array(dataset, name)
    except (UserError, KeyError):
        return False
    return True


def _array(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """Return a field, dims ([time,] latitude, longitude)."""
    if name in dataset.data_vars and "level" not in dataset[name].dims:
        field = dataset[name]
    else:
        channel = Channel.parse(name)
        field = dataset[channel.variable]
        if "level" in field.dims:
            field = field.sel(level=channel.level)
        elif channel.level is not None and int(field["level"]) != channel.level:
            raise KeyError(name)
    return field.drop_vars("level", errors="ignore").transpose(..., "latitude", "longitude")


def _names(dataset: xr.Dataset) -> list[str]:
    known = list(map(str, all_channels(dataset)))
    return known or list(map(str, dataset.data_vars))
