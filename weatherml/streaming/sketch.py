"""Quantiles of a thousand members in the memory of a few: one sketch whose shape all grid cells share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from weatherml.errors import UserError

_PIECE = 2**21
"""Values that are put in order at once: sorting takes many times their size."""


class Slots(Protocol):
    """Room for values `[slot, *cell]`: an array in memory, or one on disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, positions: np.ndarray, /) -> Any: ...

    def __setitem__(self, positions: np.ndarray, values: np.ndarray, /) -> None: ...


@dataclass
class Level:
    """A queue of values in a ring of slots.

    Attributes:
        slots: Where the values are; value i of all that ever entered lies in slot i modulo their number.
        height: Position among the levels, from 0.
        n_entered: Values that ever entered.
        n_left: Those of them that moved on.
        n_lower: How often the lower value of every pair was kept on the way up.
        n_upper: How often the upper one was.
    """

    slots: Slots
    height: int
    n_entered: int = 0
    n_left: int = 0
    n_lower: int = 0
    n_upper: int = 0

    @property
    def weight(self) -> int:
        """Members that one value stands for."""
        return 1 << self.height

    @property
    def n_held(self) -> int:
        """Values that are here."""
        return self.n_entered - self.n_left

    @property
    def rank_error(self) -> int:
        """Members by which a rank may be off for what happened here: halving errs by at most one weight, either way."""
        return self.weight * max(self.n_lower, self.n_upper)

    def append(self, values: np.ndarray) -> None:
        """Take in values `[value, *cell]`."""
        self.slots[self._positions(self.n_entered, self.n_entered + len(values))] = values
        self.n_entered += len(values)

    def held(self) -> np.ndarray:
        """Return the values that are here, `[value, *cell]`."""
        values: np.ndarray = self.slots[self._positions(self.n_left, self.n_entered)]
        return values

    def halve(self) -> np.ndarray:
        """Give up all values; return every other one in rising order, `[value / 2, *cell]`."""
        ascending = np.sort(self.held(), axis=0)  # NaN last
        self.n_left = self.n_entered
        # In turn, and the other way round on the next level, so that the errors of all levels cancel too.
        if (self.n_lower + self.n_upper + self.height) % 2:
            self.n_upper += 1
            return ascending[1::2]
        self.n_lower += 1
        return ascending[0::2]

    def _positions(self, start: int, stop: int) -> np.ndarray:
        return np.arange(start, stop) % len(self.slots)


