"""Which member is computed where: the slots of a compiled batch, and the members that fill them together."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from weatherml.forecast.ensemble import hours_since_1970


@dataclass(frozen=True)
class Block:
    """Members of one initial time that are computed together.

    Attributes:
        init: Position of the initial time.
        numbers: The members.
        first: Position of the first of them among the members asked for.
        slots: Position of each in the compiled batch.
    """

    init: int
    numbers: tuple[int, ...]
    first: int
    slots: tuple[int, ...]


Wave = tuple[Block, ...]
"""Blocks that share one compiled batch; slots that none of them takes are padding."""


def plan_waves(init_times: np.ndarray, numbers: np.ndarray, n_slots: int) -> list[Wave]:
    """Assign every member of every initial time to a slot of a wave.

    A member's slot follows from its number, its initial time and the number of slots alone, so whatever else is
    computed, it meets the same program at the same place and comes out the same, bit for bit.
    """
    every_member = (
        Block(init, tuple(numbers.tolist()), 0, tuple(((numbers + _offset(init_time)) % n_slots).tolist()))
        for init, init_time in enumerate(init_times)
    )
    return _packed((part for block in every_member for part in _cut(block, n_slots)), n_slots)


def split_wave(wave: Wave, n_slots: int) -> list[Wave]:
    """Return waves of the same members for a smaller batch, whose size divides that of `wave`.

    Members meet the slots that they would have had if that batch had been chosen from the start.
    """
    return _packed((part for block in wave for part in _cut(block, n_slots)), n_slots)


def smaller_batch(n_slots: int) -> int:
    """Return the largest batch into which waves of `n_slots` can be split: half of it, where it is even."""
    return next(n_slots // parts for parts in range(2, n_slots + 1) if n_slots % parts == 0)


def members_per_chunk(numbers: np.ndarray, n_slots: int) -> int:
    """Return how many members a chunk of a store may hold, so that no chunk belongs to two waves."""
    counts = np.unique(numbers // n_slots, return_counts=True)[1]
    return min(n_slots, len(numbers)) if (counts[:-1] == n_slots).all() else 1


def _offset(init_time: np.datetime64) -> int:
    """Return a number that differs between initial times: else deterministic forecasts would all want slot 0."""
    return zlib.crc32(int(hours_since_1970(init_time)).to_bytes(8, "little", signed=True))


def _cut(block: Block, n_slots: int) -> Iterator[Block]:
    """Yield blocks of members that differ in their slots of a batch of `n_slots`."""
    ends = np.flatnonzero(np.diff(np.array(block.numbers) // n_slots)) + 1
    for start, stop in pairwise((0, *ends.tolist(), len(block.numbers))):
        slots = tuple(slot % n_slots for slot in block.slots[start:stop])
        yield replace(block, numbers=block.numbers[start:stop], first=block.first + start, slots=slots)


def _packed(blocks: Iterable[Block], n_slots: int) -> list[Wave]:
    """Put blocks into as few waves as first-fit finds, without two members in one slot."""
    waves: list[list[Block]] = []
    not_full: list[tuple[list[Block], set[int]]] = []
    for block in blocks:
        free = (entry for entry in not_full if entry[1].isdisjoint(block.slots))
        wave, taken = next(free, ([], set()))
        if not wave:
            waves.append(wave)
            not_full.append((wave, taken))
        wave.append(block)
        taken.update(block.slots)
        not_full = [entry for entry in not_full if len(entry[1]) < n_slots]
    return [tuple(wave) for wave in waves]
