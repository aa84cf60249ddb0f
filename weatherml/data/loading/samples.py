"""Training samples: windows of consecutive states, normalised, read where they do not fit in memory."""

import copy
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol, Self

import numpy as np
import xarray as xr

from weatherml.data.blocks import block_length
from weatherml.data.loading.readers import Part, Positions, band, parts_of
from weatherml.data.loading.room import Room
from weatherml.data.loading.scaling import Moments, Scaling
from weatherml.data.loading.windows import Windows
from weatherml.data.period import select
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store.maps import Account
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.times import Periods, show_periods, write_periods

MEMORY = 4 * 2**30
"""Bytes that samples and the batches made of them take, where nothing else is said."""

Work = Callable[[], Account]
"""A piece of a batch that a thread makes; what it took to read is returned."""

_ALIGNMENT = 64
"""Bytes."""

_WORK_BYTES = 2**23
"""Of a piece of work at least: shorter ones would be handed out for longer than they take."""


class Batch(NamedTuple):
    """What a training step takes; a single sample has no batch axis.

    Attributes:
        state: Normalised states at consecutive times, float32 `[batch, step + 1, channel, lat, lon]`.
        forcing: Forcings at the same times, float32 `[batch, step + 1, forcing, lat, lon]`.
    """

    state: np.ndarray
    forcing: np.ndarray

    @property
    def n_bytes(self) -> int:
        """Of both arrays."""
        return self.state.nbytes + self.forcing.nbytes


class Samples:
    """Random access to every window of `n_steps + 1` times that lie exactly one time step apart.

    The step is the normaliser's, a multiple of the data's: windows of 24 h steps from hourly data start at every hour.

    Args:
        dataset: Canonical analyses, lazy. A store on a disk is read straight from its files.
        normalizer: Says which channels, and the time step.
        forcings: On the same grid.
        n_steps: Model steps in a window, at least 1.
        period: Which times; several periods leave out what lies between them.
        memory: Bytes for samples and the batches that are prepared of them. A period that fits in half of it, beside
            two of the largest batches where a `Room` says how large, is normalised once and held; otherwise every
            sample is read from the dataset.
        rows: Which of the grid's, for a process that computes a band of latitudes; all when None.

    Attributes:
        n_rows: Of the whole grid.
        n_bytes: Of the fields of all times.
        held_bytes: Of those that are held: all or none.
        memory_left: For batches, bytes.

    Raises:
        UserError: The period holds no such window, the step is no multiple of the data's, the data are not those of the
            statistics, or values are missing where the statistics had data.
    """

    def __init__(
        self,
        dataset: xr.Dataset,
        normalizer: Normalizer,
        forcings: Forcings,
        n_steps: int,
        period: Periods,
        memory: int | Room = MEMORY,
        rows: slice | None = None,
    ) -> None:
        chosen = select(dataset, period)
        _require_statistics_of(chosen, normalizer.statistics, period)
        self._windows = Windows(chosen["time"].values, normalizer.statistics.time_step, n_steps)
        stored = _Stored(chosen, normalizer, forcings, _whole(rows, normalizer.spec.grid.n_lat))
        room = memory if isinstance(memory, Room) else Room(memory)
        self._fields: _Fields = _Held(stored) if room.holds(stored.n_bytes) else stored
        self.held_bytes = stored.n_bytes if isinstance(self._fields, _Held) else 0
        self.n_bytes, self.memory_left = stored.n_bytes, room.n_bytes - self.held_bytes
        self.n_rows, self._buffers = normalizer.spec.grid.n_lat, Buffers()

    def with_n_steps(self, n_steps: int) -> Self:
        """Return the windows of another length over the same fields, which are shared, not read again."""
        return self._with(self._windows.with_n_steps(n_steps))

    def within(self, period: Periods) -> Self:
        """Return the windows that lie whole in a period, or in several, over the same fields, which are shared.

        Raises:
            UserError: There is none.
        """
        return self._with(self._windows.within(period))

    def of_rows(self, rows: slice) -> Self:
        """Return the same windows of a band of latitudes that lies in theirs: what is held of it is shared.

        Args:
            rows: Of the grid's.
        """
        other = self._with(self._windows)
        other._fields = self._fields.of_rows(rows)
        return other

    def _with(self, windows: Windows) -> Self:
        other = copy.copy(self)
        other._windows, other._buffers = windows, Buffers()
        return other

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> Batch:
        """Return one window, `[step + 1, ...]`, without a batch axis; its arrays are shared, not to be written to."""
        return self._fields.window(self._windows.positions([index])[0])

    @property
    def n_steps(self) -> int:
        """Model steps in a window."""
        return self._windows.n_steps

    @property
    def sample_bytes(self) -> int:
        """Of one window."""
        return 4 * (self.n_steps + 1) * sum(int(np.prod(shape)) for shape in self._fields.shapes)

    def times(self, index: int) -> np.ndarray:
        """Return the valid times of one sample, `datetime64[ns]` [step + 1]."""
        times: np.ndarray = self._windows.times[self._windows.positions([index])[0]]
        return times

    def gather(self, indices: Sequence[int]) -> Batch:
        """Make a batch of samples."""
        batch, works = self.begin(indices)
        for work in works:
            work()
        return batch

    def begin(self, indices: Sequence[int]) -> tuple[Batch, list[Work]]:
        """Return a batch of samples whose values are there once all pieces of work are done, in any order."""
        positions = self._windows.positions(indices)
        batch = Batch(*(self._buffers.take((*positions.shape, *shape)) for shape in self._fields.shapes))
        return batch, self._fields.works(positions.ravel(), _flat(batch))


