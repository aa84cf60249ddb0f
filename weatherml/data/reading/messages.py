"""Which messages a GRIB file holds and where each begins, read once from their headers."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

LEAD_KEYS = ("step", "localUsePresent")
"""What tells the lead, and whose accumulations are those of analyses."""

Offset = int | tuple[int, int]
"""Where a message begins, in bytes; with the position of the field, where a message holds several."""

_FIELD_ENDS = 7  # the section of GRIB 2 that ends a field: values
_END = b"7777"


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
        """
        import cfgrib

        keys = sorted({*cfgrib.compute_index_keys(time_dims=time_dims), *LEAD_KEYS})
        stream = cfgrib.FileStream(str(path), errors="raise")
        # Only cfgrib's own way knows the fields of a message that holds several; it reads their values, too.
        items = stream.items() if _holds_several_fields(path) else _headers(path)
        index = cfgrib.FieldsetIndex.from_fieldset_and_iteritems(stream, items, keys, cfgrib.COMPUTED_KEYS)
        headers, offsets = zip(*index.field_ids_index, strict=True)
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
        """Return what `from_json` reads: each key's distinct values once, and which of them each header has."""
        columns = {key: _encode([h[i] for h in self.headers]) for i, key in enumerate(self.keys)}
        return {"columns": columns, "offsets": self.offsets}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Return the table that `to_json` wrote."""
        n_headers = len(content["offsets"])
        columns = [_decode(column, n_headers) for column in content["columns"].values()]
        offsets = tuple(tuple(map(_untouched, offsets)) for offsets in content["offsets"])
        return cls(tuple(content["columns"]), tuple(zip(*columns, strict=True)), offsets)


def _headers(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the offset and the header of every message."""
    import cfgrib
    import eccodes

    with path.open("rb") as file, path.open("rb") as again:
        while (handle := eccodes.codes_grib_new_from_file(file, headers_only=True)) is not None:
            message = cfgrib.Message(codes_id=handle, errors="ignore")  # releases the handle
            offset = message.message_get("offset", int)
            _require_end(again, offset, message.message_get("totalLength", int))
            yield offset, message


def _require_end(file: BinaryIO, offset: int, length: int) -> None:
    file.seek(offset + length - len(_END))
    if file.read(len(_END)) != _END:
        raise ValueError(f"the message at byte {offset} does not end where its header says")


def _holds_several_fields(path: Path) -> bool:
    """Return whether a message of GRIB 2 holds more than one field, as those of NCEP may."""
    with path.open("rb") as file:
        while head := _next_message(file):
            start = file.tell() - len(head)
            end = start + struct.unpack(">Q", head[8:])[0]
            if head[7] != 2:
                return False  # nobody mixes editions, and GRIB 1 has one field a message
            if _count_fields(file, end) > 1:
                return True
            file.seek(end)
    return False


def _next_message(file: BinaryIO) -> bytes:
    """Pass over padding to the next message and return its first 16 bytes; none at the end."""
    head = file.read(16)
    while head and not head.startswith(b"GRIB"):
        found = head.find(b"G", 1)
        skipped = len(head) if found < 0 else found
        head = head[skipped:] + file.read(skipped)
    return head if len(head) == 16 else b""


def _count_fields(file: BinaryIO, end: int) -> int:
    n_fields = 0
    while file.tell() < end - len(_END):
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
        column["codes"] = [codes[type(value), value] for value in values]
    return column


def _decode(column: dict[str, Any], length: int) -> list[Any]:
    values = [_untouched(value) for value in column["values"]]
    return [values[code] for code in column.get("codes", [0] * length)]


def _untouched(value: Any) -> Any:
    """Return a tuple where JSON has made a list of it."""
    return tuple(value) if isinstance(value, list) else value
