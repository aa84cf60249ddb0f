"""One file of the index: what it is, what it holds, and whether it is still the file that was looked at."""

import hashlib
import math
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import xarray as xr

from weatherml.data.reading.canonical import PassedOverError, canonicalise
from weatherml.data.reading.file_index.contents import Contents
from weatherml.data.reading.formats.grib import open_grib, scan_grib
from weatherml.data.reading.formats.local import format_of, open_netcdf, open_zarr
from weatherml.data.reading.formats.messages import MessageTable
from weatherml.data.reading.formats.references import open_references, targets_of

_SAMPLE = 1 << 16
_BLOCK_BYTES = 2 * 2**20
"""What is read at once, at least: chunks of a file that are smaller are read several at a time."""
_STORES = {"zarr": open_zarr, "kerchunk": open_references}
_METADATA = ("zarr.json", ".zmetadata", ".zgroup", ".zarray", ".zattrs", "manifest.json")


class FileToRead(NamedTuple):
    """A file and how its names are meant.

    Attributes:
        path: The file, or the folder of a zarr store.
        rename: Canonical name by the file's own.
    """

    path: Path
    rename: Mapping[str, str]


class Opened(NamedTuple):
    """A file as it is and as it is meant.

    Attributes:
        kind: Its format.
        raw: Datasets as the file has them.
        canonical: The same, canonical; None for one that is passed over.
        passed: Why it is: the message where nothing else is read, and the note otherwise.
        messages: The headers, of a GRIB file.
    """

    kind: str
    raw: list[xr.Dataset]
    canonical: list[xr.Dataset | None]
    passed: list[tuple[str, str]]
    messages: MessageTable | None


