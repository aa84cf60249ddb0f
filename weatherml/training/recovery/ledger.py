"""Which snapshots the disk holds, and what is in their files: a record beside them, written after them."""

import json
from pathlib import Path

import google_crc32c

from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.storage.files import write_bytes

_AT_ONCE = 2**20
"""Bytes that are read at once: who computes beside is never kept waiting for long."""

Sums = dict[str, tuple[int, int]]
"""Size and CRC-32C of each file of a snapshot, by its path within."""


class Ledger:
    """The record of a folder of snapshots.

    Args:
        file: Where it is, and goes.

    Attributes:
        whole: The latest step of which the disk holds the snapshot, negative before the first; None where nothing is
            recorded.

    Raises:
        UserError: It cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.whole: int | None = None
        self._sums: dict[int, Sums] = {}
        if file.exists():
            self._read()

    def enter(self, step: int, folders: dict[int, Path]) -> None:
        """Record that the disk holds a snapshot, and what is in it.

        Args:
            step: Its step.
            folders: Those of all snapshots that are kept, by step; of others nothing is remembered.

        Raises:
            UserError: The disk is full.
            OSError: The snapshot cannot be read.
        """
        sums = {kept: self._sums[kept] for kept in folders if kept in self._sums}
        if step in folders:
            sums[step] = sums_of(folders[step])
        self.whole, self._sums = step, sums
        content = {"step": step, "files": {str(kept): sums[kept] for kept in sorted(sums)}}
        write_bytes(self._file, json.dumps(content).encode())

    def damage(self, step: int, folder: Path) -> str | None:
        """Return what is amiss with a snapshot; None where nothing is, or nothing was recorded of it."""
        if step not in self._sums:
            return None
        noted, found = self._sums[step], sums_of(folder)
        missing = sorted(noted.keys() - found.keys())
        if missing:
            return f"{counted(len(missing), 'file')} missing, such as {missing[0]}"
        changed = sorted(name for name in noted if found[name] != noted[name])
        if not changed:
            return None
        size, before = found[changed[0]][0], noted[changed[0]][0]
        what = f"{size} bytes, of {before}" if size != before else "other content than was written"
        return f"{changed[0]} has {what}"

    def _read(self) -> None:
        try:
            content = json.loads(self._file.read_bytes())
            self.whole = int(content["step"])
            files = content.get("files", {}).items()
            self._sums = {int(step): {name: (n, crc) for name, (n, crc) in sums.items()} for step, sums in files}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{self._file} is damaged, and says no more which snapshots are whole; delete it to go on from the"
                " latest as it is"
            ) from None


def sums_of(folder: Path) -> Sums:
    """Return size and CRC-32C of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_size, _checksum(path)) for path in files}


def _checksum(file: Path) -> int:
    checksum = 0
    with file.open("rb") as opened:
        while content := opened.read(_AT_ONCE):
            checksum = google_crc32c.extend(checksum, content)
    return int(checksum)
