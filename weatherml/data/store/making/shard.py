"""One shard written chunk by chunk, in any order: memory for one chunk, and the same bytes whatever the order."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from weatherml.data.store.layout import Layout
from weatherml.data.store.manifest import FileNote
from weatherml.storage.files import PARTIAL
from weatherml.storage.flush import make_folder

_ABSENT = np.iinfo(np.uint64).max
_COPIED_AT_ONCE = 2**22


class ShardFile:
    """The file of one shard, which appears under its name once it is finished.

    Chunks are appended as they come to a file beside it; the index of zarr's sharding format follows in the end. Where
    they did not come in C order, they are copied into it, so that the bytes do not tell how a shard was made. The
    checksum is taken on the way: what is written is not read again for it.

    Args:
        path: The file.
        layout: Of its variable.
        times: Positions of the times that it holds; the last shard of a store may have fewer than it has room for.
    """

    def __init__(self, path: Path, layout: Layout, times: slice) -> None:
        self.path, self._layout = path, layout
        counts = [whole // part for whole, part in zip(layout.shard, layout.chunk, strict=True)]
        self._index = np.full((*counts, 2), _ABSENT, np.uint64)
        self._n_rows = -(-(times.stop - times.start) // layout.chunk[0])
        self._end = 0
        self._last: tuple[int, ...] = (-1,)
        self._is_in_order = True
        self._digest = hashlib.sha256()
        make_folder(path.parent)
        self._partial = path.with_name(f".{path.name}.{uuid4().hex}{PARTIAL}")
        self._file: Any = self._partial.open("w+b")

    def write(self, position: tuple[int, ...], values: np.ndarray) -> None:
        """Append one chunk, float32 of the layout's chunk shape; `position` counts chunks within the shard."""
        content = self._layout.compress(values)
        self._is_in_order &= position > self._last
        self._last = position
        if self._is_in_order:
            self._digest.update(content)
        self._file.write(content)
        self._index[position] = self._end, len(content)
        self._end += len(content)

    def finish(self) -> FileNote:
        """Give the file its name.

        Raises:
            ValueError: A chunk was never written.
        """
        if (self._index[: self._n_rows] == _ABSENT).any():
            raise ValueError(f"{self.path} lacks chunks")
        if not self._is_in_order:
            self._put_in_order()
        index = self._layout.encode_index(self._index)
        self._digest.update(index)
        self._file.write(index)
        note = FileNote(self._file.tell(), self._digest.hexdigest())
        self._file.close()
        self._partial.replace(self.path)
        return note

    def abandon(self) -> None:
        """Leave nothing behind; without effect on what is finished."""
        self._file.close()
        with suppress(OSError):
            self._partial.unlink()

    def _put_in_order(self) -> None:
        entries = self._index[: self._n_rows].reshape(-1, 2)
        self._digest = hashlib.sha256()
        ordered = self._partial.with_name(f".{self.path.name}.{uuid4().hex}{PARTIAL}")
        with self._file as source, ordered.open("wb") as target:
            for entry in entries:
                offset, size = map(int, entry)
                source.seek(offset)
                entry[0] = target.tell()
                for start in range(0, size, _COPIED_AT_ONCE):
                    content = source.read(min(_COPIED_AT_ONCE, size - start))
                    self._digest.update(content)
                    target.write(content)
        ordered.replace(self._partial)
        self._file = self._partial.open("r+b")
        self._file.seek(0, os.SEEK_END)
