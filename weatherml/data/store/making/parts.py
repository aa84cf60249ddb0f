"""How a part of a store is made within a stated memory: read block by block, and written chunk by chunk."""

from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from weatherml.data.source import Source, bytes_of_a_time, hold_within, piece_starts, read_levels
from weatherml.data.store.layout import Layout
from weatherml.data.store.making.cutting import Part
from weatherml.data.store.making.shard import ShardFile
from weatherml.data.store.manifest import FileNote
from weatherml.errors import UserError
from weatherml.errors.wording import counted

_T = TypeVar("_T")

_PATIENCE = 5.0
"""Seconds that are waited for what is being read, of which nothing is wanted any more."""

_COPIES = 5
"""How often a block lies in memory: decoded, as a dataset, as an array, and checked; and that before it is written."""
_COPIES_AT_ORIGIN = 2
"""How often what a source reads for a block lies in memory, where that is more than the block; and what it came in."""
_BLOCK_BYTES = 2**27
"""Pieces of a source are read together up to here, whatever the memory: one block is read while another is written."""


class Block(NamedTuple):
    """Values of a part at consecutive times.

    Attributes:
        levels: Positions of its levels; None for all.
        values: float32 `[time, ...]` in the layout's order, checked.
    """

    levels: slice | None
    values: np.ndarray


