"""What a disk refuses, said in one line; and whether it has room."""

import errno
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weatherml.errors import UserError
from weatherml.errors.wording import size_of

_logger = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MOST_COMPRESSED = 1 / 16
"""The least that compression leaves of float32 fields: two bits a value, where rounding to 8 bits leaves a quarter."""


@contextmanager
def explaining_errors(path: Path | None, what: str = "", again: str = "run again") -> Iterator[None]:
    """Turn what a disk refuses into one line that says what to do.

    Args:
        path: What is written.
        what: What it is, such as `checkpoint`.
        again: What to do once there is room.

    Raises:
        UserError: The disk refuses.
    """
    try:
        yield
    except OSError as error:
        remedy = "make room" if error.errno in _FULL else "see to it, or choose another place"
        named = f"{what} {path}" if what else str(path)
        raise UserError(f"cannot write {named}: {error.strerror or error}; {remedy}, then {again}") from error


def require_space(path: Path, n_bytes: int, least: int | None = None) -> None:
    """Require that the disk may have room for an output, and warn where it has none unless compression makes some.

    Args:
        path: The output.
        n_bytes: Its size, not compressed.
        least: What it takes however well its values are compressed; a sixteenth when None.

    Raises:
        UserError: It has less than the least.
    """
    existing = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(existing).free
    told = f"output {path} needs up to {size_of(n_bytes)} and {existing} has {size_of(free)} free"
    if (n_bytes * _MOST_COMPRESSED if least is None else least) > free:
        raise UserError(f"{told}; make room, or keep fewer channels, leads or members")
    if n_bytes > free:
        _logger.warning("%s; it goes on, since compressed it may fit", told)
