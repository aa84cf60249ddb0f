"""Files that appear whole or not at all."""

import os
import shutil
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


def put_in_place(partial: Path, path: Path) -> None:
    """Give a whole folder its name; what is there already goes only then."""
    old = path.with_name(f".{path.name}.old")
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)  # of a process that was killed
        os.replace(path, old)
    os.replace(partial, path)
    shutil.rmtree(old, ignore_errors=True)


def require_space(path: Path, n_bytes: int) -> None:
    """Require that the disk has room for an output.

    Raises:
        UserError: It has not.
    """
    existing = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(existing).free
    if n_bytes > free:
        raise UserError(
            f"output {path} needs up to {n_bytes / 1e9:.3g} GB and {existing} has {free / 1e9:.3g} GB free;"
            " make room, or keep fewer channels, leads or members"
        )
