"""Values of an archive at some times: which pieces are fetched, in one go, and which were kept from before."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import dask.array
import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from weatherml.data.reading.formats.decoding import UnreadableError, in_words
from weatherml.data.sources.archive.pieces import PieceCache, PieceKey, Values
from weatherml.data.sources.archive.store import ArchiveStore
from weatherml.errors import UserError

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, zarr.errors.BaseZarrError)
_COPIES = 2
"""A chunk that is decoded, and what it is decoded from."""

Positions = npt.NDArray[np.int64]
"""Positions among the times of the source."""


@dataclass(frozen=True, eq=False)
class Axis:
    """A variable of a store along the times of the source.

    Attributes:
        store: Which has it.
        name: Canonical.
        times: Of the source, `datetime64[ns]` [time].
        is_wanted: Which of them are chosen [time].
    """

    store: ArchiveStore
    name: str
    times: npt.NDArray[np.datetime64]
    is_wanted: npt.NDArray[np.bool_]

    @cached_property
    def starts(self) -> Positions:
        """Positions at which pieces of the store begin."""
        pieces = self.store.positions(self.times) // self.store.piece_length(self.name)
        return np.flatnonzero(np.diff(pieces, prepend=-1))

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the field at one time."""
        return tuple(self.store.holdings[self.name].shape[1:])

    def piece_of(self, positions: Positions) -> Positions:
        """Return all positions of the piece that holds some of them; the chosen ones alone where those are."""
        index = int(np.searchsorted(self.starts, positions[0], side="right")) - 1
        end = self.starts[index + 1] if index + 1 < self.starts.size else self.times.size
        piece = np.arange(self.starts[index], end)
        return piece[self.is_wanted[piece]] if self.is_wanted[positions].all() else piece

    def runs(self, positions: Positions) -> Iterator[slice]:
        """Yield where in `positions` those of one piece stand."""
        pieces = np.searchsorted(self.starts, positions, side="right")
        bounds = [*np.flatnonzero(np.diff(pieces, prepend=-1)), positions.size]
        yield from map(slice, bounds[:-1], bounds[1:])


class _Fetch(NamedTuple):
    """What is read from a store, and the rows of the array that take it."""

    axis: Axis
    positions: Positions
    rows: slice
    output: Values

    @property
    def target(self) -> Values:
        """The part of the array that is written to."""
        return self.output[self.rows]

    @property
    def positions_in_store(self) -> npt.NDArray[np.int64]:
        """Positions on the store's own axis of time."""
        return self.axis.store.positions(self.axis.times[self.positions])


class _Copy(NamedTuple):
    """A piece that is kept, and which of its times are copied where."""

    key: PieceKey
    piece: Values
    chosen: Positions
    target: Values


