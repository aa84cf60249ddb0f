"""Real files as canonical datasets: GRIB, NetCDF and zarr, whatever layout they came in."""

import glob
import hashlib
import struct
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field, field_validator

from weatherml.config import Config
from weatherml.data import canonical
from weatherml.data.classic import expected_size
from weatherml.data.grib import open_grib
from weatherml.data.manifest import Manifest
from weatherml.data.merge import Part, merge
from weatherml.data.remote import open_remote
from weatherml.data.store import open_store
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.locations import as_url, is_url, local_path
from weatherml.registry import nearest
from weatherml.times import parse_times
from weatherml.variables import find

FORMAT = "weatherml_source_format"
"""Dataset attribute: the formats the data were read from."""

Paths = str | Path | Sequence[str | Path]

_HDF5, _CLASSIC = b"\x89HDF\r\n\x1a\n", (b"CDF\x01", b"CDF\x02", b"CDF\x05")
_NOT_DATA = {
    b"PK\x03\x04": "a ZIP archive (CDS packs mixed requests so); unzip it and pass the files inside",
    b"\x1f\x8b": "gzip-compressed; gunzip it first",
    b"BZh": "bzip2-compressed; bunzip2 it first",
    b"<": "an HTML or XML page, probably a failed download; open it to see why, and download again",
}
# Time splits into chunks of dask's size (128 MiB unless set); a field at one time stays whole.
_WHOLE = ("latitude", "lat", "longitude", "lon", "level", "pressure_level", "isobaricInhPa", "number")
_CHUNKS: Mapping[str, Any] = {"time": "auto", "valid_time": "auto", **dict.fromkeys(_WHOLE, -1)}
_SAMPLE = 1 << 16


