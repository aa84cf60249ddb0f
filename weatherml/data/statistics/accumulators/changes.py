"""Which times of a run lie one step apart, and the fields at its ends that wait for what comes before or after."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from weatherml.data.statistics.accumulators.harmonics import Harmonics


class Pairs(NamedTuple):
    """What a block decides of one step.

    Attributes:
        before: Positions of times that have another one step later, `[pair]`.
        after: Positions of those, `[pair]`.
        alone: What the terms of fields without a partner are weighted with, float64 `[time, term]`; None where all
            have one.
    """

    before: np.ndarray | slice
    after: np.ndarray | slice
    alone: np.ndarray | None


def decide(times: np.ndarray, n_recent: int, first: np.datetime64, step: np.timedelta64, terms: Harmonics) -> Pairs:
    """Say which times have a partner, of those for which a block makes it known.

    A time at the ends of a run, whose partner would lie outside, stays undecided.

    Args:
        times: The recent ones and those of the block, rising, `datetime64[ns]` [time].
        n_recent: How many lie before the block.
        first: Of the run.
        step: Between partners, not longer than the recent times reach back.
        terms: Of the climatology.
    """
    later = times + step
    known = later <= times[-1]
    if n_recent:
        known &= later > times[n_recent - 1]
    place = np.minimum(np.searchsorted(times, later), len(times) - 1)
    has_after = known & (times[place] == later)
    ends = known & ~has_after
    starts = ~np.isin(times - step, times) & (times - step >= first)
    starts[:n_recent] = False
    alone = None
    if ends.any() or starts.any():
        alone = starts[:, None] * terms.at(times - step) - ends[:, None] * terms.at(times)
    return Pairs(_as_slice(np.flatnonzero(has_after)), _as_slice(place[has_after]), alone)


def _as_slice(positions: np.ndarray) -> np.ndarray | slice:
    """Return rising positions that follow each other as a slice, which takes a view and no copy."""
    if len(positions) and positions[-1] - positions[0] == len(positions) - 1:
        return slice(int(positions[0]), int(positions[-1]) + 1)
    return positions


@dataclass(frozen=True, eq=False)
class Borders:
    """Fields whose partners may come with another run.

    Attributes:
        times: `datetime64[ns]` [time].
        fields: float32 `[time, channel, lat, lon]`, SI units.
        runs: First and last time of the run that each is of: partners between them are there, or are not to come.
            `datetime64[ns]` [time, 2].
    """

    times: np.ndarray
    fields: np.ndarray
    runs: np.ndarray

    @classmethod
    def of_run(cls, times: np.ndarray, fields: np.ndarray, run: np.ndarray) -> "Borders":
        """Return fields of one run, of which `run` [2] are the first and the last time."""
        return cls(times, fields, np.broadcast_to(run, (len(times), 2)))

    def chosen(self, which: Any) -> "Borders":
        """Return some of them, chosen as by an index of an array."""
        return Borders(self.times[which], self.fields[which], self.runs[which])

    def joined(self, other: "Borders") -> "Borders":
        """Return the fields of both."""
        pairs = ((self.times, other.times), (self.fields, other.fields), (self.runs, other.runs))
        return Borders(*map(np.concatenate, pairs))

    def pairs_with(self, later: "Borders", step: np.timedelta64) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions here, and there, of times that lie one step apart, `[pair]` each."""
        _, own, others = np.intersect1d(self.times + step, later.times, assume_unique=True, return_indices=True)
        return own, others

    def without_after(self, step: np.timedelta64, times: np.ndarray) -> np.ndarray:
        """Return whose partner one step later lies beyond the run, and not among `times`; bool `[time]`."""
        later = self.times + step
        return (later > self.runs[:, 1]) & ~np.isin(later, times)

    def without_before(self, step: np.timedelta64, times: np.ndarray) -> np.ndarray:
        """Return whose partner one step earlier lies before the run, and not among `times`; bool `[time]`."""
        earlier = self.times - step
        return (earlier < self.runs[:, 0]) & ~np.isin(earlier, times)

    def still_open(self, times: np.ndarray, steps: tuple[np.timedelta64, ...]) -> "Borders":
        """Return those that still wait for a partner when `times` have been seen."""
        waiting = [side(step, times) for step in steps for side in (self.without_after, self.without_before)]
        return self.chosen(np.logical_or.reduce(waiting))
