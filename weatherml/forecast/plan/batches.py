"""The axes of a forecast, and which member is computed where: the slots of a compiled batch, and who fills them."""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import xarray as xr

from weatherml.state import StateSpec, to_dataset
from weatherml.times import hours_since_1970

CHUNK_BYTES = 16 * 2**20
"""Size of the outputs that leave the device at once, and of the inputs that its calls are given.

So small that writing overlaps with computing, and that the heap does not fall to pieces; large against the cost of one
call (benchmarks/rollout_vs_torch.md).
"""

LARGEST_DEFAULT_BATCH = 10
"""Twice as many gain a tenth on a CPU (benchmarks/rollout_vs_torch.md); large models leave no room for more."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The axes of a forecast, and the pieces in which it arrives.

    Attributes:
        spec: The channels that are kept.
        init_times: `datetime64[ns]` [init_time].
        lead_times: `timedelta64[ns]` [lead_time].
        numbers: Members, int64 [number].
        chunk: How many leads, and how many members at most, arrive together.
        n_models: How many suites of models members take turns among.
    """

    spec: StateSpec
    init_times: np.ndarray
    lead_times: np.ndarray
    numbers: np.ndarray
    chunk: tuple[int, int]
    n_models: int = 1

    @cached_property
    def coords(self) -> dict[str, np.ndarray]:
        """Values of the leading dimensions in canonical order."""
        return {"init_time": self.init_times, "lead_time": self.lead_times, "number": self.numbers}

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(init_time, lead_time, number, channel, lat, lon)."""
        return (*map(len, self.coords.values()), *self.spec.shape)

    @cached_property
    def n_bytes(self) -> int:
        """Size of all fields, not compressed."""
        return 4 * math.prod(self.shape)

    @cached_property
    def chunk_bytes(self) -> int:
        """Size of what arrives together."""
        return 4 * math.prod((*self.chunk, *self.spec.shape))

    @cached_property
    def cell(self) -> xr.Dataset:
        """One initial time, lead and member: the names, dimensions and attributes of the fields."""
        first = {name: values[:1] for name, values in self.coords.items()}
        return to_dataset(np.zeros((1, 1, 1, *self.spec.shape), np.float32), self.spec, first)

    @cached_property
    def batches(self) -> list["Batch"]:
        """Who is computed together."""
        return plan_batches(self.init_times, self.numbers, self.chunk[1], self.n_models)

    @cached_property
    def chunks(self) -> list[range]:
        """Positions of the leads of each chunk."""
        positions, length = range(len(self.lead_times)), self.chunk[0]
        return [positions[start : start + length] for start in range(0, len(positions), length)]

    @cached_property
    def most_init_times(self) -> int:
        """The most initial times that meet in one batch."""
        return max(len({part.init for part in batch}) for batch in self.batches)

    @cached_property
    def members_per_chunk(self) -> int:
        """How many members a chunk of a store holds; see the function of that name."""
        return members_per_chunk(self.numbers, self.chunk[1], self.n_models)

    def slots(self, batch: "Batch", n_slots: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the initial time and the number of each slot, `[batch]`; padding is a control."""
        numbers = np.zeros(n_slots, np.int64)
        init_times = np.full(n_slots, self.init_times[batch[0].init])
        for part in batch:
            numbers[list(part.slots)] = part.numbers
            init_times[list(part.slots)] = self.init_times[part.init]
        return init_times, numbers


@dataclass(frozen=True)
class BatchSlice:
    """Members of one initial time and one model that are computed together.

    Attributes:
        init: Position of the initial time.
        numbers: The members.
        places: Position of each among the members asked for.
        slots: Position of each in the compiled batch.
    """

    init: int
    numbers: tuple[int, ...]
    places: tuple[int, ...]
    slots: tuple[int, ...]


Batch = tuple[BatchSlice, ...]
"""Members of one model that share one compiled batch; slots that none of them takes are padding."""


def plan_batches(init_times: np.ndarray, numbers: np.ndarray, n_slots: int, n_models: int = 1) -> list[Batch]:
    """Assign every member of every initial time to a slot of a batch.

    Of several models, number k is member k // n_models of model k % n_models: each has an ensemble of its own, and the
    batches of one model come before those of the next. A member's slot follows from its number, its initial time, and
    how many slots and models there are, so whatever else is computed, it meets the same program at the same place and
    comes out the same, bit for bit.
    """
    batches: list[Batch] = []
    for model in np.unique(numbers % n_models):
        places = np.flatnonzero(numbers % n_models == model)
        slices = (_slice(init, numbers, places, _offset(time), n_models) for init, time in enumerate(init_times))
        batches += _packed((part for part in slices for part in _cut(part, n_slots, n_models)), n_slots)
    return batches


