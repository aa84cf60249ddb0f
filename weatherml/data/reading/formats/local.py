"""Which files are meant and what they are by their first bytes; NetCDF and zarr opened as they are."""

import errno
import glob
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import xarray as xr
from xarray.backends import NetCDF4DataStore

from weatherml.data.reading.formats.classic import expected_size
from weatherml.data.reading.formats.decoding import in_words, open_decoded
from weatherml.data.reading.formats.references import is_reference_folder
from weatherml.data.store.guard import OwnStore
from weatherml.data.store.making.workspace import is_begun
from weatherml.data.store.manifest import Manifest, require_not_lost
from weatherml.data.store.opening import whole_store
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.storage.locations import local_path

Paths = str | Path | Sequence[str | Path]

_HDF5, _CLASSIC = b"\x89HDF\r\n\x1a\n", (b"CDF\x01", b"CDF\x02", b"CDF\x05")

_NOT_DATA = {
    b"PK\x03\x04": "a ZIP archive (CDS packs mixed requests so); unzip it and pass the files inside",
    b"\x1f\x8b": "gzip-compressed; gunzip it first",
    b"BZh": "bzip2-compressed; bunzip2 it first",
    b"<": "an HTML or XML page, probably a failed download; open it to see why, and download again",
}

_ZARR = ("zarr.json", ".zgroup", ".zmetadata")

_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL)

# Time splits into chunks of dask's size (128 MiB unless set); a field at one time stays whole.
_WHOLE = ("latitude", "lat", "longitude", "lon", "level", "pressure_level", "isobaricInhPa", "number")

_TIMES = {"time", "valid_time"}
_BLOCK_BYTES = 16 * 2**20
"""Of a block of several stored chunks of all levels: what is looked at at once is no more than that."""

CHUNKS: Mapping[str, Any] = {"time": "auto", "valid_time": "auto", **dict.fromkeys(_WHOLE, -1)}


