"""What reads the states of a dataset: straight from the files of a store, or by way of its libraries."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.store.guard import StoreGuard
from weatherml.data.store.maps import Account, Finish, StoredMaps, StoreWatch, Wanted, finish_maps
from weatherml.errors import UserError
from weatherml.grid import REGRID, LatLonGrid
from weatherml.state import StateSpec, spec_of
from weatherml.storage.guarded import what_guards
from weatherml.storage.places.local import LocalPlace

Positions = npt.NDArray[np.int64]


class Part(Protocol):
    """Channels of one variable, which are read together; several parts are read side by side.

    Attributes:
        channels: Their positions in the state.
    """

    @property
    def channels(self) -> Sequence[int]:
        """Their positions in the state."""
        ...

    def read(self, times: Positions, out: np.ndarray, account: Account, finish: Finish | None = None) -> None:
        """Read times, in any order, into their channels of `out`, float32 `[time, channel, row, lon]`.

        They are in SI units, where they are not finished otherwise.
        """
        ...


@dataclass(frozen=True)
class StoredPart:
    """Channels that lie in the files of a store on a disk.

    Attributes:
        maps: The variable.
        times: Where the dataset's times are in the store, `[time]`.
        levels: Where the channels are in the store.
        rows: Which are wanted, of the store's.
        channels: Positions in the state.
    """

    maps: StoredMaps
    times: Positions
    levels: tuple[int, ...]
    rows: slice
    channels: tuple[int, ...]

    def read(self, times: Positions, out: np.ndarray, account: Account, finish: Finish | None = None) -> None:
        """Read from the files; each chunk is decoded once."""
        self.maps.read(Wanted(self.times[times], self.levels, self.rows, out, self.channels, finish), account)


@dataclass(frozen=True)
class LazyPart:
    """Channels of any dataset: in memory, in a bucket, made by dask.

    Attributes:
        field: `[time, channel, row, lon]`, or without channels.
        channels: Positions in the state.
    """

    field: xr.DataArray
    channels: tuple[int, ...]

    def read(self, times: Positions, out: np.ndarray, account: Account, finish: Finish | None = None) -> None:
        """Read by way of xarray; each time once."""
        unique, places = np.unique(times, return_inverse=True)
        started = time.perf_counter()
        values = self.field.isel(time=_as_slice(unique)).values
        values = values.reshape(len(unique), len(self.channels), *values.shape[-2:])
        account.seconds += time.perf_counter() - started
        account.n_bytes += values.nbytes
        for index, channel in enumerate(self.channels):
            out[:, channel] = values[places, index]
            for time_ in range(len(out)):
                finish_maps(finish, time_, channel, out[time_, channel : channel + 1])


class _Selection(NamedTuple):
    maps: StoredMaps
    times: Positions
    levels: list[int]
    rows: slice


def parts_of(dataset: xr.Dataset, spec: StateSpec, rows: slice) -> list[Part]:
    """Return what reads a state from a dataset.

    Args:
        dataset: Canonical analyses.
        spec: Its channels, and the grid.
        rows: Which of the grid's are wanted.

    Raises:
        UserError: The dataset lacks a channel, lies on another grid, or is a store that has changed meanwhile.
    """
    own = spec_of(dataset, spec.names)
    if not own.grid.is_same(spec.grid):
        raise UserError(
            f"the data lie on a grid of {own.grid.n_lat} x {own.grid.n_lon}, the statistics on one of"
            f" {spec.grid.n_lat} x {spec.grid.n_lon}; compute statistics of these data, or {REGRID}"
        )
    opener = _Opener(dataset, spec, rows)
    return [part for name in spec.variables for part in opener.parts(name)]


class _Opener:
    """Finds the files behind the variables of a dataset, where there are such."""

    def __init__(self, dataset: xr.Dataset, spec: StateSpec, rows: slice) -> None:
        self._dataset, self._spec, self._rows = dataset, spec, rows
        self._watches: dict[int, StoreWatch] = {}

    def parts(self, name: str) -> Iterator[Part]:
        """Yield the parts of one variable: one a level where levels are in chunks of their own."""
        channels = [index for index, channel in enumerate(self._spec.channels) if channel.variable == name]
        field, levels = self._dataset[name].transpose("time", ..., "latitude", "longitude"), [0]
        if "level" in field.dims:
            known = field["level"].values.tolist()
            levels = [known.index(self._spec.channels[index].level) for index in channels]
        selection = self._stored(name, field, levels)
        if selection is None:
            chosen = field.isel(latitude=self._rows)
            yield LazyPart(chosen.isel(level=levels) if "level" in field.dims else chosen, tuple(channels))
            return
        maps, times, levels, rows = selection
        size = 1 if maps.n_levels_together == 1 else len(channels)
        for start in range(0, len(channels), size):
            own = slice(start, start + size)
            yield StoredPart(maps, times, tuple(levels[own]), rows, tuple(channels[own]))

    def _stored(self, name: str, field: xr.DataArray, levels: list[int]) -> _Selection | None:
        """Return a variable of a store on a disk, and what of it is wanted; None where it is no such."""
        variable = self._dataset[name].variable
        guarded = what_guards(variable)
        if guarded is None or not isinstance(guarded[0], StoreGuard) or field.dims != variable.dims:
            return None
        guard, places = guarded[0], [np.arange(n)[key] for n, key in zip(guarded[0].shape, guarded[1], strict=True)]
        rows = places[-2][self._rows]
        is_band = (np.diff(rows) == 1).all() and np.array_equal(places[-1], np.arange(guard.shape[-1]))
        maps = self._maps(guard) if is_band else None
        if maps is None:
            return None
        own_levels = places[1][levels].tolist() if len(places) == 4 else levels
        return _Selection(maps, places[0], own_levels, slice(int(rows[0]), int(rows[-1]) + 1))

    def _maps(self, guard: StoreGuard) -> StoredMaps | None:
        if not isinstance(guard.place, LocalPlace):
            return None
        watch = self._watches.get(id(guard.place))
        if watch is None:
            watch = self._watches[id(guard.place)] = StoreWatch(guard.place, self._dataset.attrs.get("digest"))
        return StoredMaps.of(guard, watch)


def _as_slice(positions: Positions) -> slice | Positions:
    """Return positions that follow each other as a slice, which some sources read at once."""
    first, last = int(positions[0]), int(positions[-1])
    return slice(first, last + 1) if last - first + 1 == len(positions) else positions


def band(grid: LatLonGrid, rows: slice) -> LatLonGrid:
    """Return the rows of a grid."""
    return LatLonGrid(grid.latitude[rows], grid.longitude)