def split_batch(batch: Batch, n_slots: int, n_models: int = 1) -> list[Batch]:
    """Return batches of the same members for a smaller batch, whose size divides that of `batch`.

    Members meet the slots that they would have had if that batch had been chosen from the start.
    """
    return _packed((part for part in batch for part in _cut(part, n_slots, n_models)), n_slots)


def model_of(batch: Batch, n_models: int) -> int:
    """Return the position of the model that computes a batch."""
    return batch[0].numbers[0] % n_models


def smaller_batch(n_slots: int) -> int:
    """Return the largest batch into which batches of `n_slots` can be split: half of it, where it is even."""
    return next(n_slots // parts for parts in range(2, n_slots + 1) if n_slots % parts == 0)


def fitting_batch(most: int, needs: Callable[[int], tuple[int, int]], room: int) -> int:
    """Return the largest batch up to `most` that fits, by few looks at what batches take.

    Args:
        most: The batch to begin with.
        needs: From a batch to the bytes that it takes: those of any batch, and those that its members add.
        room: Bytes there are.

    Returns:
        The batch; 1 even where that is too large, since only an attempt can tell.
    """
    batch = most
    while batch > 1:
        fixed, added = needs(batch)
        if fixed + added <= room:
            break
        batch = max(1, min(batch - 1, (room - fixed) * batch // added))
    return batch


def outputs_per_chunk(n_outputs: int, output_bytes: int) -> int:
    """Return how many outputs of `output_bytes` (all slots together) a chunk holds; chunks are nearly equal."""
    longest = max(1, CHUNK_BYTES // output_bytes)
    n_chunks = -(-n_outputs // longest)
    return -(-n_outputs // n_chunks)


def members_per_chunk(numbers: np.ndarray, n_slots: int, n_models: int = 1) -> int:
    """Return how many members a chunk of a store may hold, so that no chunk belongs to two batches."""
    if n_models > 1:
        return 1  # neighbours are of different models
    counts = np.unique(numbers // n_slots, return_counts=True)[1]
    return min(n_slots, len(numbers)) if (counts[:-1] == n_slots).all() else 1


def _offset(init_time: np.datetime64) -> int:
    """Return a number that differs between initial times: else deterministic forecasts would all want slot 0."""
    return zlib.crc32(int(hours_since_1970(init_time)).to_bytes(8, "little", signed=True))


def _slice(init: int, numbers: np.ndarray, places: np.ndarray, offset: int, n_models: int) -> BatchSlice:
    """Return the members at some places, of one model, with slots of a batch that holds them all."""
    own = numbers[places]
    return BatchSlice(init, *(tuple(axis.tolist()) for axis in (own, places, own // n_models + offset)))


def _cut(part: BatchSlice, n_slots: int, n_models: int) -> Iterator[BatchSlice]:
    """Yield slices of members that differ in their slots of a batch of `n_slots`."""
    ends = np.flatnonzero(np.diff(np.array(part.numbers) // n_models // n_slots)) + 1
    for start, stop in pairwise((0, *ends.tolist(), len(part.numbers))):
        slots = tuple(slot % n_slots for slot in part.slots[start:stop])
        yield replace(part, numbers=part.numbers[start:stop], places=part.places[start:stop], slots=slots)


def _packed(slices: Iterable[BatchSlice], n_slots: int) -> list[Batch]:
    """Put slices into as few batches as first-fit finds, without two members in one slot."""
    batches: list[list[BatchSlice]] = []
    not_full: list[tuple[list[BatchSlice], set[int]]] = []
    for part in slices:
        free = (entry for entry in not_full if entry[1].isdisjoint(part.slots))
        batch, taken = next(free, ([], set()))
        if not batch:
            batches.append(batch)
            not_full.append((batch, taken))
        batch.append(part)
        taken.update(part.slots)
        not_full = [entry for entry in not_full if len(entry[1]) < n_slots]
    return [tuple(batch) for batch in batches]
