"""What must hold of the path that a verb writes to, before anything is read or computed."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile

from weatherml.data.reading.formats.local import is_zarr
from weatherml.errors import REPLACE, UserError
from weatherml.products.store import unfinished_beside
from weatherml.storage.locations import is_url
from weatherml.storage.room import explaining_errors

_SMALL = 4096  # bytes


def require_new(path: Path, overwrite: bool) -> None:
    """Require that there is nothing at `path` yet, or that it may be replaced.

    Raises:
        UserError: There is, or the disk refuses.
    """
    if path.exists() and not overwrite:
        raise UserError(f"output {path} exists", "choose another path", REPLACE)
    require_writable(path)


def require_apart(output: Path, read: Sequence[str | Path | None]) -> None:
    """Require that an output neither is what is read, nor lies in a store that is, by whatever name.

    Args:
        output: What is written.
        read: Paths, patterns and URLs; what is not given is None.

    Raises:
        UserError: It is, or lies there.
    """
    whole = output.resolve()
    for source in _here(read):
        if whole.exists() and whole.samefile(source):
            raise UserError(f"output {output} would replace {source}, which is read; choose another path")
        if is_zarr(source) and any(parent.exists() and parent.samefile(source) for parent in whole.parents):
            raise UserError(f"output {output} would lie inside the store {source}, which is read; choose another path")


def _here(read: Sequence[str | Path | None]) -> Iterator[Path]:
    """Yield what is there, on this machine; whoever reads it says what is not."""
    for path in (Path(path).expanduser() for path in read if path and not is_url(path)):
        found = [path] if path.exists() else map(Path, glob.glob(str(path), recursive=True))
        yield from (own for own in found if own.exists())


def require_writable(path: Path) -> None:
    """Require that a small file can be written where `path` will be: before the work, not when it is done.

    Raises:
        UserError: The disk refuses.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    with explaining_errors(path), TemporaryFile(dir=folder) as file:
        file.write(bytes(_SMALL))
        file.flush()


def require_begun(output: Path) -> None:
    """Require that a forecast was begun at `output`, finished or not.

    Raises:
        UserError: None was.
    """
    if not output.exists() and not unfinished_beside(output).exists():
        raise UserError(f"there is no forecast to resume at {output}; leave --resume out to begin one")


def require_same_forecast(output: Path, request: str) -> None:
    """Require that the finished forecast at `output` is that of a request.

    Raises:
        UserError: It is another.
    """
    from weatherml.products.store import attributes_of

    if attributes_of(output).get("request") != request:
        raise UserError(
            f"output {output} exists and is not this very forecast, so it is not resumed",
            "choose another path",
            REPLACE,
        )
