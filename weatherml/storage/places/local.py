"""A folder on a disk as a place."""

import hashlib
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from weatherml.errors import UserError
from weatherml.storage.files import PARTIAL, write_bytes, write_unflushed
from weatherml.storage.flush import flush, flush_all, make_folder
from weatherml.storage.locks import Lock, alone_at
from weatherml.storage.places.place import PathOf
from weatherml.storage.room import explaining_errors


class LocalPlace:
    """A folder; see `Place`.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    @property
    def zarr(self) -> Path:
        """What zarr opens."""
        return self.root

    def entries(self) -> list[str]:
        """Return what the folder holds; nothing where it is not there."""
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"{self.root} is a file; choose a folder for the store")
        return [path.name for path in self.root.iterdir()] if self.root.is_dir() else []

    def read(self, key: str) -> bytes | None:
        """Return the content of a file; None where there is none.

        Raises:
            UserError: The disk does not give it, which does not mean that it is not there.
        """
        try:
            return (self.root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            reason = f"cannot read {self.root / key}: {error.strerror or error}"
            raise UserError(f"{reason}; see to it, then run again") from error

    def exists(self, key: str) -> bool:
        """Return whether there is a file."""
        return (self.root / key).exists()

    def keys(self, folder: str) -> list[str]:
        """Return the keys of all files below a folder, sorted."""
        files = (path for path in (self.root / folder).rglob("*") if path.is_file())
        return sorted(path.relative_to(self.root).as_posix() for path in files)

    def sizes(self, keys: Collection[str]) -> dict[str, int]:
        """Return the bytes of those files that are there."""
        found = {}
        for key in keys:
            with suppress(OSError):
                found[key] = (self.root / key).stat().st_size
        return found

    def checksums(self, keys: Collection[str]) -> dict[str, str]:
        """Return the SHA-256 of those files that are there."""
        found = {}
        for key in keys:
            with suppress(OSError), open(self.root / key, "rb") as file:
                found[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return found

    def write(self, key: str, content: bytes) -> None:
        """Write a file that survives a power cut."""
        write_bytes(self.root / key, content)

    def write_unflushed(self, key: str, content: bytes) -> None:
        """Write one file of many."""
        write_unflushed(self.root / key, content)

    @contextmanager
    def writing(self) -> Iterator[PathOf]:
        """Yield where files lie: who writes them there gives them their names at once, one by one."""
        yield self.root.joinpath

    def flush(self, keys: Iterable[str]) -> None:
        """Have the disk hold files, and the folders in which they lie."""
        flush_all(map(self.root.joinpath, keys), self.root)

    def append(self, log: str, line: bytes) -> None:
        """Append to the file of that name."""
        path = self.root / log
        make_folder(path.parent)
        is_new = not path.exists()
        with path.open("ab") as file:
            file.write(line + b"\n")
        flush(path)
        if is_new:
            flush(path.parent)

    def lines(self, folder: str) -> Iterator[bytes]:
        """Yield the lines of all files in a folder."""
        for log in sorted((self.root / folder).glob("*.jsonl")):
            yield from log.read_bytes().splitlines()

    def move(self, moves: Mapping[str, str]) -> None:
        """Rename files one after the other, and have the disk hold their names."""
        for key, new in moves.items():
            make_folder((self.root / new).parent)
            (self.root / key).replace(self.root / new)
        self.flush(moves.values())

    def remove(self, keys: Iterable[str]) -> None:
        """Delete files, where they are there."""
        for key in keys:
            (self.root / key).unlink(missing_ok=True)

    def remove_folder(self, folder: str) -> None:
        """Delete a folder and what is in it."""
        shutil.rmtree(self.root / folder, ignore_errors=True)

    def prune(self, folder: str) -> None:
        """Delete a folder, and the root, if they are empty."""
        for path in (self.root / folder, self.root):
            with suppress(OSError):
                path.rmdir()

    def tidy(self) -> None:
        """Delete what killed processes have left half-written."""
        for partial in self.root.rglob(f".*{PARTIAL}"):
            partial.unlink(missing_ok=True)

    def lock(self, key: str) -> Lock:
        """Return a lock on the file of that name, whose folder is made."""
        make_folder((self.root / key).parent)
        return Lock(self.root / key)

    def alone_at(self, key: str) -> AbstractContextManager[None]:
        """Keep other processes from giving or taking the name of a folder meanwhile."""
        return alone_at(self.root / key)

    def explaining_errors(self) -> AbstractContextManager[None]:
        """Turn what the disk refuses into one line that says what to do."""
        return explaining_errors(self.root)