class Buffers:
    """Memory of batches that nobody holds any more, used again: the kernel clears new pages at 1 to 2 GB/s.

    It begins at whole multiples of 64 bytes, as what XLA takes on a CPU without a copy does; copies come at 2 GB/s.
    """

    def __init__(self) -> None:
        self._known: list[np.ndarray] = []

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return an array, float32, whose values may be anything."""
        size = math.prod(shape) + _ALIGNMENT // 4
        free = [place for place in range(len(self._known)) if _is_free(self._known, place)]
        fitting = [place for place in free if self._known[place].size == size]
        if fitting:
            return _aligned(self._known[fitting[0]], shape)
        self._known = [self._known[place] for place in range(len(self._known)) if place not in free]
        self._known.append(np.empty(size, np.float32))
        return _aligned(self._known[-1], shape)


def _aligned(owner: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a view of a slightly larger array."""
    start = -owner.ctypes.data % _ALIGNMENT // 4
    return owner[start : start + math.prod(shape)].reshape(shape)


def _n_holders(arrays: list[np.ndarray], place: int) -> int:
    return sys.getrefcount(arrays[place])


_NOBODY = _n_holders([np.empty(0)], 0)
"""What counts as a holder when nobody is one."""


def _is_free(arrays: list[np.ndarray], place: int) -> bool:
    """Return whether nobody but a list holds an array, or a view of it: each of those, JAX's too, is a holder of it."""
    return _n_holders(arrays, place) <= _NOBODY


_Shapes = tuple[tuple[int, ...], tuple[int, ...]]


class _Fields(Protocol):
    """Normalised states and forcings at all times of a period.

    Attributes:
        shapes: Of both at one time.
    """

    shapes: _Shapes

    def window(self, positions: Positions) -> Batch:
        """Return `state` [time, channel, lat, lon] and `forcing` [time, forcing, lat, lon]."""
        ...

    def works(self, positions: Positions, out: Batch) -> list[Work]:
        """Return what fills arrays `[time, ...]` with the fields at some times."""
        ...

    def of_rows(self, rows: slice) -> "_Fields":
        """Return those of a band of latitudes that lies in theirs."""
        ...


class _Stored:
    """Fields that are read, normalised and computed when they are wanted."""

    def __init__(self, dataset: xr.Dataset, normalizer: Normalizer, forcings: Forcings, rows: slice) -> None:
        spec, self.times = normalizer.spec, dataset["time"].values
        self.rows, self._read_from = rows, (dataset, normalizer, forcings)
        self._parts = parts_of(dataset, spec, rows)
        self._scaling, self._forcings = Scaling(normalizer, rows), _of_rows(forcings, rows)
        shape = self._forcings.grid.shape
        self.shapes: _Shapes = ((spec.n_channels, *shape), (forcings.n_maps, *shape))
        self.block_length = block_length(spec)

    @property
    def n_bytes(self) -> int:
        """Of all fields."""
        return 4 * len(self.times) * sum(int(np.prod(shape)) for shape in self.shapes)

    def window(self, positions: Positions) -> Batch:
        batch = Batch(*(np.empty((len(positions), *shape), np.float32) for shape in self.shapes))
        for work in self.works(positions, batch):
            work()
        return batch

    def works(self, positions: Positions, out: Batch) -> list[Work]:
        moments = self._scaling.moments(self.times[positions])
        works: list[Work] = [partial(self._read, part, positions, moments, out.state) for part in self._parts]
        return _together([*works, partial(self._force, moments.times, out.forcing)], out.n_bytes)

    def of_rows(self, rows: slice) -> "_Stored":
        return self if rows == self.rows else _Stored(*self._read_from, rows)

    def _read(self, part: Part, positions: Positions, moments: Moments, out: np.ndarray) -> Account:
        account, finish = Account(), self._scaling.finish(moments)
        with np.errstate(over="ignore", invalid="ignore"):  # for all tiles at once: a tenth of the time of one
            part.read(positions, out, account, finish)
            for channel in part.channels if finish is None else ():
                self._scaling.apply(channel, out[:, channel], moments)
        return account

    def _force(self, times: np.ndarray, out: np.ndarray) -> Account:
        for index in range(len(times)):  # one by one, for the fields in between are float64
            out[index] = self._forcings.at(times[index : index + 1])[0]
        return Account()


