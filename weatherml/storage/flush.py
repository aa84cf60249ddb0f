"""What was written arrives on the disk, so that a record that follows never says more than what a power cut leaves."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

_AT_ONCE = 16
"""Files that are flushed side by side: a file system commits what waits together in one go."""


def flush(path: Path) -> None:
    """Have the disk hold the content of a file, or the names in a folder; nothing where it is gone.

    Raises:
        OSError: The disk refuses.
    """
    if path.is_dir():
        _flush_folder(path)
        return
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def flush_all(files: Iterable[Path], root: Path) -> None:
    """Have the disk hold files, and the folders in which they lie up to `root`.

    Raises:
        OSError: The disk refuses.
    """
    files = list(files)
    folders = {root, *(folder for file in files for folder in file.parents if folder.is_relative_to(root))}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(flush, files))
        list(pool.map(flush, folders))


def flush_tree(folder: Path) -> None:
    """Have the disk hold everything below a folder.

    Raises:
        OSError: The disk refuses.
    """
    flush_all((path for path in folder.rglob("*") if path.is_file() or not any(path.iterdir())), folder)


def make_folder(path: Path) -> None:
    """Make a folder with all above it, unless it is there, and have the disk hold their names.

    Raises:
        OSError: The disk refuses.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        flush(folder.parent)


def _flush_folder(path: Path) -> None:
    """Flush a folder, where the system can: not every one can, and those that cannot keep names in another way."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