class Reader:
    """Reads variables at times, every chunk once, with bounded threads and a bounded memory.

    Args:
        n_parallel: Chunks that are fetched at once, at most.
        n_bytes: Of pieces that are kept; chunks in flight take no more, unless one alone does.
    """

    def __init__(self, n_parallel: int, n_bytes: int) -> None:
        self.n_parallel, self.n_in_flight = n_parallel, n_bytes
        self.cache = PieceCache(n_bytes)
        self.shared = frozenset[str]()

    def limit(self, n_kept: int, n_in_flight: int, shared: frozenset[str] = frozenset()) -> None:
        """Keep pieces of so many bytes at most, and fetch chunks of so many at once, unless one alone has more.

        Args:
            n_kept: Bytes.
            n_in_flight: Bytes.
            shared: Variables of which every piece is kept: they are read again for others.
        """
        self.n_in_flight, self.shared = n_in_flight, shared
        self.cache.limit(n_kept)

    def read(self, axes: Sequence[Axis], positions: Positions) -> list[Values]:
        """Return the values of variables, float32 `[time, ...]` each.

        Raises:
            UserError: They cannot be read.
        """
        outputs = [np.empty((positions.size, *axis.shape), np.float32) for axis in axes]
        fetches, copies = list[_Fetch](), list[_Copy]()
        for axis, output in zip(axes, outputs, strict=True):
            runs = list(axis.runs(positions))
            for run in runs:
                fetch = _Fetch(axis, positions[run], run, output)
                step = self._step(fetch, is_alone=len(runs) == 1)
                if isinstance(step, _Copy):
                    copies.append(step)
                    step = _Fetch(axis, axis.piece_of(fetch.positions), slice(None), step.piece)
                if step is not None:
                    _append(fetches, step)
        self._fetch(fetches)
        for key, piece, chosen, target in copies:
            target[...] = piece[chosen]
            self.cache.keep(key, piece, chosen)
        return outputs

    def load(self, field: xr.DataArray, place: str) -> xr.DataArray:
        """Return a field with its values.

        Raises:
            UserError: It cannot be read.
        """
        with _explaining(place, str(field.name)):
            return field.compute(scheduler="threads", num_workers=self.n_parallel)

    def _step(self, part: _Fetch, is_alone: bool) -> _Fetch | _Copy | None:
        """Return what is to be fetched: the times read alone, or their piece and what is copied of it; None if done.

        A piece that will be read again is kept: one of which some times are left, that was read alone, or is shared.
        """
        axis, positions, target = part.axis, part.positions, part.target
        is_shared = axis.name in self.shared
        of_piece = axis.piece_of(positions)
        key, chosen = PieceKey(axis.name, int(of_piece[0]), of_piece.size), np.searchsorted(of_piece, positions)
        known, is_whole = self.cache.take(key, chosen, is_shared), positions.size == of_piece.size
        if known is not None:
            target[...] = known
            return None
        shape = (of_piece.size, *axis.shape)
        if (is_whole and not is_alone and not is_shared) or 4 * math.prod(shape) > self.cache.n_bytes:
            return part
        return _Copy(key, np.empty(shape, np.float32), chosen, target)

    def _fetch(self, fetches: Sequence[_Fetch]) -> None:
        """Read all at once: one thread a chunk."""
        if not fetches:
            return
        largest = max(fetch.axis.store.chunk_bytes(fetch.axis.name) for fetch in fetches)
        n_threads = max(1, min(self.n_parallel, self.n_in_flight // (_COPIES * largest)))
        sources = [f.axis.store.field(f.axis.name, f.positions_in_store).data for f in fetches]
        names = ", ".join(dict.fromkeys(fetch.axis.name for fetch in fetches))
        first = min(fetch.axis.times[fetch.positions[0]] for fetch in fetches)
        with _explaining(", ".join(dict.fromkeys(f.axis.store.place for f in fetches)), f"{names} from {first:.16}"):
            dask.array.store(
                sources, [f.target for f in fetches], lock=False, scheduler="threads", num_workers=n_threads
            )


def _append(fetches: list[_Fetch], fetch: _Fetch) -> None:
    """Add what is read, to the one before where the rows of one array follow one another."""
    last = fetches[-1] if fetches else None
    if last is not None and last.output is fetch.output and last.rows.stop == fetch.rows.start:
        fetches.pop()
        positions = np.concatenate([last.positions, fetch.positions])
        fetch = _Fetch(fetch.axis, positions, slice(last.rows.start, fetch.rows.stop), fetch.output)
    fetches.append(fetch)


@contextmanager
def _explaining(place: str, what: str) -> Iterator[None]:
    """Turn what decoding refuses into one line.

    Raises:
        UserError: It refuses.
    """
    try:
        yield
    except (UnreadableError, *_UNREADABLE) as error:
        if isinstance(error, UserError) and not isinstance(error, UnreadableError):
            raise
        reason = error.reason if isinstance(error, UnreadableError) else in_words(error)
        damaged = f"{place}: {what} cannot be decoded ({reason})"
        raise UserError(f"{damaged}; the chunk is damaged there: leave its times out with source.exclude") from None
