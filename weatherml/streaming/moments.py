"""Mean, spread and extremes of members as a sum that can be taken in any order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

_PIECE = 2**14
"""Cells that are described at once: few enough that their members stay in a processor's cache."""


@dataclass(frozen=True, eq=False)
class Moments:
    """What is known of the members seen so far; two of them add up to what is known of all.

    A member that is NaN in a cell is not counted there.

    Attributes:
        count: Members, int32 `[*cell]`.
        mean: Their mean in SI units, float64 `[*cell]`; 0 where there is none.
        squares: Sum of the squared differences from the mean, float64 `[*cell]`.
        minimum: float32 `[*cell]`, NaN where there is no member.
        maximum: float32 `[*cell]`, NaN where there is no member.
    """

    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray

    @classmethod
    def of(cls, members: np.ndarray) -> Self:
        """Describe members, float32 `[member, *cell]`; there may be none."""
        cells, shape = members.reshape(len(members), math.prod(members.shape[1:])), members.shape[1:]
        pieces = [_describe(cells[:, start : start + _PIECE]) for start in range(0, max(1, cells.shape[1]), _PIECE)]
        return cls(*(np.concatenate(parts).reshape(shape) for parts in zip(*pieces, strict=True)))

    def __add__(self, other: Self) -> Self:
        """Return what is known of the members of both (Chan, Golub and LeVeque 1983, doi:10.2307/2683386)."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        difference = other.mean - self.mean
        return type(self)(
            count,
            self.mean + difference * share,
            self.squares + other.squares + np.square(difference) * self.count * share,
            np.fmin(self.minimum, other.minimum),
            np.fmax(self.maximum, other.maximum),
        )

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation, the root of the unbiased variance, float64 `[*cell]`; NaN below two members."""
        variance = self.squares / np.maximum(self.count - 1, 1)
        return np.where(self.count > 1, np.sqrt(variance), np.nan)

    def at(self, cells: Any) -> Self:
        """Return what is known of some of the cells, chosen as by an index of their array."""
        return type(self)(*(getattr(self, field.name)[cells] for field in fields(self)))


def _describe(members: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what `Moments` are, in their order, of members `[member, cell]`."""
    values = members.astype(np.float64)
    missing = np.isnan(values)
    is_whole = len(members) > 0 and not missing.any()
    values[missing] = 0
    count = np.asarray(len(members) - missing.sum(axis=0), np.int32)
    mean = values.sum(axis=0) / np.maximum(count, 1)
    # Differences from the mean, not squares of values: geopotential is 1e5 times its spread.
    values -= mean
    values[missing] = 0
    squares = np.einsum("mc,mc->c", values, values)
    if is_whole:  # several times as fast as passing over NaN
        return count, mean, squares, members.min(axis=0), members.max(axis=0)
    minimum, maximum = (bound.reduce(members, axis=0, initial=np.nan) for bound in (np.fmin, np.fmax))
    return count, mean, squares, minimum, maximum


def count_above(members: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Return how many members `[member, *cell]` lie above each threshold, int32 `[threshold, *cell]`."""
    above = [(members > threshold).sum(axis=0, dtype=np.int32) for threshold in thresholds]
    return np.array(above, np.int32).reshape(-1, *members.shape[1:])
