"""Quantiles over time of many cells, of values that come block by block."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from weatherml.streaming.sketch import Sketch, largest_rank_error, values_entered

_SLACK = 4  # a tail is cut back when it has grown by a quarter: each value is then looked at about five times
_MOST_RANK_ERROR = 0.01  # of all times
_SMALLEST_SKETCH = 32


class RunningQuantile(Protocol):
    """Takes values of its cells in any number of blocks, and then knows their quantile."""

    def append(self, values: np.ndarray) -> None:
        """Take in float32 `[time, cell]`."""
        ...

    def quantile(self) -> np.ndarray:
        """Return float32 `[cell]`."""
        ...


@dataclass(frozen=True)
class Method:
    """A way to a quantile, and what it takes.

    Attributes:
        name: What it is called in attributes.
        cell_bytes: Memory of one cell.
        rank_error: The share of all times by which a rank may be off at most.
        new: From a number of cells to a quantile of these.
    """

    name: str
    cell_bytes: int
    rank_error: float
    new: Callable[[int], RunningQuantile]

    @classmethod
    def exact(cls, q: float, n_times: int) -> Self:
        """Keep the tail of the values that the quantile lies in."""
        return cls("exact", 4 * _Tail.room(q, n_times), 0.0, lambda n_cells: _Tail(q, n_times, n_cells))

    @classmethod
    def sketch(cls, q: float, n_times: int) -> Self:
        """Keep as many values as leave ranks right to a hundredth of the times."""
        size = _SMALLEST_SKETCH
        while largest_rank_error(size, n_times) > _MOST_RANK_ERROR * n_times:
            size *= 2
        kept = size * len(values_entered(size, n_times))
        rank_error = largest_rank_error(size, n_times) / n_times
        return cls("sketch", 4 * 2 * kept, rank_error, lambda n_cells: _Sketched(q, size, n_cells))


class _Tail:
    """The smallest values of each cell, or the largest with their signs changed: as many as an exact quantile needs."""

    def __init__(self, q: float, n_times: int, n_cells: int) -> None:
        self._sign = -1 if q > 0.5 else 1
        self._position = _tail_of(q) * (n_times - 1)
        self._n_needed = _needed(q, n_times)
        self._values = np.empty((n_cells, self.room(q, n_times)), np.float32)  # a cell's beside each other, to sort
        self._n_held = 0

    @staticmethod
    def room(q: float, n_times: int) -> int:
        """Return how many values of a cell are held."""
        needed = _needed(q, n_times)
        return min(n_times, needed + max(1, needed // _SLACK))

    def append(self, values: np.ndarray) -> None:
        while len(values):
            if self._n_held == self._values.shape[1]:
                self._values.partition(self._n_needed - 1, axis=1)
                self._n_held = self._n_needed
            own = values[: self._values.shape[1] - self._n_held]
            self._values[:, self._n_held : self._n_held + len(own)] = (self._sign * own).T
            self._n_held += len(own)
            values = values[len(own) :]

    def quantile(self) -> np.ndarray:
        held, lower = self._values[:, : self._n_held], math.floor(self._position)
        upper = min(lower + 1, self._n_needed - 1)
        held.partition([lower, upper], axis=1)
        below, above = held[:, lower].astype(np.float64), held[:, upper].astype(np.float64)
        return np.asarray(self._sign * (below + (self._position - lower) * (above - below)), np.float32)


class _Sketched:
    """A sketch of all values of each cell."""

    def __init__(self, q: float, size: int, n_cells: int) -> None:
        self._q, self._sketch = q, Sketch.in_memory(size, (n_cells,))

    def append(self, values: np.ndarray) -> None:
        self._sketch.append(values)

    def quantile(self) -> np.ndarray:
        quantile: np.ndarray = self._sketch.quantiles([self._q])[0]
        return quantile


def _tail_of(q: float) -> float:
    """Return the share of the values beyond the quantile, at its nearer end."""
    return min(q, 1 - q)


def _needed(q: float, n_times: int) -> int:
    """Return how many values from the nearer end the quantile lies within: it is interpolated between the last two."""
    return min(n_times, math.floor(_tail_of(q) * (n_times - 1)) + 2)