class FilesConfig(Config):
    """Files to read.

    Attributes:
        paths: Files, zarr stores or glob patterns, absolute or relative to the working directory.
        variables: Names in any vocabulary; all that weatherml knows when None.
        levels: Pressure levels in hPa; all when None.
        latitude: First and last row to keep, degrees north; all when None. `[90, -89.75]` leaves the South Pole out, as
            FourCastNet does.
        rename: Canonical name by the file's own, where the file's name is unknown or says less than it should.
    """

    name: Literal["files"] = "files"
    paths: tuple[str, ...] = Field(min_length=1)
    variables: tuple[str, ...] | None = None
    levels: tuple[int, ...] | None = None
    latitude: tuple[float, float] | None = None
    rename: dict[str, str] = Field(default_factory=dict)

    @field_validator("paths")
    @classmethod
    def _on_this_machine(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            local_path(path)
        return paths


class FileSource:
    """Files on disk as a `Source`."""

    name = "files"

    def __init__(self, config: FilesConfig) -> None:
        self.config = config

    @cached_property
    def dataset(self) -> xr.Dataset:
        """All of it, canonical and lazy."""
        dataset = open_files(self.config.paths, self.config.variables, self.config.rename)
        dataset = _rows(select(dataset, levels=self.config.levels), self.config.latitude)
        if "time" not in dataset.dims:
            named = ", ".join(self.config.paths)
            raise UserError(f"{named} has no time, so nothing can be ingested; add a time coordinate to the file")
        return dataset

    @cached_property
    def grid(self) -> LatLonGrid:
        """The one horizontal grid."""
        return LatLonGrid.from_dataset(self.dataset)

    @property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa, ascending; empty where all variables are at the surface."""
        return tuple(self.dataset["level"].values.tolist()) if "level" in self.dataset.dims else ()

    def digest(self) -> str:
        """Return a fingerprint of the files (names, sizes, first and last 64 KiB) and of what is read."""
        result = hashlib.sha256(self.config.model_dump_json(exclude={"paths"}).encode())
        for path in expand(self.config.paths):
            for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
                result.update(f"{file.relative_to(path.parent)} {file.stat().st_size}".encode())
                result.update(_ends(file))
        return result.hexdigest()

    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times, `datetime64[ns]` [time], strictly ascending."""
        return np.asarray(self.dataset["time"].values)

    def variables(self) -> tuple[str, ...]:
        """Canonical variable names."""
        return tuple(map(str, self.dataset.data_vars))

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times, lazy.

        Raises:
            UserError: A variable or a time is not there.
        """
        times = parse_times(times)
        absent = np.setdiff1d(times, self.times())
        if absent.size:
            raise UserError(f"the files have no time {absent[0]}; they have {self.times()[0]} .. {self.times()[-1]}")
        return select(self.dataset, variables).sel(time=times)


def open_files(
    paths: Paths, variables: Sequence[str] | None = None, rename: Mapping[str, str] | None = None
) -> xr.Dataset:
    """Open files as one canonical dataset, lazily.

    Dimensions `(time, number, level, latitude, longitude)`, latitude 90 to -90, longitude 0 to 360, level in hPa
    ascending; canonical names, SI units, float32. What was put right is kept in the attributes, where `check_dataset`
    finds it.

    Args:
        paths: GRIB or NetCDF files, zarr stores, glob patterns of them, or URLs of zarr stores.
        variables: Names to keep, in any vocabulary; all when None.
        rename: Canonical name by the file's own, for names weatherml would not know or would misread.

    Raises:
        UserError: A path is missing or matches nothing, a file is damaged or of no known format, or files do not fit
            together.
    """
    wanted = None if variables is None else {find(name).name for name in variables}
    opened = [(str(place), *_open(place)) for place in _places(paths)]
    parts = [Part(path, canonical.canonicalise(raw, path, rename)) for path, _, datasets in opened for raw in datasets]
    # Chosen before the merge: what is left out need not fit the rest.
    kept = [
        Part(path, dataset[[v for v in dataset.data_vars if wanted is None or v in wanted]]) for path, dataset in parts
    ]
    merged = merge([part for part in kept if part.dataset.data_vars] or parts)
    return select(merged, variables).assign_attrs({FORMAT: sorted({kind for _, kind, _ in opened})})


def select(
    dataset: xr.Dataset, variables: Sequence[str] | None = None, levels: Sequence[int] | None = None
) -> xr.Dataset:
    """Keep some variables (named in any vocabulary) and pressure levels; all where None.

    Raises:
        UserError: One is not there; the near one, or those there, are named.
    """
    names = [find(v).name for v in variables] if variables is not None else list(dataset.data_vars)
    for name in names:
        if name not in dataset.data_vars:
            raise UserError(f"the data have no variable {name!r}{nearest(str(name), map(str, dataset.data_vars))}")
    dataset = dataset[names]
    own = dataset["level"].values.tolist() if "level" in dataset.dims else []
    absent = [level for level in levels or () if level not in own]
    if absent:
        raise UserError(f"the data have no level {absent[0]} hPa; they have {own}")
    return dataset.sel(level=sorted(levels)) if levels is not None else dataset


def _rows(dataset: xr.Dataset, latitude: tuple[float, float] | None) -> xr.Dataset:
    """Keep the rows from the first to the last latitude; all when None."""
    if latitude is None:
        return dataset
    kept = dataset.sel(latitude=slice(*latitude))
    if not kept.sizes["latitude"]:
        own = dataset["latitude"].values
        raise UserError(
            f"no row lies between latitudes {latitude[0]} and {latitude[1]}; rows run {own[0]} .. {own[-1]}"
        )
    return kept


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
    """Return the format of a file, by its first bytes and not its name: zarr, GRIB, NetCDF-4 or NetCDF classic.

    Raises:
        UserError: It cannot be read, or is of none of these.
    """
    if path.is_dir():
        return "zarr"
    head = _head(path)
    known = {b"GRIB": "GRIB", _HDF5: "NetCDF-4", **dict.fromkeys(_CLASSIC, "NetCDF classic")}
    found = next((kind for magic, kind in known.items() if head.startswith(magic)), None)
    if found is None:
        raise UserError(f"{path} is {_what_else(head)}")
    return found


def _places(paths: Paths) -> list[Path | str]:
    """Return the files that paths mean, and URLs as they are."""
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    urls: list[Path | str] = [as_url(place) for place in given if is_url(place)]
    local = [place for place in given if not is_url(place)]
    return [*urls, *expand(local)] if local or not urls else urls


def _open(path: Path | str) -> tuple[str, list[xr.Dataset]]:
    """Return the format of a file, or of a store behind a URL, and its raw lazy datasets."""
    if isinstance(path, str):
        return "zarr", [open_remote(path)]
    kind = format_of(path)
    if kind == "GRIB":
        return kind, open_grib(path, _CHUNKS)
    return kind, [open_zarr(path) if kind == "zarr" else open_netcdf(path)]


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


def open_zarr(path: Path) -> xr.Dataset:
    """Open a zarr store as it is, lazily; leads stay numbers.

    Raises:
        UserError: There is none, or it is damaged.
    """
    if not any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata")):
        raise UserError(f"{path} is a directory without a zarr store; pass its files, for example '{path}/*.nc'")
    if is_own := Manifest.exists(path):
        open_store(path)  # refuses one that is unfinished or has lost files
    # Zarr 3 needs no consolidated metadata, and xarray warns when it looks for them in vain.
    return _opened(path, "zarr", {}, {"consolidated": is_own or (path / ".zmetadata").exists()})


def open_netcdf(path: Path) -> xr.Dataset:
    """Open a NetCDF file as it is, lazily; leads stay numbers.

    Raises:
        UserError: It is damaged.
    """
    if format_of(path) == "NetCDF classic":
        _require_whole_classic(path)
    return _opened(path, "netcdf4", _CHUNKS, {})


def _opened(path: Path, engine: str, chunks: Mapping[str, Any], options: dict[str, Any]) -> xr.Dataset:
    try:
        return xr.open_dataset(path, engine=engine, chunks=dict(chunks), decode_timedelta=False, backend_kwargs=options)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"cannot read {path} as {engine} ({reason[:200]}); it may be damaged, download it again"
        ) from None


def _require_whole_classic(path: Path) -> None:
    try:
        missing = expected_size(path) - path.stat().st_size
    except (struct.error, KeyError, IndexError):
        raise UserError(f"{path} is cut off or damaged in its NetCDF header; download it again") from None
    if missing > 0:
        raise UserError(f"{path} is cut off: {missing} bytes fewer than its NetCDF header says; download it again")


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        first = file.read(_SAMPLE)
        file.seek(max(path.stat().st_size - _SAMPLE, 0))
        return first + file.read()