@dataclass(frozen=True)
class FileEntry:
    """What the index knows of a file.

    Attributes:
        kind: Its format.
        stamp: Changes when the file does: its size and when it was changed.
        ends: Fingerprint of its first and last 64 KiB; empty for a zarr store.
        contents: Its canonical datasets; None for one that is passed over.
        passed: Why it is: the message where nothing else is read, and the note otherwise.
        messages: A `MessageTable` for JSON, of a GRIB file.
        params: ECMWF's number of the variable of each dataset of a GRIB file.
    """

    kind: str
    stamp: str
    ends: str
    contents: tuple[Contents | None, ...]
    passed: tuple[tuple[str, str], ...]
    messages: dict[str, Any] | None
    params: tuple[int, ...]

    @classmethod
    def scan(cls, file: FileToRead, wanted: Collection[str] | None = None) -> Self:
        """Look at a file.

        Raises:
            UserError: It cannot be read, or is not made of what weatherml reads.
        """
        # Before it is read: a file that changes meanwhile is looked at again.
        stamp = stamp_of(file.path, format_of(file.path))
        opened = open_file(file, wanted)
        pairs = zip(opened.canonical, opened.raw, strict=True)
        contents = tuple(None if canonical is None else Contents.of(canonical, raw) for canonical, raw in pairs)
        for raw in opened.raw:
            raw.close()
        messages = None if opened.messages is None else opened.messages.to_json()
        params = () if messages is None else tuple(map(_param_of, opened.raw))
        return cls(opened.kind, stamp, ends_of(file.path), contents, tuple(opened.passed), messages, params)

    def open(self, file: FileToRead, number: int, wanted: Collection[str] | None = None) -> xr.Dataset:
        """Open one canonical dataset of the file again, lazily; of a GRIB file the messages of its variable alone."""
        if self.messages is None:
            (dataset,) = open_file(file, wanted).canonical
            assert dataset is not None
            return dataset
        param = self.params[number]
        table = MessageTable.from_json(self.messages, param)
        alike = open_grib(file.path, _message_chunks(table), messages=table)
        return canonicalise(alike[self.params[:number].count(param)], str(file.path), file.rename, wanted)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Return the entry that `to_json` wrote."""
        contents = tuple(None if told is None else Contents.from_json(told) for told in content["contents"])
        return cls(
            **{
                **content,
                "contents": contents,
                "passed": tuple(map(tuple, content["passed"])),
                "params": tuple(content["params"]),
            }
        )


def open_file(file: FileToRead, wanted: Collection[str] | None = None) -> Opened:
    """Open a file as lazy canonical datasets whose chunks are few of its own.

    Args:
        file: The file.
        wanted: Canonical names to keep; all when None.

    Raises:
        UserError: It cannot be read, or is not made of what weatherml reads.
    """
    path, kind, messages = file.path, format_of(file.path), None
    if kind == "GRIB":
        messages = scan_grib(path)
        raws = open_grib(path, _message_chunks(messages), messages=messages)
    elif kind in _STORES:
        raws = [_STORES[kind](path)]
    else:
        raws = [_in_pieces(open_netcdf(path, None))]
    canonical: list[xr.Dataset | None] = []
    passed: list[tuple[str, str]] = []
    for raw in raws:
        try:
            canonical.append(canonicalise(raw, str(path), file.rename, wanted))
        except PassedOverError as error:
            canonical.append(None)
            passed.append((str(error), error.note))
    return Opened(kind, raws, canonical, passed, messages)


def stamp_of(path: Path, kind: str) -> str:
    """Return a text that changes when a file does, the metadata of a zarr store, or what a reference points to."""
    if kind == "kerchunk":
        places = [path, *targets_of(path)]
    elif path.is_dir():
        places = sorted(p for pattern in ("", "*/") for name in _METADATA for p in path.glob(pattern + name))
    else:
        return _stamp(path)
    return hashlib.sha256("".join(f"{place} {_stamp(place)}" for place in places).encode()).hexdigest()


def ends_of(path: Path) -> str:
    """Return the fingerprint of the first and the last 64 KiB of a file; nothing for a zarr store."""
    if path.is_dir():
        return ""
    with path.open("rb") as file:
        first = file.read(_SAMPLE)
        file.seek(max(path.stat().st_size - _SAMPLE, 0))
        return hashlib.sha256(first + file.read()).hexdigest()


def fingerprint(path: Path, entry: FileEntry) -> str:
    """Return what tells a file from others of its name: its size and ends, and those of files that it points to.

    Of a zarr store its metadata count, and the names and sizes of its chunks.
    """
    if path.is_dir():
        return f"{path.name} {_fingerprint_of_folder(path)}"
    targets = targets_of(path) if entry.kind == "kerchunk" else []
    told = [f"{file.name} {file.stat().st_size} {ends_of(file)}" for file in targets]
    return " ".join([path.name, str(path.stat().st_size), entry.ends, *told])


def _fingerprint_of_folder(path: Path) -> str:
    result = hashlib.sha256()
    for folder, _, names in sorted(os.walk(path)):
        for place in (Path(folder) / name for name in sorted(names)):
            result.update(f"{place.relative_to(path)} {place.stat().st_size}".encode())
            result.update(place.read_bytes() if place.name in _METADATA else b"")
    return result.hexdigest()


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _param_of(raw: xr.Dataset) -> int:
    """Return ECMWF's number of the one variable of a dataset of like messages."""
    (field,) = raw.data_vars.values()
    return int(field.attrs["GRIB_paramId"])


def _message_chunks(messages: MessageTable) -> dict[str, int]:
    """Return how many messages are decoded at once: one of a large field, several of small ones."""
    points = max(int(header[messages.keys.index("numberOfPoints")]) for header in messages.headers)
    together = max(1, _BLOCK_BYTES // (4 * points))
    others = 1 if together == 1 else -1
    return {"valid_time": together, "isobaricInhPa": others, "number": others, "latitude": -1, "longitude": -1}


def _in_pieces(raw: xr.Dataset) -> xr.Dataset:
    """Return a NetCDF dataset lazy in pieces of whole chunks of the file, and whole fields."""
    fields = {name: field.variable for name, field in raw.data_vars.items() if field.ndim}
    pieces = raw.assign({name: field.chunk(_piece_sizes(field)) for name, field in fields.items()})
    pieces.set_close(raw.close)
    return pieces


def _piece_sizes(field: xr.Variable) -> dict[Any, int]:
    """Return the sizes of pieces: whole fields, and so many along the other dimensions as a block has bytes for."""
    own = field.encoding.get("chunksizes") or (1,) * field.ndim
    sizes = dict(zip(field.dims, own, strict=True))
    sizes.update({dim: field.sizes[dim] for dim in field.dims[-2:]})
    for dim in reversed(field.dims[:-2]):
        fitting = max(1, _BLOCK_BYTES // (field.dtype.itemsize * math.prod(sizes.values())))
        sizes[dim] = min(field.sizes[dim], sizes[dim] * fitting)
    return sizes
