"""One file of the index: what it is, what it holds, and whether it is still the file that was looked at."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import xarray as xr

from weatherml.data.reading.canonical import SOURCE_NAME, PassedOverError, canonicalise
from weatherml.data.reading.file_index.contents import Contents
from weatherml.data.reading.file_index.stamps import ends_of, fingerprint_of_folder, stamp_of
from weatherml.data.reading.formats.decoding import n_fields_read
from weatherml.data.reading.formats.grib import open_grib, scan_grib
from weatherml.data.reading.formats.local import format_of, open_netcdf, open_zarr
from weatherml.data.reading.formats.messages import MessageTable
from weatherml.data.reading.formats.references import open_references, targets_of

_BLOCK_BYTES = 2 * 2**20
"""What is read at once, at least: chunks of a file that are smaller are read several at a time."""
_STORES = {"zarr": open_zarr, "kerchunk": open_references}


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
        stamp: Changes when the file does; see `stamp_of`.
        ends: Fingerprint of its first and last 64 KiB; empty for a zarr store.
        contents: Its canonical datasets; None for one that is passed over.
        passed: Why it is: the message where nothing else is read, and the note otherwise.
        messages: A `MessageTable` for JSON, of a GRIB file.
        params: ECMWF's number of the variable of each dataset of a GRIB file.
        is_by_values: Whether it is told by values of fields at many times, which then count in the stamp.
    """

    kind: str
    stamp: str
    ends: str
    contents: tuple[Contents | None, ...]
    passed: tuple[tuple[str, str], ...]
    messages: dict[str, Any] | None
    params: tuple[int, ...]
    is_by_values: bool = False

    @classmethod
    def scan(cls, file: FileToRead, wanted: Collection[str] | None = None, is_by_values: bool = False) -> Self:
        """Look at a file.

        Args:
            file: The file.
            wanted: Canonical names to keep; all when None.
            is_by_values: Whether all values of a zarr store count in its stamp; they do where they tell what it is.

        Raises:
            UserError: It cannot be read, or is not made of what weatherml reads.
        """
        # Before it is read: a file that changes meanwhile is looked at again.
        stamp, n_before = stamp_of(file.path, format_of(file.path), is_by_values), n_fields_read()
        opened = open_file(file, wanted)
        if opened.kind == "zarr" and not is_by_values and (n_fields_read() > n_before or _leaves_out_times(opened)):
            return cls.scan(file, wanted, is_by_values=True)
        pairs = zip(opened.canonical, opened.raw, strict=True)
        contents = tuple(None if canonical is None else Contents.of(canonical, raw) for canonical, raw in pairs)
        for raw in opened.raw:
            raw.close()
        messages = None if opened.messages is None else opened.messages.to_json()
        params = () if messages is None else tuple(map(_param_of, opened.raw))
        return cls(
            opened.kind, stamp, ends_of(file.path), contents, tuple(opened.passed), messages, params, is_by_values
        )

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


def fingerprint(path: Path, entry: FileEntry) -> str:
    """Return what tells a file from others of its name: its size and ends, and those of files that it points to.

    Of a zarr store its metadata count, its coordinates and fields without time, and the names and sizes of its chunks.
    """
    if path.is_dir():
        return f"{path.name} {fingerprint_of_folder(path)}"
    targets = targets_of(path) if entry.kind == "kerchunk" else []
    told = [f"{file.name} {file.stat().st_size} {ends_of(file)}" for file in targets]
    return " ".join([path.name, str(path.stat().st_size), entry.ends, *told])


def _leaves_out_times(opened: Opened) -> bool:
    """Return whether a field that has no time had one in its file, as masks do that are the same at all times."""
    return any(
        "time" not in field.dims and raw[name].ndim != field.ndim
        for canonical, raw in zip(opened.canonical, opened.raw, strict=True)
        for field in (canonical.data_vars.values() if canonical is not None else ())
        if (name := field.attrs.get(SOURCE_NAME)) in raw
    )


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
