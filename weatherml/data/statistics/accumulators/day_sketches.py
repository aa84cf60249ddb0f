"""Sketches of the values in bins of days of the year, whose merger is the distribution of a window."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weatherml.data.statistics.accumulators.days import N_DAYS, day_of_year
from weatherml.errors import UserError
from weatherml.state import StateSpec
from weatherml.streaming.sketch import Sketch, values_entered

N_BINS = 30
"""Bins of 12.2 days, of which five make a window of 61."""
BINS_A_WINDOW = 5
CENTRES = (np.arange(N_BINS) + 0.5) * N_DAYS / N_BINS
"""Of the bins, in days from the beginning of the year."""


@dataclass(frozen=True)
class BySeason:
    """Asks for sketches by season.

    Attributes:
        size: Values that a level of a sketch holds, even: with more, ranks are told more exactly.
    """

    size: int = 128
    may_lie_on_disk: ClassVar = False
    remedy: ClassVar = "choose a coarser grid with source.regrid, or leave climatology.quantiles out"

    def cell_bytes(self, times: np.ndarray) -> int:
        """Return what the sketches take for one cell of a channel, with the window that is put together at the end."""
        in_bin = int(np.bincount(bin_of(times), minlength=N_BINS).max())
        levels = [len(values_entered(self.size, n)) + 1 for n in (in_bin, BINS_A_WINDOW * in_bin)]
        return 4 * self.size * (N_BINS * levels[0] + 2 * levels[1])

    def start(self, spec: StateSpec, times: np.ndarray, origin: np.ndarray, in_memory: bool) -> "DaySketches":
        """Return sketches of nothing yet."""
        del times, origin, in_memory
        return DaySketches(spec, self.size)


class DaySketches:
    """The distribution in every cell by itself, for each bin of days; all hours count."""

    def __init__(self, spec: StateSpec, size: int) -> None:
        self.spec, self.size = spec, size
        self.bins = [Sketch.in_memory(size, spec.shape) for _ in range(N_BINS)]

    def add(self, times: np.ndarray, array: np.ndarray) -> None:
        """Take in float32 `[time, channel, lat, lon]`."""
        own = bin_of(times)
        for number in np.unique(own):
            self.bins[number].append(array[own == number])

    def merge(self, other: "DaySketches") -> None:
        """Take in what other sketches have seen."""
        for own, theirs in zip(self.bins, other.bins, strict=True):
            own.merge(theirs)

    def window(self, number: int) -> Sketch:
        """Return the distribution of a bin and of those around it."""
        merged = Sketch.in_memory(self.size, self.spec.shape)
        for shift in range(-(BINS_A_WINDOW // 2), BINS_A_WINDOW // 2 + 1):
            merged.merge(self.bins[(number + shift) % N_BINS])
        return merged


def require_seasons(times: np.ndarray) -> None:
    """Require that the window around each bin holds a time.

    Raises:
        UserError: One holds none.
    """
    counts, half = np.bincount(bin_of(times), minlength=N_BINS), BINS_A_WINDOW // 2
    lacking = np.flatnonzero(sum(np.roll(counts, shift) for shift in range(-half, half + 1)) == 0)
    if len(lacking):
        day = int(CENTRES[lacking[0]]) + 1
        raise UserError(
            f"no time lies within 30 days of day {day} of the year; choose a longer period, or leave"
            " climatology.quantiles out"
        )


def bin_of(times: np.ndarray) -> np.ndarray:
    """Return the bin of each time, `[time]`."""
    bins: np.ndarray = day_of_year(times) * N_BINS // N_DAYS
    return bins
