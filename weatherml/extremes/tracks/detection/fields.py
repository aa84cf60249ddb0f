"""The fields of one time that criteria ask for, by name: as they are, as differences, and wind speeds."""

from collections.abc import Iterable, Iterator

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.state import Channel, all_channels
from weatherml.wording import listed

_DIFFERENCE = " - "
_SPEEDS = {"10m_wind_speed": "10m_{}_component_of_wind", "wind_speed": "{}_component_of_wind"}
_BLOCK_BYTES = 2**26


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


def each_time(dataset: xr.Dataset, names: Iterable[str]) -> Iterator[tuple[np.datetime64, dict[str, np.ndarray]]]:
    """Read fields time by time, a few times at once; give the time, and each field `[lat, lon]` by its name.

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
    times = dataset["time"].values
    n_each = max(1, _BLOCK_BYTES // max(1, sum(own[:1].nbytes for own in moving.values())))
    for first in range(0, len(times), n_each):
        block = xr.Dataset({part: own[first : first + n_each] for part, own in moving.items()}).load()
        for place, time in enumerate(times[first : first + n_each]):
            own = static | {part: block[part].values[place] for part in moving}
            yield time, {name: _made(name, own) for name in wanted}


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
