"""Headers of GRIB messages: read by ecCodes where they are new, and told by their bytes where only the date is.

What ecCodes tells of a message follows from its sections before the values. Messages of an archive have the same ones
again and again but for the date, which lies in the same place in all messages of an edition.
"""

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

Header = tuple[Any, ...]
"""What is told of a message, in the order of the keys."""

END = b"7777"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_OF_GRIB_1 = 1 << 23
"""Bytes: the lengths of longer messages are told in another way."""
_UNIT_OF_LONG = 120
_END_OF_PERIOD = {8: 34, 11: 37}
"""Where in the product section of GRIB 2 the end of a period lies, by template."""
_OF_TIMES = ("time", "valid_time")
_MOST_KNOWN = 20_000

Key = tuple[tuple[str, ...], bytes]


class _Known(NamedTuple):
    """A header that ecCodes has read.

    Attributes:
        header: Its values.
        date: When the message's time begins.
    """

    header: Header
    date: datetime


class UnusualMessageError(Exception):
    """A message whose length or sections only ecCodes tells."""


_known: dict[Key, _Known] = {}
"""By keys and the bytes of the sections, without the date."""


def read_headers(path: Path, keys: Sequence[str]) -> Iterator[tuple[int, Header]]:
    """Yield the offset and the header of every message; values are passed over.

    Args:
        path: The file.
        keys: What to tell of a message; `undef` where it does not have it.

    Raises:
        UnusualMessageError: It is one that this does not read.
        ValueError: A message does not end where its header says.
    """
    with path.open("rb") as file:
        while head := next_message(file):
            offset = file.tell() - len(head)
            file.seek(offset)
            length, sections, date = _sections(file)
            _require_end(file, offset, length)
            yield offset, _header(path, offset, tuple(keys), sections, date)
            file.seek(offset + length)


def read_headers_by_eccodes(path: Path, keys: Sequence[str]) -> Iterator[tuple[int, Header]]:
    """Yield the offset and the header of every message, whatever its sections are.

    Raises:
        ValueError: A message does not end where its header says.
    """
    import cfgrib
    import eccodes

    with path.open("rb") as file, path.open("rb") as again:
        while (handle := eccodes.codes_grib_new_from_file(file, headers_only=True)) is not None:
            message = cfgrib.Message(codes_id=handle, errors="ignore")  # releases the handle
            offset = message.message_get("offset", int)
            _require_end(again, offset, message.message_get("totalLength", int))
            yield offset, _values(message, keys)


def next_message(file: BinaryIO) -> bytes:
    """Pass over padding to the next message and return its first 16 bytes; none at the end."""
    head = file.read(16)
    while head and not head.startswith(b"GRIB"):
        found = head.find(b"G", 1)
        skipped = len(head) if found < 0 else found
        head = head[skipped:] + file.read(skipped)
    return head if len(head) == 16 else b""


def length_of_grib_1(file: BinaryIO, start: int) -> int:
    """Return the length of a message of GRIB 1 in bytes; that of a long one is told in units of 120, as by ECMWF."""
    file.seek(start + 4)
    length = int.from_bytes(file.read(3), "big")
    if length < _LONGEST_OF_GRIB_1:
        return length
    place = start + 8
    file.seek(place)
    product = file.read(8)
    for is_there in (True, product[7] & 0x80, product[7] & 0x40):  # product, grid, bitmap
        if is_there:
            file.seek(place)
            place += int.from_bytes(file.read(3), "big")
    file.seek(place)
    too_much = int.from_bytes(file.read(3), "big")  # where the length of the values would be
    return (length - _LONGEST_OF_GRIB_1) * _UNIT_OF_LONG + 4 - too_much if too_much < _UNIT_OF_LONG else length


