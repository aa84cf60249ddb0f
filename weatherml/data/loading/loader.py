"""Training samples: windows of consecutive states, normalised, in a reproducible order."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Self

import grain
import numpy as np
import xarray as xr

from weatherml.data.blocks import block_length, read_block
from weatherml.data.period import select, stride_of
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.times import Period

_PREFETCH_BYTES = 2**30


class Batch(NamedTuple):
    """What a training step takes; a single sample has no batch axis.

    Attributes:
        state: Normalised states at consecutive times, float32 `[batch, step + 1, channel, lat, lon]`.
        forcing: Forcings at the same times, float32 `[batch, step + 1, forcing, lat, lon]`.
    """

    state: np.ndarray
    forcing: np.ndarray


class Samples:
    """Random access to every window of `n_steps + 1` times that lie exactly one time step apart.

    The step is the normaliser's, a multiple of the data's: windows of 24 h steps from hourly data start at every hour.

    Args:
        dataset: Canonical analyses, lazy.
        normalizer: Says which channels, and the time step.
        forcings: On the same grid.
        n_steps: Model steps in a window, at least 1.
        period: Which times.
        memory_budget: Bytes. A period that fits is normalised once and held; otherwise every sample is read from the
            dataset.

    Raises:
        UserError: The period holds no such window, the step is no multiple of the data's, or values are missing where
            the statistics had data.
    """

    def __init__(
        self,
        dataset: xr.Dataset,
        normalizer: Normalizer,
        forcings: Forcings,
        n_steps: int,
        period: Period,
        memory_budget: int = 4 * 2**30,
    ) -> None:
        stored = _Stored(select(dataset, period), normalizer, forcings)
        self._fields: _Fields = _Held(stored) if stored.n_bytes <= memory_budget else stored
        self._times, self._time_step = stored.times, normalizer.statistics.time_step
        self._stride = stride_of(self._times, self._time_step)
        self._start_at(n_steps)

    def with_n_steps(self, n_steps: int) -> Self:
        """Return the windows of another length over the same fields, which are shared, not read again."""
        other = copy.copy(self)
        other._start_at(n_steps)
        return other

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> Batch:
        """Return one window, `[step + 1, ...]`, without a batch axis; its arrays are shared, not to be written to."""
        return self._fields.window(self._window(index))

    def times(self, index: int) -> np.ndarray:
        """Return the valid times of one sample, `datetime64[ns]` [step + 1]."""
        return self._times[self._window(index)]

    def gather(self, indices: Sequence[int]) -> Batch:
        """Stack samples into a batch."""
        states, forcings = zip(*(self[index] for index in indices), strict=True)
        return Batch(np.stack(states), np.stack(forcings))

    def _start_at(self, n_steps: int) -> None:
        self._length = n_steps * self._stride + 1
        self._starts = _window_starts(self._times, self._time_step, self._stride, n_steps)
        if not len(self._starts):
            step = self._time_step / np.timedelta64(1, "h")
            raise UserError(
                f"{self._times[0]} .. {self._times[-1]} holds no {n_steps + 1} consecutive times {step:g} h apart;"
                " choose a longer period or fewer steps"
            )

    def _window(self, index: int) -> slice:
        return slice(self._starts[index], self._starts[index] + self._length, self._stride)


def build_loader(samples: Samples, batch_size: int, seed: int) -> Any:
    """Build the endless iterator of training batches.

    Each epoch is a new permutation of the samples, a function of `seed` and the epoch alone, less the last incomplete
    batch. Batches are prepared ahead by threads.

    Args:
        samples: What to draw from.
        batch_size: Samples in a batch.
        seed: Of the permutations.

    Returns:
        A grain iterator of `Batch`; `get_state` and `set_state` continue it at exactly the next batch.

    Raises:
        UserError: There are fewer samples than a batch holds.
    """
    if not 1 <= batch_size <= len(samples):
        raise UserError(
            f"batch size {batch_size} must be from 1 to {len(samples)}, the number of samples;"
            " choose a smaller batch or a longer period"
        )
    order = grain.MapDataset.range(len(samples)).shuffle(seed=seed)
    batches = order.batch(batch_size, drop_remainder=True, batch_fn=samples.gather).repeat()
    n_ahead = _n_batches_ahead(samples, batch_size)
    options = grain.ReadOptions(num_threads=n_ahead, prefetch_buffer_size=n_ahead)
    return iter(batches.to_iter_dataset(options))


class _Fields(Protocol):
    """Normalised states and forcings at all times of a period."""

    def window(self, times: slice) -> Batch:
        """Return `state` [time, channel, lat, lon] and `forcing` [time, forcing, lat, lon]."""
        ...


class _Stored:
    """Fields that are read, normalised and computed when they are wanted."""

    def __init__(self, dataset: xr.Dataset, normalizer: Normalizer, forcings: Forcings) -> None:
        self.dataset, self.normalizer, self.forcings = dataset, normalizer, forcings
        self.times = dataset["time"].values

    @property
    def n_bytes(self) -> int:
        n_maps = self.normalizer.spec.n_channels + self.forcings.n_maps
        return 4 * len(self.times) * n_maps * int(np.prod(self.normalizer.spec.grid.shape))

    def window(self, times: slice) -> Batch:
        spec, valid_times = self.normalizer.spec, self.times[times]
        state = self.normalizer.normalize(read_block(self.dataset, spec, times), valid_times)
        finite = np.isfinite(state).all(axis=(2, 3))
        if not finite.all():
            time, channel = np.argwhere(~finite)[0]
            raise UserError(
                f"channel {spec.names[channel]} has missing values at {valid_times[time]} in cells that had data when"
                " the statistics were computed; leave that time out of the period or fill the gap"
            )
        return Batch(state, self.forcings.at(valid_times))


class _Held:
    """Fields that lie in memory; windows are views."""

    def __init__(self, stored: _Stored) -> None:
        n_times, shape = len(stored.times), stored.normalizer.spec.grid.shape
        self._state = np.empty((n_times, *stored.normalizer.spec.shape), np.float32)
        self._forcing = np.empty((n_times, stored.forcings.n_maps, *shape), np.float32)
        length = block_length(stored.normalizer.spec)
        for start in range(0, n_times, length):
            block = slice(start, start + length)
            self._state[block], self._forcing[block] = stored.window(block)

    def window(self, times: slice) -> Batch:
        return Batch(self._state[times], self._forcing[times])


def _window_starts(times: np.ndarray, time_step: np.timedelta64, stride: int, n_steps: int) -> np.ndarray:
    """Return the positions from which every `stride`-th time is a time step later, `n_steps` times in a row."""
    if n_steps < 1:
        raise UserError(f"n_steps must be at least 1, got {n_steps}")
    is_step = times[stride:] - times[:-stride] == time_step
    if len(is_step) <= (n_steps - 1) * stride:
        return np.empty(0, int)
    windows = np.lib.stride_tricks.sliding_window_view(is_step, (n_steps - 1) * stride + 1)
    return np.flatnonzero(windows[:, ::stride].all(axis=1))


def _n_batches_ahead(samples: Samples, batch_size: int) -> int:
    """Return how many batches threads prepare at once: what a gigabyte holds, from 2 to 16."""
    batch_bytes = batch_size * sum(array.nbytes for array in samples[0])
    return int(np.clip(_PREFETCH_BYTES // batch_bytes, 2, 16))
