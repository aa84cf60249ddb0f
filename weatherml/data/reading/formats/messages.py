"""Which messages a GRIB file holds and where each begins, read once from their headers."""

import base64
import os
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from weatherml.data.reading.formats.headers import (
    END,
    UnusualMessageError,
    length_of_grib_1,
    next_message,
    read_headers,
    read_headers_by_eccodes,
)

LEAD_KEYS = ("step", "localUsePresent", "stepRange", "marsClass")
"""What tells the lead, whose accumulations are those of analyses, and the period of a sum."""
VERSION_KEY = "experimentVersionNumber"
"""What tells preliminary data from final ones."""

Offset = int | tuple[int, int]
"""Where a message begins, in bytes; with the position of the field, where a message holds several."""

_STANDARD_ERROR = 2
_FIELD_ENDS = 7  # the section of GRIB 2 that ends a field: values


@dataclass(frozen=True)
class MessageTable:
    """The headers of a GRIB file.

    Attributes:
        keys: What cfgrib's index tells of a message.
        headers: Their values, once for all messages that agree in every one.
        offsets: The messages of each header.
    """

    keys: tuple[str, ...]
    headers: tuple[tuple[Any, ...], ...]
    offsets: tuple[tuple[Offset, ...], ...]

    @classmethod
    def scan(cls, path: Path, time_dims: tuple[str, ...]) -> Self:
        """Read the headers of all messages; values are passed over.

        Args:
            path: The file.
            time_dims: Dimensions of time, as cfgrib names them.

        Raises:
            Exception: The file is damaged; ecCodes has no common base for what it raises.
        """
        import cfgrib

        keys = sorted({*cfgrib.compute_index_keys(time_dims=time_dims), *LEAD_KEYS, VERSION_KEY})
        found: dict[tuple[Any, ...], list[Offset]] = defaultdict(list)
        for offset, header in _headers(path, keys):
            found[header].append(offset)
        headers, offsets = zip(*found.items(), strict=True)
        if any(header[keys.index("numberOfPoints")] == "undef" for header in headers):
            raise ValueError("the header of a message tells no grid")
        return cls(tuple(keys), headers, tuple(map(tuple, offsets)))

    def index(self, path: Path) -> Any:
        """Return cfgrib's index of the file; a field of it is one seek and one decoding."""
        import cfgrib

        return cfgrib.FieldsetIndex(
            cfgrib.FileStream(str(path), errors="raise"),
            list(self.keys),
            field_ids_index=[(header, list(o)) for header, o in zip(self.headers, self.offsets, strict=True)],
            computed_keys=cfgrib.COMPUTED_KEYS,
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads, a few bytes a message: numbers are packed, and words told once."""
        columns = {key: _encode([h[i] for h in self.headers]) for i, key in enumerate(self.keys)}
        flat = [offset if isinstance(offset, tuple) else (offset, -1) for own in self.offsets for offset in own]
        return {
            "columns": columns,
            "counts": _pack([len(own) for own in self.offsets]),
            "offsets": _pack([offset for offset, _ in flat]),
            "fields": _pack([field for _, field in flat]),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], param: int | None = None) -> Self:
        """Return the table that `to_json` wrote.

        Args:
            content: The table.
            param: ECMWF's number of the one variable whose messages are wanted; all when None.
        """
        counts, columns = _unpack(content["counts"]), content["columns"]
        kept = np.arange(counts.size)
        if param is not None:
            kept = np.flatnonzero(np.array(_decode(columns["paramId"], kept)) == param)
        headers = zip(*(_decode(column, kept) for column in columns.values()), strict=True)
        ends = np.cumsum(counts)
        places = zip(_unpack(content["offsets"]).tolist(), _unpack(content["fields"]).tolist(), strict=True)
        flat = [offset if field < 0 else (offset, field) for offset, field in places]
        return cls(tuple(columns), tuple(headers), tuple(tuple(flat[ends[i] - counts[i] : ends[i]]) for i in kept))


def _headers(path: Path, keys: Sequence[str]) -> list[tuple[Offset, tuple[Any, ...]]]:
    """Return where each field begins, and its header."""
    if _holds_several_fields(path):
        return _headers_of_fields(path, keys)
    try:
        return list(read_headers(path, keys))
    except UnusualMessageError:
        with _printing_nothing():
            return list(read_headers_by_eccodes(path, keys))


_ONE_AT_A_TIME = Lock()


@contextmanager
def _printing_nothing() -> Iterator[None]:
    """Let nothing be printed to standard error: ecCodes, in C, does so of a damaged header, which is refused anyway."""
    with _ONE_AT_A_TIME, open(os.devnull, "w") as nowhere:  # or the second would put back what the first has put there
        try:
            before = os.dup(_STANDARD_ERROR)
        except OSError:  # it is closed
            yield
            return
        try:
            os.dup2(nowhere.fileno(), _STANDARD_ERROR)
            yield
        finally:
            os.dup2(before, _STANDARD_ERROR)
            os.close(before)


def _headers_of_fields(path: Path, keys: Sequence[str]) -> list[tuple[Offset, tuple[Any, ...]]]:
    """Read headers in cfgrib's own way, which alone knows the fields of one message; it reads their values, too."""
    import cfgrib

    stream = cfgrib.FileStream(str(path), errors="raise")
    index = cfgrib.FieldsetIndex.from_fieldset_and_iteritems(stream, stream.items(), keys, cfgrib.COMPUTED_KEYS)
    return [(offset, tuple(header)) for header, offsets in index.field_ids_index for offset in offsets]


def _holds_several_fields(path: Path) -> bool:
    """Return whether a message of GRIB 2 holds more than one field, as those of NCEP may; of GRIB 1 none does."""
    with path.open("rb") as file:
        while head := next_message(file):
            start = file.tell() - len(head)
            if head[7] == 1:
                length = length_of_grib_1(file, start)
            elif head[7] == 2:
                length = int.from_bytes(head[8:], "big")
                if _count_fields(file, start + length) > 1:
                    return True
            else:
                return False  # only ecCodes may know it
            file.seek(start + max(length, len(head)))
    return False


def _count_fields(file: BinaryIO, end: int) -> int:
    n_fields = 0
    while file.tell() < end - len(END):
        length, section = struct.unpack(">IB", file.read(5))
        if length < 5:
            raise ValueError(f"section {section} of a message has a length of {length} bytes")
        n_fields += section == _FIELD_ENDS
        file.seek(length - 5, 1)
    return n_fields


def _encode(values: Sequence[Any]) -> dict[str, Any]:
    distinct = {(type(value), value): None for value in values}
    codes = {key: code for code, key in enumerate(distinct)}
    column: dict[str, Any] = {"values": [value for _, value in distinct]}
    if len(distinct) > 1:
        column["codes"] = _pack([codes[type(value), value] for value in values])
    return column


def _decode(column: dict[str, Any], kept: npt.NDArray[np.int64]) -> list[Any]:
    values = [tuple(value) if isinstance(value, list) else value for value in column["values"]]  # JSON has no tuples
    codes = _unpack(column["codes"])[kept].tolist() if "codes" in column else [0] * kept.size
    return [values[code] for code in codes]


def _pack(numbers: Sequence[int]) -> str:
    """Return whole numbers as text: of messages alike the distances are equal, which compresses well."""
    distances = np.diff(np.array(numbers, np.int64), prepend=0)
    return base64.b64encode(zlib.compress(distances.astype("<i8").tobytes())).decode()


def _unpack(text: str) -> npt.NDArray[np.int64]:
    return np.cumsum(np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i8").astype(np.int64))