def _header(path: Path, offset: int, keys: tuple[str, ...], sections: bytes, date: datetime) -> Header:
    known = _known.get((keys, sections))
    if known is not None:
        return _on(known, date, keys)
    import cfgrib
    import eccodes

    with path.open("rb") as file:  # of its own: ecCodes keeps the place where it has been in a file
        file.seek(offset)
        handle = eccodes.codes_grib_new_from_file(file, headers_only=True)
    if handle is None:
        raise UnusualMessageError
    header = _values(cfgrib.Message(codes_id=handle, errors="ignore"), keys)
    new = _Known(header, date)
    if len(_known) < _MOST_KNOWN and _on(new, date, keys) == header:
        _known[keys, sections] = new
    return header


def _on(known: _Known, date: datetime, keys: tuple[str, ...]) -> Header:
    """Return a header with another date."""
    later = int((date - known.date).total_seconds())
    told = dict(zip(keys, known.header, strict=True))
    told |= {key: told[key] + later for key in _OF_TIMES if key in told and isinstance(told[key], int)}
    told |= {"dataDate": int(f"{date:%Y%m%d}"), "dataTime": date.hour * 100 + date.minute}
    return tuple(told[key] for key in keys)


def _values(message: Any, keys: Sequence[str]) -> Header:
    """Return what cfgrib's own index would tell of a message."""
    import cfgrib

    index = cfgrib.FieldsetIndex.from_fieldset_and_iteritems([], [(0, message)], list(keys), cfgrib.COMPUTED_KEYS)
    ((header, _),) = index.field_ids_index
    return tuple(header)


def _sections(file: BinaryIO) -> tuple[int, bytes, datetime]:
    """Return the length of a message, its sections before the values without the date, and the date."""
    head = file.read(8)
    try:
        if head[7] == 1:
            return _sections_of_grib_1(file, int.from_bytes(head[4:7], "big"))
        if head[7] == 2:
            return _sections_of_grib_2(file, head)
    except (IndexError, struct.error, ValueError) as error:
        raise UnusualMessageError from error
    raise UnusualMessageError


def _sections_of_grib_1(file: BinaryIO, length: int) -> tuple[int, bytes, datetime]:
    if length >= _LONGEST_OF_GRIB_1:
        raise UnusualMessageError
    product = bytearray(_section(file, 3))
    year, month, day, hour, minute = product[12:17]
    date = datetime((product[24] - 1) * 100 + year, month, day, hour, minute, tzinfo=UTC)
    product[12:17], product[24] = bytes(5), 0
    grid = _section(file, 3) if product[7] & 0x80 else b""
    return length, b"\x01" + product + grid, date


def _sections_of_grib_2(file: BinaryIO, head: bytes) -> tuple[int, bytes, datetime]:
    (length,) = struct.unpack(">Q", file.read(8))
    identification = bytearray(_section(file, 4))
    date = _date(bytes(identification[12:19]))
    identification[12:19] = bytes(7)
    sections = [head, bytes(identification)]
    while (section := _section(file, 4))[4] < 4:
        sections.append(section)
    if section[4] != 4:
        raise UnusualMessageError
    return length, b"".join([*sections, _without_end(section, date)]), date


def _without_end(product: bytes, date: datetime) -> bytes:
    """Return a product section in which the end of a period is told by its distance from the date."""
    place = _END_OF_PERIOD.get(int.from_bytes(product[7:9], "big"))
    if place is None:
        return product
    end = _date(product[place : place + 7])
    return product[:place] + struct.pack(">q", int((end - date).total_seconds())) + product[place + 7 :]


def _date(content: bytes) -> datetime:
    year, month, day, hour, minute, second = struct.unpack(">HBBBBB", content)
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def _section(file: BinaryIO, n_length: int) -> bytes:
    """Return a section, whose first bytes tell its length."""
    head = file.read(n_length)
    rest = int.from_bytes(head, "big") - n_length
    section = head + file.read(max(rest, 0))
    if rest <= 0 or len(section) != n_length + rest:
        raise UnusualMessageError
    return section


def _require_end(file: BinaryIO, offset: int, length: int) -> None:
    file.seek(offset + length - len(END))
    if file.read(len(END)) != END:
        raise ValueError(f"the message at byte {offset} does not end where its header says")
