"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weatherml.errors import UserError

PARTIAL = ".partial"
"""Ending of a file that is still being written; one that is left over after a crash may be deleted."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling that takes the place of `path` once the block has ended without an error.

    Raises:
        UserError: The disk is full, or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; make room or choose another folder, then run again"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file; see `replacing`."""
    with replacing(path) as partial:
        partial.write_bytes(content)