class Sketch:
    """The distribution of a sample in every cell by itself, for members that come in any order.

    Members enter level 0. When a level holds `size` values and one more comes, its values are sorted and every other
    one moves a level up, where it stands for twice as many members; the lower and the upper one of each pair are kept
    in turn, so that errors cancel. Up to `size` members nothing is lost. Beyond, `rank_error` says by how many members
    a rank can be off at most. (Manku, Rajagopalan and Lindsay 1998, doi:10.1145/276304.276342; all choices are the same
    in every cell, and none is random.)

    Members that are NaN come last in the order, and are no part of the distribution.

    Args:
        size: Values a level holds, even.
        new_slots: From the position of a level to room for `size` values or more.
        n_members: How many members were appended before to what `new_slots` returns.
    """

    def __init__(self, size: int, new_slots: Callable[[int], Slots], n_members: int = 0) -> None:
        self.size, self.n_members = size, n_members
        self._new_slots = new_slots
        self._levels: list[Level] = []
        for height, (entered, halvings) in enumerate(_history(size, n_members)):
            n_lower = (halvings + 1 - height % 2) // 2
            level = Level(new_slots(height), height, entered, halvings * size, n_lower, halvings - n_lower)
            self._levels.append(level)

    @classmethod
    def in_memory(cls, size: int, shape: Sequence[int]) -> "Sketch":
        """Return an empty sketch of cells of any shape."""
        return cls(size, lambda _: np.empty((size, *shape), np.float32))

    @property
    def rank_error(self) -> int:
        """The largest possible error of a rank, in members (those that are NaN among them); 0 up to `size` members."""
        return sum(level.rank_error for level in self._levels)

    def append(self, members: np.ndarray) -> None:
        """Take in members, float32 `[member, *cell]`."""
        self._insert(0, members)
        self.n_members += len(members)

    def merge(self, other: "Sketch") -> None:
        """Take in what another sketch of the same size has seen; the errors of ranks add up.

        Raises:
            UserError: The sizes differ.
        """
        if other.size != self.size:
            raise UserError(f"sketches of {self.size} and {other.size} values do not merge; make them of one size")
        for height, level in enumerate(other._levels):
            self._insert(height, level.held())
            own = self._level(height)
            own.n_lower, own.n_upper = own.n_lower + level.n_lower, own.n_upper + level.n_upper
        self.n_members += other.n_members

    def state(self) -> tuple[np.ndarray, list[list[int]]]:
        """Return the values held, `[value, *cell]`, and how many members there were and what befell each level."""
        levels = [[level.n_entered, level.n_left, level.n_lower, level.n_upper] for level in self._levels]
        held = [level.held() for level in self._levels] or [self._new_slots(0)[np.arange(0)]]
        return np.concatenate(held), [[self.size, self.n_members], *levels]

    @classmethod
    def of_state(cls, values: np.ndarray, record: Sequence[Sequence[int]]) -> "Sketch":
        """Return the sketch in memory that `state` was taken of."""
        (size, n_members), *levels = record
        sketch, start = cls.in_memory(size, values.shape[1:]), 0
        for height, (n_entered, n_left, n_lower, n_upper) in enumerate(levels):
            slots = np.empty((size, *values.shape[1:]), values.dtype)
            level = Level(slots, height, n_left, n_left, n_lower, n_upper)
            level.append(values[start : start + n_entered - n_left])
            sketch._levels.append(level)
            start += n_entered - n_left
        sketch.n_members = n_members
        return sketch

    def quantiles(self, probabilities: Sequence[float]) -> np.ndarray:
        """Return quantiles, float32 `[quantile, *cell]`, NaN where there is no member.

        They are those of the values held, each as often as the members it stands for, interpolated linearly as
        `numpy.quantile` does.
        """
        values = np.concatenate([level.held() for level in self._levels])
        weights = np.repeat([level.weight for level in self._levels], [level.n_held for level in self._levels])
        if not len(values):
            return np.full((len(probabilities), *values.shape[1:]), np.nan, np.float32)
        columns = values.reshape(len(values), -1)
        pieces = np.array_split(columns, -(-values.size // _PIECE) or 1, axis=1)
        quantiles = [_quantiles(piece, weights, probabilities) for piece in pieces]
        return np.concatenate(quantiles, axis=1).reshape(-1, *values.shape[1:])

    def _insert(self, height: int, values: np.ndarray) -> None:
        level = self._level(height)
        while len(values):
            if level.n_held == self.size:
                self._insert(height + 1, level.halve())
            room = self.size - level.n_held
            level.append(values[:room])
            values = values[room:]

    def _level(self, height: int) -> Level:
        while len(self._levels) <= height:
            self._levels.append(Level(self._new_slots(len(self._levels)), len(self._levels)))
        return self._levels[height]


def values_entered(size: int, n_members: int) -> list[int]:
    """Return how many values enter each level of a sketch of `size` values until it has seen `n_members`."""
    return [entered for entered, _ in _history(size, n_members)]


def largest_rank_error(size: int, n_members: int) -> int:
    """Return the error that a sketch of `size` values states after `n_members` one by one."""
    return Sketch(size, lambda _: np.empty(0, np.float32), n_members).rank_error


def _history(size: int, n_members: int) -> list[tuple[int, int]]:
    """Return for each level how many values entered it and how often it was halved, after `n_members` one by one."""
    history: list[tuple[int, int]] = []
    entered = n_members
    while entered or not history:
        halvings = max(0, entered - 1) // size
        history.append((entered, halvings))
        entered = halvings * size // 2
    return history


def _quantiles(values: np.ndarray, weights: np.ndarray, probabilities: Sequence[float]) -> np.ndarray:
    """Return quantiles `[quantile, cell]` of values `[value, cell]` that stand for `weights` members `[value]`."""
    order = np.argsort(values, axis=0)
    values = np.take_along_axis(values, order, axis=0)
    ends = np.cumsum(np.where(np.isnan(values), 0, weights[order]), axis=0)
    return np.stack([_interpolate(values, ends, probability) for probability in probabilities])


def _interpolate(values: np.ndarray, ends: np.ndarray, probability: float) -> np.ndarray:
    """Return the quantile `[*cell]` of rising values `[value, *cell]`, of which `ends` members lie at or below each."""
    n_members = ends[-1]
    position = probability * np.maximum(n_members - 1, 0)
    lower = np.floor(position).astype(np.int64)
    below, above = (_at_rank(values, ends, np.minimum(rank, n_members - 1)) for rank in (lower, lower + 1))
    quantile: np.ndarray = (below + (position - lower) * (above - below)).astype(np.float32)
    return np.where(n_members > 0, quantile, np.float32(np.nan))


def _at_rank(values: np.ndarray, ends: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Return the value of the member at `rank`, counted from 0."""
    position = (ends <= rank).sum(axis=0, keepdims=True)
    found: np.ndarray = np.take_along_axis(values, np.minimum(position, len(values) - 1), axis=0)[0].astype(np.float64)
    return found
