"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import xarray as xr

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
        with suppress(OSError):
            partial.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file; see `replacing`."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_netcdf(path: Path, dataset: xr.Dataset) -> None:
    """Write one NetCDF file; see `replacing`."""
    with replacing(path) as partial:
        try:
            dataset.to_netcdf(partial, engine="netcdf4")
        except RuntimeError as error:  # the library does not tell a full disk from other failures
            raise OSError(f"{error} (is the disk full?)") from error
