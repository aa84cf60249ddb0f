"""Files on this machine that wait to be sent elsewhere."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from weatherml.storage.locks import Lock
from weatherml.storage.room import explaining_errors

_PREFIX, _LOCK = "weatherml-outgoing-", ".lock"
_A_MINUTE = 60.0
"""Seconds for which a folder without a lock may be one that is just being made."""


@contextmanager
def outgoing() -> Iterator[Path]:
    """Yield an empty folder, which is deleted afterwards, and with it those of processes that were killed.

    Raises:
        UserError: The disk refuses.
    """
    base = Path(tempfile.gettempdir())
    again = "run again; the environment variable TMPDIR names a folder on another disk for what waits to be sent"
    with explaining_errors(base, again=again):
        _sweep(base)
        folder = base / f"{_PREFIX}{uuid4().hex}"
        folder.mkdir(mode=0o700)
        lock = Lock(folder / _LOCK)
        lock.acquire(f"another process is at work in {folder}; run again")
        try:
            (folder / "files").mkdir()
            yield folder / "files"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another's, or just being deleted
            if time.time() - folder.stat().st_mtime > _A_MINUTE and Lock(folder / _LOCK).is_free():
                shutil.rmtree(folder, ignore_errors=True)
