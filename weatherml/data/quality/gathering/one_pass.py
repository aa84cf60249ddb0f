"""One pass over a dataset: every value is read once, on any scheduler of dask, in memory that does not grow."""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import xarray as xr
from dask.base import compute
from dask.delayed import delayed

from weatherml.data.blocks import Progress
from weatherml.data.quality.evidence import ChannelEvidence, Evidence, Snapshots
from weatherml.data.quality.gathering.block import Chosen, Partial, look_at
from weatherml.data.quality.gathering.blocks import Block, as_fields, blocks_of, level_groups, stream_of
from weatherml.data.quality.gathering.coarsening import Coarsening
from weatherml.data.quality.gathering.running import Running
from weatherml.data.reading.canonical import STATIC
from weatherml.grid import LatLonGrid
from weatherml.state import LEADING, Channel
from weatherml.variables import VARIABLES

_AT_ONCE, _BYTES_AT_ONCE = 8, 256 * 2**20
"""Blocks that this process looks at side by side, at most, and their bytes."""
_HORIZONTAL = {"latitude", "longitude"}
_MOST_SNAPSHOTS = 64
_SNAPSHOT_BYTES = 128 * 2**20
_FEWEST_ROWS, _MOST_ROWS, _ROW_CELLS = 16, 256, 2**24
"""Times whose rows are compared, and how many cells of a level are looked at so: few fields show which rows differ."""


@dataclass(eq=False)
class _Pass:
    """The state of a pass over a dataset."""

    dataset: xr.Dataset
    coarsening: Coarsening
    channels: dict[Channel, ChannelEvidence] = field(default_factory=dict)
    snapshots: dict[Channel, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Job:
    block: Block
    running: Running
    channels: list[Channel]
    chosen: Chosen


def gather(dataset: xr.Dataset, progress: Progress | None = None) -> Evidence:
    """Read a canonical dataset once, and return what rules need to know of it.

    Args:
        dataset: Canonical, its values lazy or in memory.
        progress: Told how many blocks are read, and how many there are.

    Raises:
        UserError: Its grid is none.
    """
    names = [name for name, field in dataset.data_vars.items() if name in VARIABLES and _has_fields(field)]
    own = _Pass(dataset, Coarsening.of(LatLonGrid.from_dataset(dataset)))
    static = {str(name): as_fields(dataset[name].variable)[0, 0, 0] for name in names if _is_static(dataset[name])}
    moving = [dataset[name] for name in names if name not in static]
    picks = _picks(moving, own.coarsening)
    jobs = [job for each in moving for job in _jobs(each, own, picks)]
    n_done = 0
    for wave in _waves(jobs):
        for job, found in zip(wave, _look(wave, own.coarsening), strict=True):
            _take(job, found, own)
            n_done += 1
            if progress is not None:
                progress(n_done, len(jobs))
    return _evidence(own, picks, static)


def _has_fields(variable: xr.DataArray) -> bool:
    return _HORIZONTAL <= set(variable.dims) and variable.dtype.kind in "biuf"


def _is_static(variable: xr.DataArray) -> bool:
    return variable.name in STATIC and not set(LEADING) & set(variable.dims)


def _picks(fields: Sequence[xr.DataArray], coarsening: Coarsening) -> np.ndarray:
    """Return the positions of the times that are kept of all channels."""
    n_channels = sum(each.sizes.get("level", 1) for each in fields)
    n_times = max((_n_times(each) for each in fields), default=0)
    affordable = _SNAPSHOT_BYTES // max(4 * n_channels * int(np.prod(coarsening.coarse.shape)), 1)
    return _spread(n_times, int(np.clip(affordable, 1, _MOST_SNAPSHOTS)))


def _times(dataset: xr.Dataset) -> np.ndarray:
    """Return the times of a dataset; none where it has none, or one of them cannot be told."""
    times = dataset["time"].values if "time" in dataset.dims else np.zeros(0, "datetime64[ns]")
    return np.zeros(0, "datetime64[ns]") if np.isnat(times).any() else np.asarray(times)


def _n_times(each: xr.DataArray) -> int:
    stream = stream_of(each.variable)
    return 1 if stream is None else each.sizes[stream]


def _spread(number: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, number - 1, min(number, most)).round().astype(int)) if number else np.zeros(0, int)


