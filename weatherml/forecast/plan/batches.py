"""Which member is computed where: the slots of a compiled batch, and the members that fill them together."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from weatherml.forecast.keys import hours_since_1970


@dataclass(frozen=True)
class Block:
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


Wave = tuple[Block, ...]
"""Blocks of one model that share one compiled batch; slots that none of them takes are padding."""


def plan_waves(init_times: np.ndarray, numbers: np.ndarray, n_slots: int, n_models: int = 1) -> list[Wave]:
    """Assign every member of every initial time to a slot of a wave.

    Of several models, number k is member k // n_models of model k % n_models: each has an ensemble of its own, and the
    waves of one model come before those of the next. A member's slot follows from its number, its initial time, and how
    many slots and models there are, so whatever else is computed, it meets the same program at the same place and comes
    out the same, bit for bit.
    """
    waves: list[Wave] = []
    for model in np.unique(numbers % n_models):
        places = np.flatnonzero(numbers % n_models == model)
        blocks = (_block(init, numbers, places, _offset(time), n_models) for init, time in enumerate(init_times))
        waves += _packed((part for block in blocks for part in _cut(block, n_slots, n_models)), n_slots)
    return waves


def split_wave(wave: Wave, n_slots: int, n_models: int = 1) -> list[Wave]:
    """Return waves of the same members for a smaller batch, whose size divides that of `wave`.

    Members meet the slots that they would have had if that batch had been chosen from the start.
    """
    return _packed((part for block in wave for part in _cut(block, n_slots, n_models)), n_slots)


def model_of(wave: Wave, n_models: int) -> int:
    """Return the position of the model that computes a wave."""
    return wave[0].numbers[0] % n_models


def smaller_batch(n_slots: int) -> int:
    """Return the largest batch into which waves of `n_slots` can be split: half of it, where it is even."""
    return next(n_slots // parts for parts in range(2, n_slots + 1) if n_slots % parts == 0)


def members_per_chunk(numbers: np.ndarray, n_slots: int, n_models: int = 1) -> int:
    """Return how many members a chunk of a store may hold, so that no chunk belongs to two waves."""
    if n_models > 1:
        return 1  # neighbours are of different models
    counts = np.unique(numbers // n_slots, return_counts=True)[1]
    return min(n_slots, len(numbers)) if (counts[:-1] == n_slots).all() else 1


def _offset(init_time: np.datetime64) -> int:
    """Return a number that differs between initial times: else deterministic forecasts would all want slot 0."""
    return zlib.crc32(int(hours_since_1970(init_time)).to_bytes(8, "little", signed=True))


def _block(init: int, numbers: np.ndarray, places: np.ndarray, offset: int, n_models: int) -> Block:
    """Return the members at some places, of one model, with slots of a batch that holds them all."""
    own = numbers[places]
    return Block(init, *(tuple(axis.tolist()) for axis in (own, places, own // n_models + offset)))


def _cut(block: Block, n_slots: int, n_models: int) -> Iterator[Block]:
    """Yield blocks of members that differ in their slots of a batch of `n_slots`."""
    ends = np.flatnonzero(np.diff(np.array(block.numbers) // n_models // n_slots)) + 1
    for start, stop in pairwise((0, *ends.tolist(), len(block.numbers))):
        slots = tuple(slot % n_slots for slot in block.slots[start:stop])
        yield replace(block, numbers=block.numbers[start:stop], places=block.places[start:stop], slots=slots)


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
