"""The sums of a period, group of channels by group, in this process or as tasks of dask."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import xarray as xr
from dask.delayed import delayed

from weatherml.data.blocks import Progress, read_block
from weatherml.data.period import stride_of, usual_step
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.accumulators.sums import Sums
from weatherml.data.statistics.engine.streaming import MEMORY, Accumulator, groups_of, stream
from weatherml.state import StateSpec
from weatherml.storage.share import Share

_OWN_BYTES = 32
"""Of each cell beside the terms: squares, weights, origin, mask, in whole words."""


class Mergeable(Accumulator, Protocol):
    """Takes in blocks of a run, and what others have seen of other runs."""

    def merge(self, other: Any) -> None:
        """Take in what another has seen."""
        ...


class Recipe(Protocol):
    """Says what else is made of the blocks of a pass."""

    @property
    def may_lie_on_disk(self) -> bool:
        """Whether it can be made in a memory-mapped file."""
        ...

    @property
    def remedy(self) -> str:
        """What to do, other than to allow more memory, where it takes too much; empty where it never does."""
        ...

    def cell_bytes(self, times: np.ndarray) -> int:
        """Return what it takes for one cell of a channel."""
        ...

    def start(self, spec: StateSpec, times: np.ndarray, origin: np.ndarray, in_memory: bool) -> Mergeable:
        """Return what takes in the blocks of some channels."""
        ...


@dataclass(frozen=True)
class Gathering:
    """What is summed, and by whom.

    Attributes:
        spec: Channels.
        harmonics: Terms of the climatology.
        steps: Over which changes are taken.
        memory: Bytes that this process, or one task, may hold.
        n_tasks: Into how many runs of times the work is cut; they are dask's where there are several, whichever
            scheduler is active.
        others: What else is made of the same blocks.
    """

    spec: StateSpec
    harmonics: Harmonics
    steps: tuple[np.timedelta64, ...]
    memory: int = MEMORY
    n_tasks: int = 1
    others: tuple[Recipe, ...] = ()

    def groups(self, dataset: xr.Dataset) -> tuple[list[StateSpec], int]:
        """Return the groups of channels, and how many times a block has."""
        times = dataset["time"].values
        remedy = ", ".join(["allow more", *(other.remedy for other in self.others if other.remedy)])
        return groups_of(dataset, self.spec, self.memory, self._cell_bytes(times), remedy=remedy)

    def run(
        self, dataset: xr.Dataset, progress: Progress | None = None, own: slice | None = None
    ) -> Iterator[tuple[slice, Sums]]:
        """Yield the positions and the sums of one group of channels after the other; each value is read once.

        Args:
            dataset: Canonical analyses of the period.
            progress: Told how much is read, and how much there is to read.
            own: Positions of the run of times that is summed, as a part of the period; all when None.
        """
        groups, length = self.groups(dataset)
        own, start = own or slice(0, dataset.sizes["time"]), 0
        for position, group in enumerate(groups):
            told, stop = _part_of(progress, position, len(groups)), start + group.n_channels
            if self.n_tasks == 1:
                yield slice(start, stop), self._sum(_Run.of(dataset, group, own), group, length, told)
            else:
                yield slice(start, stop), self._on_dask(dataset, group, own, length, told)
            start = stop

    def _sum(self, run: "_Run", group: StateSpec, length: int, progress: Progress | None = None) -> Sums:
        origin, times = read_block(run.first, group, slice(1))[0], run.times
        sums = Sums(group, self.harmonics, self.steps, origin)
        sums.others = [other.start(group, times, origin, self._is_held(other, times)) for other in self.others]
        stream(run.analyses, group, [sums, *sums.others], length, progress)
        return sums

    def _on_dask(
        self, dataset: xr.Dataset, group: StateSpec, own: slice, length: int, progress: Progress | None
    ) -> Sums:
        n_times, n_tasks = own.stop - own.start, min(self.n_tasks, own.stop - own.start)
        bounds = np.linspace(0, n_times, n_tasks + 1).astype(int) + own.start
        one = delayed(_sum_run, pure=False)
        task = replace(self, n_tasks=1)
        runs = [_Run.of(dataset, group, slice(*ends)) for ends in pairwise(bounds)]
        # What dask sees among arguments it would compute before the task, all of it; the task reads block by block.
        parts = [one(task, partial(_itself, run), group, length) for run in runs]
        while len(parts) > 1:
            pairs = [parts[start : start + 2] for start in range(0, len(parts), 2)]
            parts = [delayed(_merged, pure=False)(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
        sums: Sums = parts[0].compute()
        if progress is not None:
            progress(n_times, n_times)
        return sums

    def _cell_bytes(self, times: np.ndarray) -> int:
        """Return what the sums take for one cell of a channel."""
        term_bytes, result_bytes = 8 * self.harmonics.n_terms, 4 * self.harmonics.n_terms
        has_gaps = len(times) > 1 and (np.diff(times) != usual_step(times)).any()
        n_fields = 2 * max(stride_of(times, step) for step in self.steps)
        others = sum(other.cell_bytes(times) for other in self.others if self._is_held(other, times))
        n_sums = 1 + (len(self.steps) if has_gaps else 0)
        return _OWN_BYTES + term_bytes * n_sums + result_bytes + 4 * n_fields + others

    def _is_held(self, other: Recipe, times: np.ndarray) -> bool:
        """Return whether it lies in memory: what may lie on a disk does if one channel fits into half of it."""
        return (
            not other.may_lie_on_disk
            or other.cell_bytes(times) * int(np.prod(self.spec.grid.shape)) <= self.memory // 2
        )


class _Run(NamedTuple):
    """A run of times of the variables of a group, lazy.

    Attributes:
        first: Analyses at the first time of the period.
        analyses: Those of the run.
        times: Of the period, `datetime64[ns]` [time].
    """

    first: xr.Dataset
    analyses: xr.Dataset
    times: np.ndarray

    @classmethod
    def of(cls, dataset: xr.Dataset, group: StateSpec, own: slice) -> Self:
        """Return the times at some positions of a period."""
        wanted = dataset[list(group.variables)]
        return cls(wanted.isel(time=slice(1)), wanted.isel(time=own), dataset["time"].values)


def run_of(n_times: int, share: Share) -> slice:
    """Return the positions of the times that are a share's: one run of them, as long as the others' or one longer."""
    return slice(share.index * n_times // share.count, (share.index + 1) * n_times // share.count)


def _sum_run(gathering: Gathering, run: Callable[[], _Run], group: StateSpec, length: int) -> Sums:
    return gathering._sum(run(), group, length)


def _itself(run: _Run) -> _Run:
    return run


def _merged(first: Sums, second: Sums) -> Sums:
    first.merge(second)
    return first


def _part_of(progress: Progress | None, position: int, n_parts: int) -> Progress | None:
    """Return what tells of one of several parts of the same length."""
    if progress is None:
        return None
    return lambda done, total: progress(position * total + done, n_parts * total)