def _jobs(each: xr.DataArray, own: _Pass, picks: np.ndarray) -> Iterator[_Job]:
    times = _times(own.dataset) if "time" in each.dims else np.zeros(0)
    times = times if len(times) else np.arange(_n_times(each))
    levels = each["level"].values if "level" in each.dims else [None]
    affordable = _ROW_CELLS // int(np.prod(own.coarsening.grid.shape))
    in_rows = _spread(len(times), int(np.clip(affordable, _FEWEST_ROWS, _MOST_ROWS)))
    for group in level_groups(each.variable):
        running = Running(own.coarsening.coarse.area_weights(), own.coarsening.grid, each.attrs)
        channels = [Channel(str(each.name), None if level is None else int(level)) for level in levels[group]]
        for block in blocks_of(each.variable, group):
            chosen = Chosen(times[block.times], _inside(in_rows, block.times), _inside(picks, block.times))
            yield _Job(block, running, channels, chosen)


def _inside(positions: np.ndarray, times: slice) -> np.ndarray:
    chosen = positions[(positions >= times.start) & (positions < times.stop)]
    return np.asarray(chosen - times.start)


def _waves(jobs: Sequence[_Job]) -> Iterator[list[_Job]]:
    """Yield the blocks that are looked at side by side: as many as this process, or a cluster, has room for."""
    wave: list[_Job] = []
    n_threads = _threads_elsewhere()
    most, most_bytes = (2 * n_threads, math.inf) if n_threads else (_AT_ONCE, _BYTES_AT_ONCE)
    for job in jobs:
        if len(wave) == most or (wave and sum(j.block.nbytes for j in [*wave, job]) > most_bytes):
            yield wave
            wave = []
        wave.append(job)
    if wave:
        yield wave


def _threads_elsewhere() -> int:
    """Return how many threads the workers of a dask client have; 0 where there is none."""
    distributed = sys.modules.get("distributed")  # whoever has a client has imported it
    try:
        return sum(distributed.default_client().nthreads().values()) if distributed else 0
    except ValueError:
        return 0


def _look(wave: Sequence[_Job], coarsening: Coarsening) -> Sequence[Partial]:
    tasks = [_delayed(job, coarsening) for job in wave]
    found: Sequence[Partial] = compute(*tasks)  # type: ignore[no-untyped-call]
    return found


def _delayed(job: _Job, coarsening: Coarsening) -> object:
    lazy = job.block.lazy
    look = delayed(partial(_look_at, chosen=job.chosen, coarsening=coarsening), pure=False)
    # Values that are not dask's are read by whoever looks at them; dask would have a look at its arguments.
    return look(lazy) if lazy.chunks is not None else look(partial(_itself, lazy))


def _itself(lazy: xr.Variable) -> xr.Variable:
    return lazy


def _look_at(values: object, chosen: Chosen, coarsening: Coarsening) -> Partial:
    variable = values() if callable(values) else values
    assert isinstance(variable, xr.Variable)
    with np.errstate(over="ignore", invalid="ignore"):  # of absurd values, which the range of all shows
        return look_at(as_fields(variable), chosen, coarsening)


def _take(job: _Job, found: Partial, own: _Pass) -> None:
    job.running.add(found)
    if job.block.is_last:
        own.channels |= job.running.evidence(job.channels)
        kept = job.running.snapshots()
        own.snapshots |= {channel: kept[:, level] for level, channel in enumerate(job.channels)}


def _evidence(own: _Pass, picks: np.ndarray, static: dict[str, np.ndarray]) -> Evidence:
    times = _times(own.dataset)
    grid, coarse = own.coarsening.grid, own.coarsening.coarse
    values = np.full((len(picks), len(own.channels), *coarse.shape), np.nan, np.float32)
    for position, kept in enumerate(own.snapshots.values()):
        values[: len(kept), position] = kept
    sampled = times[picks] if len(times) else np.full(len(picks), np.datetime64("NaT", "ns"))
    return Evidence(grid, coarse, times, own.channels, Snapshots(sampled, values), static)