class _Held:
    """Fields that lie in memory; a window whose times follow each other is a view."""

    def __init__(self, stored: _Stored) -> None:
        n_times, self._rows, self.shapes = len(stored.times), stored.rows, stored.shapes
        self._fields = Batch(*(np.empty((n_times, *shape), np.float32) for shape in stored.shapes))
        for start in range(0, n_times, stored.block_length):
            block = np.arange(start, min(start + stored.block_length, n_times))
            for work in stored.works(block, Batch(*(array[block[0] : block[-1] + 1] for array in self._fields))):
                work()

    def window(self, positions: Positions) -> Batch:
        step = int(positions[1] - positions[0])
        chosen = slice(positions[0], positions[-1] + 1, step)
        is_regular = (np.diff(positions) == step).all()
        return Batch(*(array[chosen] if is_regular else array[positions] for array in self._fields))

    def works(self, positions: Positions, out: Batch) -> list[Work]:
        return [partial(self._copy, positions, out)]

    def of_rows(self, rows: slice) -> "_Held":
        other = copy.copy(self)
        here = slice(rows.start - self._rows.start, rows.stop - self._rows.start)
        assert 0 <= here.start < here.stop <= self.shapes[0][1], f"rows {rows} are not among {self._rows}"
        other._fields, other._rows = Batch(*(array[..., here, :] for array in self._fields)), rows
        state, forcing = (array.shape[1:] for array in other._fields)
        other.shapes = state, forcing
        return other

    def _copy(self, positions: Positions, out: Batch) -> Account:
        for array, target in zip(self._fields, out, strict=True):
            if array.flags.c_contiguous:
                np.take(array, positions, axis=0, out=target, mode="clip")  # the mode that needs no copy between
            else:  # a band, of which `take` would copy all times first
                for place, position in enumerate(positions):
                    target[place] = array[position]
        return Account()


def _require_statistics_of(chosen: xr.Dataset, statistics: Statistics, period: Periods) -> None:
    """Refuse statistics of a period that has other times by now; of other periods nothing can be told."""
    n_times = chosen.sizes["time"]
    if statistics.n_times not in (0, n_times) and write_periods(period) == statistics.period:
        raise UserError(
            f"the data hold {counted(n_times, 'time')} in {show_periods(period)}, of which the statistics knew"
            f" {statistics.n_times}: the store has changed since; compute statistics again (weatherml statistics)"
        )


def _whole(rows: slice | None, n_rows: int) -> slice:
    """Return which rows of a grid are meant, with both ends."""
    return slice(*(rows or slice(None)).indices(n_rows)[:2])


def _flat(batch: Batch) -> Batch:
    """Return a batch with its samples' times in one axis, `[batch * (step + 1), ...]`: views."""
    return Batch(*(array.reshape(array.shape[0] * array.shape[1], *array.shape[2:]) for array in batch))


def _of_rows(forcings: Forcings, rows: slice) -> Forcings:
    """Return the forcings of a band of latitudes."""
    dataset = None if forcings.dataset is None else forcings.dataset.isel(latitude=rows)
    return replace(forcings, grid=band(forcings.grid, rows), dataset=dataset)


def _together(works: list[Work], n_bytes: int) -> list[Work]:
    """Return as many pieces of work as are worth being handed out."""
    size = -(-len(works) // max(1, n_bytes // _WORK_BYTES))
    return works if size == 1 else [_sequence(works[start : start + size]) for start in range(0, len(works), size)]


def _sequence(works: list[Work]) -> Work:
    def all_of_them() -> Account:
        accounts = [work() for work in works]
        return Account(sum(a.n_bytes for a in accounts), sum(a.seconds for a in accounts))

    return all_of_them
