"""How long a classic NetCDF file must be, by its header: the C library reads what is missing as garbage, silently."""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_VALUE_SIZE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}


class _Variable(NamedTuple):
    is_record: bool
    size: int  # bytes, of one record where it is one
    begin: int


class _Header:
    """Reads the fields of a header in their order (NetCDF classic format specification, versions 1, 2 and 5)."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.version = file.read(4)[3]

    def integer(self, size: int) -> int:
        return int(struct.unpack({4: ">I", 8: ">Q"}[size], self.file.read(size))[0])

    def count(self) -> int:
        return self.integer(8 if self.version == 5 else 4)

    def skip(self, n_bytes: int) -> None:
        self.file.seek(-(-n_bytes // 4) * 4, 1)

    def entries(self) -> Iterator[None]:
        """Pass over the tag of a list, then over the name of each of its entries."""
        self.integer(4)
        for _ in range(self.count()):
            self.skip(self.count())
            yield

    def skip_attributes(self) -> None:
        for _ in self.entries():
            size = _VALUE_SIZE[self.integer(4)]
            self.skip(size * self.count())

    def variable(self, lengths: list[int]) -> _Variable:
        shape = [lengths[self.count()] for _ in range(self.count())]
        self.skip_attributes()
        size = _VALUE_SIZE[self.integer(4)]
        self.count()  # the stored size overflows for large variables; the shape does not
        begin = self.integer(4 if self.version == 1 else 8)
        is_record = bool(shape) and shape[0] == 0
        return _Variable(is_record, size * math.prod(shape[1:] if is_record else shape), begin)


def expected_size(path: Path) -> int:
    """Return the least number of bytes that a file with this header has.

    Raises:
        struct.error, KeyError, IndexError: The header itself is cut off or damaged.
    """
    with path.open("rb") as file:
        header = _Header(file)
        n_records = header.count()
        lengths = [header.count() for _ in header.entries()]
        header.skip_attributes()
        variables = [header.variable(lengths) for _ in header.entries()]
    records = [v for v in variables if v.is_record]
    # Each variable's record is padded to four bytes, unless it is the only one.
    stride = sum(-(-v.size // 4) * 4 for v in records) if len(records) > 1 else sum(v.size for v in records)
    ends = [v.begin + v.size for v in variables if not v.is_record]
    ends += [v.begin + (n_records - 1) * stride + v.size for v in records if n_records]
    return max(ends, default=0)
