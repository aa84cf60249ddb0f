"""Maps of a store on a disk, read straight from its files into arrays: as fast as disk or processor give them.

Libraries that read any zarr array make an array of their own of what was asked for: of maps without compression, in
memory already, tensorstore gave 1.6 GB/s where the kernel gives 8 (docs/decisions.md).
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import google_crc32c
import numpy as np
import numpy.typing as npt
from numcodecs import blosc

from weatherml.data.store.guard import StoreGuard
from weatherml.data.store.layout import CHECKSUM, file_of
from weatherml.data.store.manifest import ROOT, Manifest
from weatherml.errors import UserError
from weatherml.storage.places.local import LocalPlace

_OPEN_FILES = 24
"""Of one variable."""
_ABSENT = np.iinfo(np.uint64).max
_INDEX = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
_CODECS = (["bytes"], ["bytes", "blosc"], ["bytes", "blosc", "crc32c"])
_ENTRY = 16
"""Bytes of the offset and size of a chunk, of which the checksum of all takes 4."""

_HEADER = 16
"""Bytes that blosc puts before a chunk."""

_TILE = 2**17
"""Values that are read and finished at once: they stay in a processor's cache (512 KiB), and the interpreter, which
takes 5 us for each tile, a tenth of the time (benchmarks/loading.md)."""

Positions = npt.NDArray[np.int64]


@dataclass
class Account:
    """What reading took, in one thread.

    Attributes:
        n_bytes: From files.
        seconds: Waiting for them.
    """

    n_bytes: int = 0
    seconds: float = 0.0


class Finish(Protocol):
    """What becomes of values as soon as they are read, while they are in a processor's cache."""

    def __call__(self, time: int, channel: int, start: int, values: np.ndarray) -> None:
        """Change values where they lie.

        Args:
            time: Which, of those that were asked for.
            channel: Of `Wanted.out`, that of the first map; others follow.
            start: Which cell of the wanted rows is the first.
            values: float32 `[map, cell]`, contiguous.
        """
        ...


class Wanted(NamedTuple):
    """Which maps to read, and where to.

    Attributes:
        times: Positions in the store, `[time]`, in any order.
        levels: Positions in the store, in any order; `[0]` where the variable has no levels.
        rows: Of each map.
        out: float32 `[time, channel, row, lon]`; the last two axes lie together.
        channels: Of `out`, one for each level.
        finish: What becomes of values at once; None where nothing does.
    """

    times: Positions
    levels: Sequence[int]
    rows: slice
    out: np.ndarray
    channels: Sequence[int]
    finish: Finish | None = None


