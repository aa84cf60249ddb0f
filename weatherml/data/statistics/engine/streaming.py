"""One pass over the times of a period: every value is read once, and memory does not grow with the period.

Channels are taken in groups whose sums fit into a stated memory; fields that are stored together are read together.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import xarray as xr

from weatherml.data.blocks import Progress, read_block
from weatherml.errors import UserError
from weatherml.state import StateSpec

MEMORY = 4 * 2**30
"""Bytes that a pass may hold unless told otherwise."""
_BLOCK_BYTES = 16 * 2**20
_BLOCK_TIMES = 32
"""Times of a block where memory allows: a product with fewer is bound by the memory of its result."""
_COPIES = 3
"""Blocks that are there at once: one being read, in two copies for a moment, and one being added."""


class Accumulator(Protocol):
    """Takes in blocks of the run that it is of."""

    def add(self, times: np.ndarray, array: np.ndarray) -> None:
        """Take in float32 `[time, channel, lat, lon]` at rising `times`, later than those before."""
        ...


def stream(
    dataset: xr.Dataset, spec: StateSpec, accumulators: Sequence[Accumulator], length: int, progress: Progress | None
) -> None:
    """Read all times of a dataset once, the next block while one is added."""
    times, chunk = dataset["time"].values, stored_length(dataset, spec)
    starts = list(range(0, len(times), max(1, length // chunk) * chunk))
    blocks = [slice(start, stop) for start, stop in zip(starts, [*starts[1:], len(times)], strict=True)]
    if progress is not None:
        progress(0, len(times))
    for block, array in _read_ahead(dataset, spec, blocks):
        for accumulator in accumulators:
            accumulator.add(times[block], array)
        if progress is not None:
            progress(block.stop, len(times))


def stored_length(dataset: xr.Dataset, spec: StateSpec) -> int:
    """Return how many times lie in one stored chunk of every variable, at least 1."""
    chunks = [dataset[name].encoding.get("preferred_chunks", {}).get("time", 1) for name in spec.variables]
    return int(np.lcm.reduce(chunks)) if chunks else 1


def groups_of(
    dataset: xr.Dataset,
    spec: StateSpec,
    memory: int,
    cell_bytes: int,
    block_copies: int = _COPIES,
    remedy: str = "allow more",
) -> tuple[list[StateSpec], int]:
    """Return groups of channels that are summed one after the other, and how many times a block has.

    Args:
        dataset: Says what is stored together: its channels are not separated if they fit.
        spec: All channels, whose order the groups keep.
        memory: Bytes for the sums and the blocks of a group.
        cell_bytes: What sums take for each cell of a channel.
        block_copies: Of what is read.
        remedy: What to do where the memory does not suffice.

    Raises:
        UserError: The sums of one channel do not fit.
    """
    cells = int(np.prod(spec.grid.shape))
    shortest = min(stored_length(dataset, spec), dataset.sizes["time"])
    most = memory // (cells * (cell_bytes + 4 * block_copies * shortest))
    if not most:
        least = cells * (cell_bytes + 4 * block_copies * shortest)
        raise UserError(
            f"memory of {memory / 2**20:.0f} MiB is less than the {_amount(least)} that one channel needs; {remedy}"
        )
    wanted = min(_BLOCK_TIMES, dataset.sizes["time"])
    fitting = memory // (cells * (cell_bytes + 4 * block_copies * max(shortest, wanted)))
    n_channels = min(max(1, fitting), most, spec.n_channels)
    groups = _cut(dataset, spec, n_channels)
    largest = cells * max(group.n_channels for group in groups)
    length = (memory - largest * cell_bytes) // (4 * block_copies * largest)
    return groups, int(min(length, max(_BLOCK_TIMES, _BLOCK_BYTES // (4 * largest))))


def _amount(n_bytes: int) -> str:
    return f"{-(-n_bytes // 2**20)} MiB" if n_bytes < 10 * 2**30 else f"{-(-n_bytes // 2**30)} GiB"


def _cut(dataset: xr.Dataset, spec: StateSpec, n_channels: int) -> list[StateSpec]:
    """Return groups of at most `n_channels`, cut between variables whose levels are stored together where possible."""
    together = {n for n in spec.variables if dataset[n].encoding.get("preferred_chunks", {}).get("level", 1) > 1}
    groups, start = [], 0
    while start < spec.n_channels:
        stop = min(start + n_channels, spec.n_channels)
        cut = stop
        while start < cut < spec.n_channels and _is_inside(spec, cut, together):
            cut -= 1
        stop = cut if cut > start else stop
        groups.append(StateSpec(spec.channels[start:stop], spec.grid))
        start = stop
    return groups


def _is_inside(spec: StateSpec, cut: int, together: set[str]) -> bool:
    """Return whether a cut before a channel would separate levels that are stored together."""
    variable = spec.channels[cut].variable
    return variable in together and spec.channels[cut - 1].variable == variable


def _read_ahead(dataset: xr.Dataset, spec: StateSpec, blocks: list[slice]) -> Iterator[tuple[slice, np.ndarray]]:
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(read_block, dataset, spec, blocks[0])
        for position, block in enumerate(blocks):
            array = coming.result()
            if position + 1 < len(blocks):
                coming = reader.submit(read_block, dataset, spec, blocks[position + 1])
            yield block, array