def read(source: Source, part: Part, missing: npt.NDArray[np.bool_] | None, memory: int) -> Iterator[Block]:
    """Yield a part block by block: some levels or all, and of these the times one after the other.

    Args:
        source: Where the data come from.
        part: What to read.
        missing: Where the variable has no values at any time `[level, lat, lon]`; None where it has them everywhere.
        memory: Bytes to be held at most, but for one field at one time; the block before included.

    Raises:
        UserError: Values are infinite or come and go.
    """
    layout, starts, memory = part.layout, piece_starts(source, part.layout.name), hold_within(source, memory)
    for levels in _levels(layout, source, part, memory):
        mask = missing if missing is None or levels is None else missing[levels]
        size, most = _bytes_of_a_time(layout, levels), memory // _COPIES
        size = max(size, _COPIES_AT_ORIGIN * bytes_of_a_time(source, layout.name) // _COPIES)
        for times in _blocks(part, starts, max(1, min(most, _BLOCK_BYTES) // size), max(1, most // size)):
            yield Block(levels, _read(source, layout, times, levels, mask))


def read_ahead(values: Iterator[_T]) -> Generator[_T]:
    """Yield values, of which a thread makes the next one meanwhile.

    Whoever stops waits for the one on its way a few seconds only: a network that has gone would be waited for longer.
    """
    asked: SimpleQueue[Future[tuple[_T] | None] | None] = SimpleQueue()
    thread = Thread(target=_answer, args=(asked, values), daemon=True)
    thread.start()
    try:
        coming = _ask(asked)
        while value := coming.result():
            coming = _ask(asked)
            yield value[0]
    finally:
        asked.put(None)
        thread.join(_PATIENCE)


def _ask(asked: "SimpleQueue[Future[Any] | None]") -> "Future[Any]":
    coming: Future[Any] = Future()
    asked.put(coming)
    return coming


def _answer(asked: "SimpleQueue[Future[Any] | None]", values: Iterator[Any]) -> None:
    """Give one value to each who asks, in a tuple, and None after the last."""
    while (coming := asked.get()) is not None:
        try:
            coming.set_result(next(((value,) for value in values), None))
        except BaseException as error:  # which whoever asked is told
            coming.set_exception(error)


def write(part: Part, blocks: Iterable[Block], paths: Mapping[str, Path]) -> dict[str, FileNote]:
    """Write a part; return a note of each file, by its path below the store.

    Args:
        part: What to make.
        blocks: All of it, as `read` yields it.
        paths: Where to write each of its files.
    """
    layout = part.layout
    with ExitStack() as stack:
        shards = [
            ShardFile(paths[layout.file(index)], layout, layout.times(index)) for index in range(part.first, part.end)
        ]
        for shard in shards:
            stack.callback(shard.abandon)
        for levels, own in groupby(blocks, key=lambda block: block.levels):
            rows = _Rows(layout, levels, shards)
            for block in own:
                rows.add(block.values)
            rows.end()
        return {file: shard.finish() for file, shard in zip(part.files, shards, strict=True)}


def require_constant_mask(
    name: str,
    values: np.ndarray,
    missing: npt.NDArray[np.bool_] | None,
    times: npt.NDArray[np.datetime64] | None = None,
    first: np.datetime64 | None = None,
) -> None:
    """Refuse values that are infinite, or missing where others are not.

    Args:
        name: The variable.
        values: `[time, ...]`, or without time.
        missing: Where it has no values at the first time of all; None where it has them everywhere.
        times: Of the values.
        first: The first time of all.

    Raises:
        UserError: There are such values; the first time of these that has any is named.
    """
    absent = np.isnan(values)
    odd = (absent if missing is None else absent != missing) | np.isinf(values)
    if not odd.any():
        return
    if times is not None:
        position = int(odd.reshape(len(times), -1).any(axis=1).argmax())
        name, values, odd = f"{name} at {times[position]:.16}", values[position], odd[position]
    raise UserError(
        f"{name} {_what_is_odd(values[odd], first)}; only a mask that is constant in time can be ingested: leave out"
        " the variable, or such times by source.exclude, or fill gaps, and choose another folder or delete what is"
        " unfinished here"
    )


def _what_is_odd(values: np.ndarray, first: np.datetime64 | None) -> str:
    """Say what is wrong with values, none of which is what those of the first time are."""
    the_first, n = ("the first time" if first is None else f"the first time {first:.16}"), counted(values.size, "point")
    if np.isinf(values).any():
        return f"is infinite, or missing where {the_first} is not, at {n}"
    if np.isnan(values).all():
        return f"is missing where {the_first} is not, at {n}"
    if np.isnan(values).any():
        return f"is missing at other places than {the_first}, at {n}"
    return f"has values where {the_first} has none, at {n}, so that may be the one to leave out"


class _Rows:
    """Fields at consecutive times on their way into chunks."""

    def __init__(self, layout: Layout, levels: slice | None, shards: list[ShardFile]) -> None:
        self._layout, self._shards = layout, shards
        self._first_level = 0 if levels is None else levels.start
        self._waiting: list[np.ndarray] = []
        self._row = 0

    def add(self, values: np.ndarray) -> None:
        self._waiting.append(values)
        length = self._layout.chunk[0]
        if sum(map(len, self._waiting)) >= length:
            values = np.concatenate(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
            n_whole = len(values) // length * length
            self._write(values[:n_whole])
            self._waiting = [values[n_whole:].copy()] if n_whole < len(values) else []

    def end(self) -> None:
        """Write what waits, filled up with NaN."""
        if self._waiting:
            self._write(_padded(np.concatenate(self._waiting), self._layout.chunk[0]))

    def _write(self, values: np.ndarray) -> None:
        chunk, per_shard = self._layout.chunk, self._layout.shard[0] // self._layout.chunk[0]
        counts = [size // part for size, part in zip(values.shape, chunk, strict=True)]
        for position in np.ndindex(*counts):
            row = self._row + position[0]
            block = tuple(slice(i * size, (i + 1) * size) for i, size in zip(position, chunk, strict=True))
            inner = (row % per_shard, *self._with_level(position[1:]))
            self._shards[row // per_shard].write(inner, values[block])
        self._row += counts[0]

    def _with_level(self, position: tuple[int, ...]) -> tuple[int, ...]:
        """Return a chunk's place among all levels."""
        if not self._first_level:
            return position
        axis = self._layout.dims.index("level") - 1
        return (*position[:axis], position[axis] + self._first_level, *position[axis + 1 :])


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    empty = np.full((length - len(values), *values.shape[1:]), np.nan, np.float32)
    return np.concatenate([values, empty]) if len(empty) else values


def _read(
    source: Source, layout: Layout, times: slice, levels: slice | None, missing: npt.NDArray[np.bool_] | None
) -> np.ndarray:
    """Return float32 `[time, ...]` in the layout's order, checked."""
    wanted = source.times()[times]
    field = read_levels(source, wanted, layout.name, levels).transpose(*layout.dims)
    shape = (len(wanted), *layout.shape[1:])
    if levels is not None and "level" in layout.dims:
        shape = tuple(len(range(n)[levels]) if dim == "level" else n for dim, n in zip(layout.dims, shape, strict=True))
    if field.shape != shape:
        raise UserError(
            f"{source.name} gives {layout.name} from {wanted[0]} on as {field.shape}, before as {shape};"
            " ingest them into two stores"
        )
    values = np.asarray(field.values, np.float32)
    require_constant_mask(layout.name, values, missing, wanted, source.times()[0])
    return values


def _levels(layout: Layout, source: Source, part: Part, memory: int) -> Iterator[slice | None]:
    """Yield the levels that are read together: all, unless one piece of the source then takes too much memory."""
    starts = piece_starts(source, layout.name)
    within = np.diff(np.concatenate([starts, [layout.shape[0]]]))
    n_levels = layout.shape[layout.dims.index("level")] if "level" in layout.dims else 1
    longest = min(int(within.max()), part.times.stop - part.times.start)
    n_together = memory // _COPIES // max(1, longest * 4 * int(np.prod(layout.shape[-2:])))
    if n_together >= n_levels or n_levels == 1 or layout.chunk[layout.dims.index("level")] > 1:
        yield None
        return
    n_together = max(1, n_together)
    for first in range(0, n_levels, n_together):
        yield slice(first, min(first + n_together, n_levels))


def _bytes_of_a_time(layout: Layout, levels: slice | None) -> int:
    sizes = list(layout.shape[1:])
    if levels is not None:
        sizes[layout.dims.index("level") - 1] = levels.stop - levels.start
    return 4 * int(np.prod(sizes))


def _blocks(part: Part, starts: npt.NDArray[np.int64], usual: int, most: int) -> Iterator[slice]:
    """Yield the times of a part in whole pieces of the source, as many as are usual; one beyond what fits is cut."""
    first, last = part.times.start, part.times.stop
    edges = [first, *(int(s) for s in starts if first < s < last), last]
    begin = first
    for edge, following in zip(edges[1:], [*edges[2:], None], strict=True):
        if following is None or following - begin > usual:
            for start in range(begin, edge, most):
                yield slice(start, min(start + most, edge))
            begin = edge
