"""How much memory loading may take, and what of it fields that are held and batches get."""

import math
from typing import NamedTuple

from weatherml.data.statistics.forcings import Forcings
from weatherml.errors import UserError
from weatherml.errors.wording import size_of
from weatherml.process.memory import GIB
from weatherml.state import StateSpec

FOR_BATCHES = 0.75
"""Share of the memory that batches take at most; the rest is for what they are unpacked from."""


class Room(NamedTuple):
    """Memory for samples.

    Attributes:
        n_bytes: Of all: fields that are held, and batches.
        batch_bytes: Of the largest batch that will be made; 0 where nobody knows.
    """

    n_bytes: int
    batch_bytes: int = 0

    def holds(self, n_bytes: int) -> bool:
        """Return whether fields may be held: they take half of it at most, and leave room for two batches."""
        return n_bytes <= min(self.n_bytes // 2, self.n_bytes - memory_for(self.batch_bytes))


def batch_bytes(spec: StateSpec, forcings: Forcings, n_samples: int, n_steps: int) -> int:
    """Return the bytes of a batch of windows of `n_steps + 1` times: float32 of states and of forcings."""
    n_maps = spec.n_channels + forcings.n_maps
    return 4 * n_samples * (n_steps + 1) * n_maps * math.prod(spec.grid.shape)


def memory_for(batch_bytes: int) -> int:
    """Return the least bytes for batches: two of them, one that is used and one that is made."""
    return math.ceil(2 * batch_bytes / FOR_BATCHES)


def require_room(batch_bytes: int, memory: int, samples_bytes: int = 0) -> None:
    """Require that memory holds two batches: one that is used, one that is made.

    Args:
        batch_bytes: Of one.
        memory: That is left for batches.
        samples_bytes: Of all times, which are held where they fit.

    Raises:
        UserError: It does not; the message says how much would do.
    """
    needed = memory_for(batch_bytes)
    if needed > memory:
        enough = math.ceil(needed / GIB)
        if samples_bytes <= enough * GIB // 2:
            enough = math.ceil((needed + samples_bytes) / GIB)
        raise UserError(
            f"training.memory leaves {size_of(memory)} for batches of {size_of(batch_bytes)}, of which it must hold two"
            f" and what they are made of; set training.memory={enough}GiB, or a smaller training.batch_size"
        )
