"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from weatherml.errors import UserError
from weatherml.storage.flush import flush, make_folder
from weatherml.storage.folders import put_in_place
from weatherml.storage.locations import local_path
from weatherml.storage.room import explaining_errors

if TYPE_CHECKING:
    import netCDF4
    import xarray as xr

PARTIAL = ".partial"
"""Ending of a file that is still being written; one that is left over after a crash may be deleted."""

_HEADER = 2**14
"""Bytes that a NetCDF file takes at least."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling that takes the place of the file `path` once the block has ended without an error.

    Raises:
        UserError: The disk is full, or the folder cannot be written.
    """
    with _beside(path) as partial:
        yield partial
        flush(partial)
        put_in_place(partial, path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file; see `replacing`."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_unflushed(path: Path, content: bytes) -> None:
    """Write one whole file of many, which the disk holds only once they are flushed together; see `flush_all`."""
    with _beside(path) as partial:
        partial.write_bytes(content)
        os.replace(partial, path)


def write_netcdf(path: Path, dataset: "xr.Dataset") -> None:
    """Write one NetCDF file; see `replacing`."""
    with replacing(path) as partial, _telling_of_a_full_disk(partial):
        dataset.to_netcdf(partial, engine="netcdf4")


def read_netcdf(path: str | Path, what: str, remedy: str) -> "xr.Dataset":
    """Read a NetCDF file into memory.

    Args:
        path: The file.
        what: It holds, such as "sums of statistics".
        remedy: How one is made.

    Raises:
        UserError: It cannot be read.
    """
    import xarray as xr

    try:
        with xr.open_dataset(path, decode_timedelta=True) as opened:
            return opened.load()
    except (OSError, ValueError) as error:
        raise UserError(f"{path} holds no {what}: {error}; {remedy}") from None


@contextmanager
def netcdf_in_place(path: Path) -> "Iterator[netCDF4.Dataset]":
    """Yield an empty NetCDF file to be written piece by piece; see `replacing`."""
    import netCDF4

    with replacing(path) as partial, _telling_of_a_full_disk(partial), netCDF4.Dataset(partial, "w") as file:
        yield file


@contextmanager
def _telling_of_a_full_disk(partial: Path) -> Iterator[None]:
    """Say what is wrong where the library makes something else of it."""
    try:
        yield
    except (RuntimeError, PermissionError) as error:  # of both kinds the library makes a full disk
        partial.write_bytes(bytes(_HEADER))  # which says what is wrong
        raise OSError(f"{error} (is the disk full?)") from error


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield the name of a temporary sibling, of which nothing is left afterwards."""
    local_path(path)
    # Not by process number: on two machines, or in two containers, that may be the same.
    partial = path.with_name(f".{path.name}.{uuid4().hex}{PARTIAL}")
    with explaining_errors(path):
        try:
            make_folder(path.parent)
            yield partial
        finally:
            with suppress(OSError):
                partial.unlink()
