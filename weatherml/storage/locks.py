"""One process at a time: locks on files, which the system lets go of when their holder dies, however that comes."""

import errno
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, SoftFileLock, Timeout, UnixFileLock, WindowsFileLock

from weatherml.errors import UserError
from weatherml.storage.flush import make_folder
from weatherml.storage.locations import local_path
from weatherml.storage.room import explaining_errors

_logger = logging.getLogger(__name__)

_HAS_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
_SystemLock = WindowsFileLock if sys.platform == "win32" else UnixFileLock
A_WHILE = 60.0
"""Seconds to wait for what others do at a path in a moment, such as to write a small folder."""

_ALONE_AT: set[tuple[int, Path]] = set()
"""Which thread of this process is alone at which path."""


class Lock:
    """A lock on a file, of one process at a time.

    Where a file system has no locks, a file beside it stands for one: of a process that was killed on another machine
    it stays, and whoever is refused is told which file that is.

    Args:
        file: Made where it is missing, and its folder.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._substitute = file.with_name(f"{file.name}.held")
        self._held: BaseFileLock | None = None
        self._has_locks = True

    def acquire(self, busy: str, wait: float = 0.0) -> None:
        """Take the lock.

        Args:
            busy: What to say where another process has it.
            wait: How long to wait for that process, seconds.

        Raises:
            UserError: Another process has it.
            OSError: The file cannot be made.
        """
        deadline = time.monotonic() + wait
        while self._held is None:
            inode = self._make()
            lock = self._take(max(0.0, deadline - time.monotonic()))
            # The holder before may have removed the file on which it, and then this process, waited.
            if lock is not None and inode is not None and inode == self._inode():
                self._held = lock
            elif lock is not None:
                lock.release()
            elif inode == self._inode() and time.monotonic() >= deadline:
                raise UserError(busy + self._hint())

    def is_free(self) -> bool:
        """Return whether no process has the lock."""
        if not self._file.exists():
            return True
        try:
            self.acquire("")
        except UserError:
            return False
        self.release()
        return True

    def release(self, remove: bool = False) -> None:
        """Let others have the lock.

        Args:
            remove: Delete its file.
        """
        if self._held is not None:
            if remove:
                with suppress(OSError):  # some systems keep what is open
                    self._file.unlink()
            self._held.release()
            self._held = None

    def _take(self, seconds: float) -> BaseFileLock | None:
        """Return the lock that the file system has, or the file that stands for it; None where another has it."""
        try:
            return _acquired(_SystemLock(self._file, thread_local=False, preserve_lock_file=True), seconds)
        except OSError as error:
            if error.errno not in _HAS_NO_LOCKS:
                raise
        if self._has_locks:
            _logger.warning("the file system of %s has no locks; files stand for them", self._file.parent)
            self._has_locks = False
        return _acquired(SoftFileLock(self._substitute, thread_local=False), seconds)

    def _hint(self) -> str:
        if self._has_locks:
            return ""
        return f" (this file system has no locks: if no other run is at work, delete {self._substitute})"

    def _make(self) -> int | None:
        """Make the file, unless it is there; return its inode, or None where it has just been removed."""
        try:
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o666))
        except FileNotFoundError:  # the holder before may have removed the folder, too, if there was nothing else in it
            make_folder(self._file.parent)
            return None
        return self._inode()

    def _inode(self) -> int | None:
        try:
            return self._file.stat().st_ino
        except FileNotFoundError:
            return None


@contextmanager
def alone_at(path: Path, wait: float | None = None) -> Iterator[None]:
    """Keep other processes from giving or taking the name of a file or folder meanwhile; its folder is made.

    Within the block the thread that has it may ask for it again.

    Args:
        path: What is made, replaced or removed.
        wait: How long to wait for another process, seconds; `A_WHILE` when None.

    Raises:
        UserError: Another process is at it.
        OSError: The folder cannot be written.
    """
    own = (threading.get_ident(), local_path(path).absolute())
    if own in _ALONE_AT:
        yield
        return
    make_folder(path.parent)
    lock = Lock(path.with_name(f".{path.name}.lock"))
    lock.acquire(
        f"another process is at work on {path}; wait for it, or choose another path", A_WHILE if wait is None else wait
    )
    _ALONE_AT.add(own)
    try:
        yield
    finally:
        _ALONE_AT.remove(own)
        lock.release(remove=True)


@contextmanager
def alone_in(folder: Path, name: str, busy: str, wait: float = 0.0) -> Iterator[None]:
    """Keep other processes from working in a folder meanwhile; it is made, and stays where something is written.

    Args:
        folder: The folder.
        name: Of the file of the lock, which is deleted in the end.
        busy: What to say where another process is there.
        wait: How long to wait for that process, seconds.

    Raises:
        UserError: Another process is there, or the folder cannot be written.
    """
    lock = Lock(folder / name)
    with explaining_errors(folder):
        make_folder(folder)
        if wait and not lock.is_free():
            _logger.warning("another process is at work in %s; waiting for it", folder)
        lock.acquire(busy, wait)
    try:
        yield
    finally:
        lock.release(remove=True)
        with suppress(OSError):
            folder.rmdir()  # if nothing was written


def _acquired(lock: BaseFileLock, seconds: float) -> BaseFileLock | None:
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return None
    return lock
