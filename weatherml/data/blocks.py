"""A dataset as a stream of arrays, a block of time after the other, so that memory stays bounded."""

from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr

from weatherml.state import StateSpec, to_array

# Large enough that reading, not Python, takes the time; small enough for float64 copies of it to pass quickly.
Progress = Callable[[int, int], None]
"""Told how many are done, and how many there are."""

_BLOCK_BYTES = 16 * 2**20


def iterate_blocks(
    dataset: xr.Dataset, spec: StateSpec, progress: Progress | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield times `[time]` and float32 arrays `[time, channel, lat, lon]` in SI units, in order, each time once."""
    length, n_times = block_length(spec), dataset.sizes["time"]
    for start in range(0, n_times, length):
        block = slice(start, start + length)
        yield dataset["time"].values[block], read_block(dataset, spec, block)
        if progress is not None:
            progress(min(start + length, n_times), n_times)


def block_length(spec: StateSpec) -> int:
    """Return how many times of a state make one block, at least 1."""
    return max(1, _BLOCK_BYTES // (4 * int(np.prod(spec.shape))))


def read_block(dataset: xr.Dataset, spec: StateSpec, times: slice) -> np.ndarray:
    """Read consecutive times as float32 `[time, channel, lat, lon]` in SI units; each stored chunk is read once."""
    block = dataset[list(spec.variables)].isel(time=times)
    if "level" in block.dims:
        wanted = sorted({c.level for c in spec.channels if c.level is not None})
        kept = np.flatnonzero(np.isin(block["level"].values, wanted))
        block = block if len(kept) == block.sizes["level"] else block.isel(level=kept)
    return to_array(block.load(), spec)
