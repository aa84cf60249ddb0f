"""Checksums of the fields that were summed: what tells years later whether a store still holds the same."""

import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weatherml.state import StateSpec


@dataclass(frozen=True)
class ByField:
    """Asks for a checksum of each field."""

    may_lie_on_disk: ClassVar = False
    remedy: ClassVar = ""

    def cell_bytes(self, times: np.ndarray) -> int:
        """Return what checksums take for one cell of a channel: less than a byte."""
        del times
        return 0

    def start(self, spec: StateSpec, times: np.ndarray, origin: np.ndarray, in_memory: bool) -> "FieldChecksums":
        """Return checksums of nothing yet."""
        del times, origin, in_memory
        return FieldChecksums(spec.n_channels)


class FieldChecksums:
    """Of every field of some channels, in the order of the blocks."""

    def __init__(self, n_channels: int) -> None:
        self._blocks = [np.empty((0, n_channels), np.int64)]

    def add(self, times: np.ndarray, array: np.ndarray) -> None:
        """Take in float32 `[time, channel, lat, lon]`."""
        del times
        self._blocks.append(checksums_of(array))

    def merge(self, other: "FieldChecksums") -> None:
        """Take in what others have seen, of later times."""
        self._blocks += other._blocks

    @property
    def values(self) -> np.ndarray:
        """Of all times, int64 `[time, channel]`."""
        return np.concatenate(self._blocks)


def checksums_of(array: np.ndarray) -> np.ndarray:
    """Return a CRC-32 of each field of float32 `[time, channel, lat, lon]`, int64 `[time, channel]`."""
    fields = np.ascontiguousarray(array)
    sums = [zlib.crc32(field) for state in fields for field in state]
    return np.array(sums, np.int64).reshape(fields.shape[:2])