class StoredMaps:
    """One variable of a store whose layout is as `ingest` makes it, with or without compression."""

    def __init__(self, guard: StoreGuard, layout: "_Layout", watch: "StoreWatch") -> None:
        self._guard, self._watch = guard, watch
        self._chunk, self._is_compressed, self._is_checked = layout.chunk, layout.is_compressed, layout.is_checked
        self._n_chunks = layout.shard[0] // layout.chunk[0], layout.shard[1] // layout.chunk[1]
        self._open = lru_cache(_OPEN_FILES)(self._open_shard)

    @classmethod
    def of(cls, guard: StoreGuard, watch: "StoreWatch") -> Self | None:
        """Return what reads a variable; None where its files are of another kind."""
        layout = _Layout.parse(guard.place.read(f"{guard.name}/{ROOT}"), guard.shape) if guard.shard_length else None
        return None if layout is None else cls(guard, layout, watch)

    @property
    def n_levels_together(self) -> int:
        """How many levels are decoded together."""
        return self._chunk[1]

    def read(self, wanted: Wanted, account: Account) -> None:
        """Read maps; each chunk is read, and decoded, once.

        Raises:
            UserError: A file is lost, damaged or was changed since the store was opened.
        """
        chunks, levels = wanted.times // self._chunk[0], np.asarray(wanted.levels)
        for chunk in np.unique(chunks):
            times = np.flatnonzero(chunks == chunk)
            try:
                for level_chunk in np.unique(levels // self._chunk[1]):
                    places = np.flatnonzero(levels // self._chunk[1] == level_chunk)
                    self._read_chunk((int(chunk), int(level_chunk)), times, places, wanted, account)
            except (UserError, MemoryError):
                raise
            except Exception as error:  # whatever codecs and disks say of damage
                raise self._guard.explain((wanted.times[times],), error) from None

    def _read_chunk(
        self, position: tuple[int, int], times: Positions, places: Positions, wanted: Wanted, account: Account
    ) -> None:
        number, within = divmod(position[0], self._n_chunks[0])
        shard = self._open(number)
        offset, size = map(int, shard.index[within, position[1]])
        if offset == _ABSENT:
            raise self._guard.lost(number)
        header = _HEADER if self._is_compressed else 0
        plain = header + 4 * int(np.prod(self._chunk))  # as they are: blosc has not made them smaller
        if self._is_checked and size == plain + CHECKSUM and len(times) == 1 and self._is_whole(places, wanted):
            (run,) = self._runs(times, places, wanted)
            self._read_checked(shard, offset, run, wanted, account)
        elif size == plain and not self._is_checked:
            for run in self._runs(times, places, wanted):
                self._read_run(shard, offset + header + run.start, run, wanted, account)
        elif self._is_compressed:
            content = shard.content(offset, size, account)
            self._decode(_verified(content) if self._is_checked else content, times, places, wanted)
            for run in self._runs(times, places, wanted):
                finish_maps(wanted.finish, run.time, run.channel, run.out)
        else:
            raise ValueError(f"a chunk has {size} bytes")

    def _read_checked(self, shard: "_Shard", offset: int, run: "_Run", wanted: Wanted, account: Account) -> None:
        """Read all of a chunk that is not compressed to where it belongs, and compare its checksum."""
        check = _Check(google_crc32c.value(shard.content(offset, _HEADER, account)), wanted.finish)
        self._read_run(shard, offset + _HEADER, run, wanted._replace(finish=check), account)
        check.require(shard.content(offset + _HEADER + run.out.nbytes, CHECKSUM, account))

    def _decode(self, content: npt.NDArray[np.uint8], times: Positions, places: Positions, wanted: Wanted) -> None:
        """Decode a chunk to where its maps are wanted: at once where they are all of it, else by way of a copy."""
        n_bytes = 4 * int(np.prod(self._chunk))
        if int.from_bytes(content[4:8].tobytes(), "little") != n_bytes:
            raise ValueError("a chunk has another size")
        first, is_whole = int(times[0]), self._is_whole(places, wanted)
        if is_whole:
            channel = wanted.channels[places[0]]
            target = wanted.out[first, channel : channel + self._chunk[1]]
            blosc.decompress(content, target)
            for time_ in times[1:]:
                wanted.out[time_, channel : channel + self._chunk[1]] = target
            return
        decoded = np.empty(self._chunk, np.float32)
        blosc.decompress(content, decoded)
        for place in places:
            level, channel = wanted.levels[place] % self._chunk[1], wanted.channels[place]
            wanted.out[times, channel] = decoded[wanted.times[times] % self._chunk[0], level, wanted.rows]

    def _is_whole(self, places: Positions, wanted: Wanted) -> bool:
        """Return whether a chunk is one time of all levels that it holds, in order and in whole, as it is wanted."""
        levels = [wanted.levels[place] % self._chunk[1] for place in places]
        channels = [wanted.channels[place] - wanted.channels[places[0]] for place in places]
        whole = list(range(self._chunk[1]))
        return self._chunk[0] == 1 and levels == channels == whole and self._has_all_rows(wanted)

    def _has_all_rows(self, wanted: Wanted) -> bool:
        return wanted.rows == slice(0, self._chunk[2])

    def _runs(self, times: Positions, places: Positions, wanted: Wanted) -> Iterator["_Run"]:
        """Yield what lies together in a chunk that is not compressed, and where it belongs."""
        row_bytes, levels = 4 * self._chunk[3], [wanted.levels[place] % self._chunk[1] for place in places]
        channels = [wanted.channels[place] for place in places]
        for time_ in times.tolist():
            base = int(wanted.times[time_]) % self._chunk[0] * self._chunk[1]
            for run in _runs(levels, channels, self._has_all_rows(wanted)):
                level, channel = levels[run.start], channels[run.start]
                maps = wanted.out[time_, channel : channel + len(run)]
                start = ((base + level) * self._chunk[2] + wanted.rows.start) * row_bytes
                yield _Run(start, time_, channel, maps.reshape(len(run), -1))

    def _read_run(self, shard: "_Shard", offset: int, run: "_Run", wanted: Wanted, account: Account) -> None:
        """Read maps to where they belong: at once, or, to be finished in the cache, tile by tile."""
        if wanted.finish is None:
            shard.fill(run.out, offset, account)
            return
        n_cells = run.out.shape[1]
        for maps, cells in _tiles(*run.out.shape):
            tile = run.out[maps, cells]
            shard.fill(tile, offset + 4 * (maps.start * n_cells + cells.start), account)
            wanted.finish(run.time, run.channel + maps.start, cells.start, tile)

    def _open_shard(self, number: int) -> "_Shard":
        file = file_of(self._guard.name, number, len(self._guard.shape))
        self._watch.require_same(file)
        return _Shard(self._watch.place.root / file, self._n_chunks)


@dataclass(frozen=True)
class _Layout:
    """How one variable lies in files, with levels even where it has none: `(time, level, latitude, longitude)`."""

    chunk: tuple[int, ...]
    shard: tuple[int, ...]
    is_compressed: bool
    is_checked: bool

    @classmethod
    def parse(cls, metadata: bytes | None, shape: tuple[int, ...]) -> Self | None:
        """Read the metadata of an array; None where they are not such as are read here."""
        try:
            told = json.loads(metadata or b"")
            (sharding,) = told["codecs"]
            inner, shard = sharding["configuration"], told["chunk_grid"]["configuration"]["chunk_shape"]
            codecs = [codec["name"] for codec in inner["codecs"]]
            is_known = (
                told["data_type"] == "float32"
                and told["chunk_key_encoding"]["configuration"]["separator"] == "."
                and sharding["name"] == "sharding_indexed"
                and inner.get("index_location", "end") == "end"
                and inner["index_codecs"] == _INDEX
                and inner["codecs"][0] == _INDEX[0]
                and codecs in _CODECS
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        chunk = inner["chunk_shape"]
        is_whole = tuple(shard[1:]) == tuple(shape[1:]) and tuple(chunk[-2:]) == tuple(shape[-2:])
        if not is_known or not is_whole or len(shape) not in (3, 4):
            return None
        return cls(_with_level(chunk), _with_level(shard), "blosc" in codecs, "crc32c" in codecs)


class _Run(NamedTuple):
    """Maps of one time that lie together in a file: from which byte of a chunk on, and where they belong."""

    start: int
    time: int
    channel: int
    out: np.ndarray


class _Shard:
    """An open file of a store: closed when nobody reads it any more."""

    def __init__(self, path: Path, n_chunks: tuple[int, int]) -> None:
        self._file = os.open(path, os.O_RDONLY)
        size, length = os.fstat(self._file).st_size, _ENTRY * n_chunks[0] * n_chunks[1]
        content = os.pread(self._file, length + 4, max(0, size - length - 4))
        if google_crc32c.value(content[:-4]) != int.from_bytes(content[-4:], "little"):
            raise ValueError("its index is damaged")
        self.index = np.frombuffer(content[:-4], "<u8").reshape(*n_chunks, 2)

    def fill(self, buffer: Any, start: int, account: Account) -> None:
        """Fill an array with what lies in the file from a byte on."""
        started = time.perf_counter()
        n_bytes = os.preadv(self._file, [buffer], start)
        account.seconds += time.perf_counter() - started
        account.n_bytes += n_bytes
        if n_bytes != buffer.nbytes:
            raise EOFError("it ends early")

    def content(self, start: int, size: int, account: Account) -> npt.NDArray[np.uint8]:
        """Return what lies in the file from a byte on."""
        content = np.empty(size, np.uint8)
        self.fill(content, start, account)
        return content

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)


class StoreWatch:
    """Tells whether a store on a disk is still what was opened: another ingestion may replace files that are read.

    Args:
        place: The store.
        digest: What it held when it was opened, where that is known.

    Raises:
        UserError: It holds something else by now.
    """

    def __init__(self, place: LocalPlace, digest: str | None = None) -> None:
        self.place = place
        self._seen, manifest = self._stamp(), Manifest.load(place)
        self._notes = manifest.files
        if digest not in (None, manifest.digest):
            raise self._changed("its files have other content")

    def require_same(self, file: str) -> None:
        """Require that a file holds what it held; files that are added do no harm.

        Raises:
            UserError: It was replaced.
        """
        seen = self._stamp()
        if seen != self._seen:
            if Manifest.load(self.place).files.get(file) != self._notes.get(file):
                raise self._changed(f"{file} has other content")
            self._seen = seen

    def _changed(self, how: str) -> UserError:
        return UserError(
            f"{self.place} has changed since it was opened ({how}): ingest has been at work on it; compute statistics"
            " and train from the beginning, in another folder"
        )

    def _stamp(self) -> tuple[int, int]:
        told = (self.place.root / Manifest.NAME).stat()
        return told.st_mtime_ns, told.st_ino


def finish_maps(finish: Finish | None, time: int, channel: int, maps: np.ndarray) -> None:
    """Finish maps `[map, ...]` where they lie, if there is anything to do."""
    if finish is None:
        return
    flat = maps.reshape(len(maps), -1)
    for some, cells in _tiles(*flat.shape):
        finish(time, channel + some.start, cells.start, flat[some, cells])


@dataclass
class _Check:
    """Goes on with a checksum while values are in a processor's cache, before they are finished there."""

    checksum: int
    finish: Finish | None = None

    def __call__(self, time: int, channel: int, start: int, values: np.ndarray) -> None:
        self.checksum = google_crc32c.extend(self.checksum, values)
        if self.finish is not None:
            self.finish(time, channel, start, values)

    def require(self, told: npt.NDArray[np.uint8]) -> None:
        if self.checksum != int.from_bytes(told.tobytes(), "little"):
            raise ValueError("a chunk has another checksum")


def _verified(content: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a chunk without its checksum, which is that of the chunk."""
    chunk = content[:-CHECKSUM]
    _Check(google_crc32c.value(chunk)).require(content[-CHECKSUM:])
    return chunk


def _with_level(sizes: Sequence[int]) -> tuple[int, ...]:
    return (*sizes[:1], *([] if len(sizes) == 4 else [1]), *sizes[1:])


def _runs(levels: Sequence[int], channels: Sequence[int], together: bool) -> Iterator[range]:
    """Yield runs of indices whose levels and channels follow each other, or each index alone."""
    start = 0
    for end in range(1, len(levels) + 1):
        is_next = end < len(levels) and levels[end] - levels[end - 1] == channels[end] - channels[end - 1] == 1
        if not together or not is_next:
            yield range(start, end)
            start = end


def _tiles(n_maps: int, n_cells: int) -> Iterator[tuple[slice, slice]]:
    """Yield whole maps that are a tile together, or parts of maps that are larger."""
    together = max(1, _TILE // n_cells)
    for first in range(0, n_maps, together):
        for start in range(0, n_cells, _TILE):
            yield slice(first, min(first + together, n_maps)), slice(start, min(start + _TILE, n_cells))
