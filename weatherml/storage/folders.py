"""The one way in which a file or a folder is replaced; and folders that appear whole or not at all.

A folder gives way in three steps: it is renamed to `.NAME.old`, the new one gets its name, and only then the old one is
deleted, under a third name. A kill between any two of them leaves one that is whole at NAME or, if nothing is there, at
`.NAME.old`, where `locate` finds it.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from weatherml.errors import UserError
from weatherml.storage.flush import flush, flush_tree
from weatherml.storage.locks import A_WHILE, alone_at
from weatherml.storage.room import explaining_errors

_TRASH = ".trash"

T = TypeVar("T")


def put_in_place(new: Path, path: Path) -> None:
    """Give a file or folder, which is whole and on the disk, its name; what was there goes only then.

    Both are in one file system. Folders are replaced by one process at a time: by whoever is `alone_at(path)`.

    Raises:
        OSError: The disk refuses; what was there is there again.
    """
    if new.is_dir():
        _swap(new, path)
    else:
        os.replace(new, path)
        flush(path.parent)


@contextmanager
def replacing_folder(path: Path, what: str = "", wait: float = A_WHILE) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `path` once the block has ended without an error.

    Args:
        path: The folder.
        what: What it is, for messages.
        wait: How long to wait for another process that writes it, seconds.

    Raises:
        UserError: The disk is full or cannot be written, or another process is writing `path`.
    """
    new = path.with_name(f".{path.name}.new")
    with explaining_errors(path, what), alone_at(path, wait):
        shutil.rmtree(new, ignore_errors=True)
        try:
            new.mkdir()
            yield new
            flush_tree(new)
            put_in_place(new, path)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def locate(path: Path) -> Path:
    """Return where the folder is that has, or had until a kill, the name `path`; put it back if that can be done."""
    if path.exists() or not (old := _old(path)).exists():
        return path
    with suppress(OSError, UserError), alone_at(path):
        if not path.exists():
            os.rename(old, path)
    return path if path.exists() else old


def read_folder(path: Path, read: Callable[[Path], T]) -> T:
    """Read a folder that others may replace meanwhile: all of what is returned is of one version of it.

    Args:
        path: The folder's name.
        read: Reads the folder at the path that it is given.
    """
    while True:
        folder = locate(path)
        before = _version(folder)
        try:
            found = read(folder)
        except (OSError, UserError):
            if before == _version(locate(path)):
                raise
        else:
            if before == _version(locate(path)):
                return found


def discard(folder: Path) -> None:
    """Delete a folder in such a way that no part of it is ever taken for the whole; nothing where there is none."""
    trash = folder.with_name(f".{folder.name.removeprefix('.')}.{uuid4().hex}{_TRASH}")
    with suppress(FileNotFoundError):
        os.rename(folder, trash)
        shutil.rmtree(trash, ignore_errors=True)


def _swap(new: Path, path: Path) -> None:
    for trash in path.parent.glob(f".{escape(path.name)}.*{_TRASH}"):  # of processes that were killed
        shutil.rmtree(trash, ignore_errors=True)
    old = _old(path)
    if path.exists():
        discard(old)  # of a process that was killed when the one at `path` had got its name
        os.rename(path, old)
    try:
        os.rename(new, path)
    except OSError:
        with suppress(OSError):
            os.rename(old, path)
        raise
    flush(path.parent)  # or a power cut might undo this, but not the deletion
    discard(old)


def _version(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")