def expand(paths: Paths) -> list[Path]:
    """Return the files that paths and glob patterns mean, each once, patterns in alphabetical order.

    Raises:
        UserError: A path is missing or a URL, or a pattern matches nothing.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise UserError("no files were named; pass at least one path")
    return list(dict.fromkeys(file for path in given for file in _matches(local_path(path).expanduser())))


def _matches(path: Path) -> list[Path]:
    if path.exists():
        return [path]
    if not glob.has_magic(str(path)):
        raise UserError(f"{path} does not exist; pass an existing GRIB or NetCDF file or zarr store")
    found = sorted(glob.glob(str(path), recursive=True))
    if not found:
        raise UserError(f"{path} matches no file; working directory is {Path.cwd()}")
    return list(map(Path, found))


def format_of(path: Path) -> str:
    """Return the format of a file, by its first bytes and not its name.

    It is zarr, kerchunk, GRIB, NetCDF-4 or NetCDF classic.

    Raises:
        UserError: It cannot be read, or is of none of these.
    """
    if path.is_dir():
        return "kerchunk" if is_reference_folder(path) else "zarr"
    if path.exists() and not path.is_file():  # to open a pipe waits for who writes into it
        raise UserError(f"{path} is neither a file nor a folder; pass a GRIB or NetCDF file or a zarr store")
    head = _head(path)
    known = {b"GRIB": "GRIB", b"{": "kerchunk", _HDF5: "NetCDF-4", **dict.fromkeys(_CLASSIC, "NetCDF classic")}
    found = next((kind for magic, kind in known.items() if head.startswith(magic)), None)
    if found is None:
        raise UserError(f"{path} is {_what_else(head)}")
    return found


def _what_else(head: bytes) -> str:
    if not head:
        return "empty (0 bytes); download it again"
    unknown = f"not GRIB, NetCDF or zarr; it begins with {head[:16]!r}"
    return next((text for magic, text in _NOT_DATA.items() if head.lstrip().startswith(magic)), unknown)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; check its permissions") from None


def open_zarr(path: Path, chunks: Mapping[str, Any] | None = MappingProxyType({})) -> xr.Dataset:
    """Open a zarr store as it is, lazily; leads stay numbers.

    Args:
        path: The store.
        chunks: By dimension, as xarray takes them, its own where there are none; None for lazy values without dask.

    Raises:
        UserError: There is none, or it is damaged.
    """
    own = whole_store(path) if Manifest.exists(path) or is_begun(path) else None
    if not is_zarr(path):
        raise UserError(f"{path} is a directory without a zarr store; {_what_to_pass(path)}")
    require_not_lost(path)
    # Zarr 3 needs no consolidated metadata, and xarray warns when it looks for them in vain.
    is_consolidated = own is not None or (path / ".zmetadata").exists()
    zarr_format = 3 if (path / "zarr.json").exists() else 2
    return _opened(path, "zarr", chunks, {"consolidated": is_consolidated, "zarr_format": zarr_format}, own)


def open_zarr_in_blocks(path: Path) -> xr.Dataset:
    """Open a zarr store as it is, dask's in blocks of some whole chunks where those are small.

    Raises:
        UserError: There is none, or it is damaged.
    """
    lazy = open_zarr(path, chunks=None)
    stamp = path.stat().st_mtime_ns
    return lazy.assign({name: _in_blocks(field, f"{path} {stamp} {name}") for name, field in lazy.data_vars.items()})


def _in_blocks(field: xr.DataArray, token: str) -> xr.DataArray:
    """Return a lazy field as dask's: a stored chunk of few bytes takes longer to ask for than to read."""
    stored = dict(field.encoding.get("preferred_chunks", {}))
    for dim in _TIMES & stored.keys():
        others = math.prod(size for other, size in field.sizes.items() if other != dim)
        stored[dim] *= max(1, _BLOCK_BYTES // max(stored[dim] * others * field.dtype.itemsize, 1))
    return field.chunk(stored, token=token)


def is_zarr(path: Path) -> bool:
    """Return whether there is a zarr store at a path."""
    return any((path / name).exists() for name in _ZARR)


def _what_to_pass(path: Path) -> str:
    """Return which of the things in a folder may be read: stores, such as those of a run, or else its files."""
    stores = sorted(str(place) for place in path.iterdir() if place.is_dir() and (is_zarr(place) or is_begun(place)))
    return f"pass one that is in it: {listed(stores)}" if stores else f"pass its files, for example '{path}/*.nc'"


def open_netcdf(path: Path, chunks: Mapping[str, Any] | None = CHUNKS) -> xr.Dataset:
    """Open a NetCDF file as it is, lazily; leads stay numbers.

    Args:
        path: The file.
        chunks: By dimension, as xarray takes them; None for lazy values without dask.

    Raises:
        UserError: It is damaged.
    """
    if format_of(path) == "NetCDF classic":
        _require_whole_classic(path)
    return _opened(path, "netcdf4", chunks, {})


@contextmanager
def netcdf_variables(path: Path) -> Iterator[tuple[dict[str, xr.Variable], dict[str, Any]]]:
    """Open a NetCDF file as its variables, not decoded, and its attributes: a fraction of the work for a dataset.

    Raises:
        UserError: It is damaged.
    """
    if format_of(path) == "NetCDF classic":
        _require_whole_classic(path)
    with _refusing_damage(path, "netcdf4"):
        store = NetCDF4DataStore.open(str(path))  # type: ignore[no-untyped-call]
    with closing(store), _refusing_damage(path, "netcdf4"):
        variables, attributes = store.load()
        yield dict(variables), dict(attributes)


def _opened(
    path: Path,
    engine: str,
    chunks: Mapping[str, Any] | None,
    options: dict[str, Any],
    own: OwnStore | None = None,
) -> xr.Dataset:
    with _refusing_damage(path, engine):
        return open_decoded(path, engine, str(path), chunks, options, own)


@contextmanager
def _refusing_damage(path: Path, engine: str) -> Iterator[None]:
    """Say in one line what a library refuses, and what to do about it."""
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        told = f"cannot read {path} as {engine} ({in_words(error)})"
        raise UserError(f"{told}; {_about_locks(path) or 'it may be damaged, download it again'}") from None


def _about_locks(path: Path) -> str | None:
    """Return what to do about a file that HDF5 would lock and cannot; None where locks are not what is wrong."""
    try:
        import fcntl
    except ImportError:  # Windows, whose HDF5 locks in another way
        return None
    if path.is_dir():
        return None
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return "another process writes it; wait until that is done"
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return "its file system has no locks, so set HDF5_USE_FILE_LOCKING=FALSE in the environment"
    return None


def _require_whole_classic(path: Path) -> None:
    try:
        missing = expected_size(path) - path.stat().st_size
    except (struct.error, KeyError, IndexError):
        raise UserError(f"{path} is cut off or damaged in its NetCDF header; download it again") from None
    if missing > 0:
        raise UserError(f"{path} is cut off: {missing} bytes fewer than its NetCDF header says; download it again")
