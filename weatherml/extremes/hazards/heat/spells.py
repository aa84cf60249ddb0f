"""Days in a row: which days belong to a spell of at least so many."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import tee

import numpy as np

from weatherml.extremes.hazards.daily import DAY, Day
from weatherml.extremes.hazards.known import agreed


@dataclass(frozen=True, eq=False)
class SpellDay:
    """One day, and where it is in a spell.

    Attributes:
        date: The day.
        exceedance: By how much it is beyond the threshold `[lat, lon]`: above it where that is hot, below where cold.
        is_spell: Where it belongs to a spell, bool `[lat, lon]`.
        follows: Whether the day before came before it: else spells begin anew.
    """

    date: np.datetime64
    exceedance: np.ndarray
    is_spell: np.ndarray
    follows: bool


def spells(days: Iterable[Day], minimum_days: int) -> Iterator[SpellDay]:
    """Find the days that belong to a spell: so many days in a row, or more, with an exceedance above 0.

    Each day is known as soon as `minimum_days` - 1 more are: these are held, and no more. A missing day ends all.

    Args:
        days: One after the other, of which `values` are the exceedance; NaN is none.
        minimum_days: How many days are a spell.
    """
    run = _Run(minimum_days)
    for day in days:
        if run.last is not None and day.date - run.last > DAY:
            yield from run.end()
        yield from run.add(day)
    yield from run.end()


@dataclass(frozen=True, eq=False)
class Bounds:
    """By how much a day is beyond the threshold, where values may be missing.

    Attributes:
        date: The day.
        least: What it is at least `[lat, lon]`: -inf where nothing is known.
        most: What it is at most: inf where nothing is known.
        is_there: Whether it is a day of the fields; else all of it is missing.
    """

    date: np.datetime64
    least: np.ndarray
    most: np.ndarray
    is_there: bool = True


def told(days: Iterable[Bounds], minimum_days: int) -> Iterator[tuple[np.datetime64, np.ndarray]]:
    """Give each day, and where it is in a spell, float32 `[lat, lon]`: NaN where that hangs on what is missing.

    That may be values, or days that lack between others. Before the first day and after the last nothing is missing.
    """
    own, one, two = tee(_with_holes(days, minimum_days - 1), 3)
    least = spells((Day(day.date, day.least) for day in one), minimum_days)
    most = spells((Day(day.date, day.most) for day in two), minimum_days)
    for day, sure, possible in zip(own, least, most, strict=True):
        if day.is_there:
            yield day.date, agreed(sure.is_spell, possible.is_spell)


def _with_holes(days: Iterable[Bounds], n_days: int) -> Iterator[Bounds]:
    """Give days, and so many of those that lack after each and before the next as days of which nothing is known."""
    last: np.datetime64 | None = None
    for day in days:
        lacking = np.empty(0, "datetime64[ns]") if last is None else np.arange(last + DAY, day.date, DAY)
        for number, date in enumerate(lacking):
            if min(number, len(lacking) - 1 - number) < n_days:
                yield Bounds(date, np.full_like(day.least, -np.inf), np.full_like(day.most, np.inf), is_there=False)
        yield day
        last = day.date


class _Run:
    """Days that follow each other."""

    def __init__(self, minimum_days: int) -> None:
        self._least = minimum_days
        self._begin()

    def _begin(self) -> None:
        self.last: np.datetime64 | None = None
        self._waiting: deque[Day] = deque()
        self._in_a_row: np.ndarray = np.zeros(0, int)
        self._left: np.ndarray = np.zeros(0, int)  # for how many more days each place is known to be in a spell
        self._is_first = True

    def add(self, day: Day) -> Iterator[SpellDay]:
        """Take in a day; give the one that is known now, if one is."""
        if self.last is None:
            self._in_a_row, self._left = np.zeros((2, *day.values.shape), np.int32)
        self.last = day.date
        self._in_a_row = np.where(day.values > 0, self._in_a_row + 1, 0)
        self._waiting.append(day)
        if len(self._waiting) == self._least:
            yield self._told(self._in_a_row >= self._least)

    def end(self) -> Iterator[SpellDay]:
        """Give the days that wait, which no more follow, and forget them all."""
        while self._waiting:
            yield self._told(np.zeros(self._left.shape, bool))
        self._begin()

    def _told(self, begins: np.ndarray) -> SpellDay:
        """Return the day that has waited longest; `begins` is where it and all that wait are beyond the threshold."""
        day, is_first = self._waiting.popleft(), self._is_first
        self._left = np.where(begins, self._least, np.maximum(self._left - 1, 0))
        self._is_first = False
        return SpellDay(day.date, day.values, self._left > 0, not is_first)
