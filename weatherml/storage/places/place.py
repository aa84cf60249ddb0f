"""What a place offers to those who make something of many files there; keys are paths below it, with slashes."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

PathOf = Callable[[str], Path]
"""Where on this machine to write what will be at a key."""


class Lock(Protocol):
    """What one process at a time holds."""

    def acquire(self, busy: str, wait: float = 0.0) -> None:
        """Take it, or say `busy` where another process has it that is alive."""
        ...

    def is_free(self) -> bool:
        """Return whether no process has it."""
        ...

    def release(self, remove: bool = False) -> None:
        """Let others have it."""
        ...


class Place(Protocol):
    """Named files below one root. Whatever is written is there whole or not at all."""

    @property
    def root(self) -> Path | str:
        """The folder, or the URL."""
        ...

    @property
    def zarr(self) -> Any:
        """What zarr opens, to read."""
        ...

    def entries(self) -> list[str]:
        """Return the first parts of all keys.

        Raises:
            UserError: There is a file where the root would be.
        """
        ...

    def read(self, key: str) -> bytes | None:
        """Return the content of a file; None where there is none."""
        ...

    def exists(self, key: str) -> bool:
        """Return whether there is a file."""
        ...

    def keys(self, folder: str) -> list[str]:
        """Return the keys of all files below a folder, sorted."""
        ...

    def sizes(self, keys: Collection[str]) -> Mapping[str, int]:
        """Return the bytes of those files that are there."""
        ...

    def checksums(self, keys: Collection[str]) -> Mapping[str, str]:
        """Return the SHA-256, hexadecimal, of those files that are there, all of whose bytes are read."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Write a file that survives a power cut."""
        ...

    def write_unflushed(self, key: str, content: bytes) -> None:
        """Write one file of many, which survive a power cut once they are flushed together."""
        ...

    def writing(self) -> AbstractContextManager[PathOf]:
        """Yield where to write files, which are at their keys once the block has ended without an error."""
        ...

    def flush(self, keys: Iterable[str]) -> None:
        """Let files that were written survive a power cut."""
        ...

    def append(self, log: str, line: bytes) -> None:
        """Write a line, which survives a power cut, to a log that no other process writes; see `lines`."""
        ...

    def lines(self, folder: str) -> Iterator[bytes]:
        """Yield the lines of all logs below a folder; the last of one whose writer was killed may be cut."""
        ...

    def move(self, moves: Mapping[str, str]) -> None:
        """Give files, by their keys, other keys, where others may be; those that are gone have been moved before."""
        ...

    def remove(self, keys: Iterable[str]) -> None:
        """Delete files, where they are there."""
        ...

    def remove_folder(self, folder: str) -> None:
        """Delete all files below a folder."""
        ...

    def prune(self, folder: str) -> None:
        """Leave no folder behind that is empty, nor the root."""
        ...

    def tidy(self) -> None:
        """Delete what killed processes have left half-written; for who is alone here."""
        ...

    def lock(self, key: str) -> Lock:
        """Return what one process at a time holds."""
        ...

    def alone_at(self, key: str) -> AbstractContextManager[None]:
        """Keep other processes from giving or taking the names below a folder meanwhile."""
        ...

    def explaining_errors(self) -> AbstractContextManager[None]:
        """Turn what the place refuses into one line that says what to do."""
        ...
