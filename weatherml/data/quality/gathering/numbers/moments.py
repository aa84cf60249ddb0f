"""Moments by place of blocks of times, which merge."""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Moments:
    """Of values `[..., lat, lon]` over some times: float32 of one block, float64 of many.

    Attributes:
        count: Finite values; one number where all are.
        mean: Of them.
        second: Sum of squares of what lies apart from the mean.
        third: Sum of cubes of it.
    """

    count: np.ndarray
    mean: np.ndarray
    second: np.ndarray
    third: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Return the moments over the first axis of float32 `[time, ...]`, NaN where there is no value."""
        finite = np.isfinite(values)
        if finite.all():
            return cls._whole(values, np.array(len(values), np.float32))
        count = finite.sum(0).astype(np.float32)
        total = np.where(finite, values, 0).sum(0, dtype=np.float64)
        filled = np.where(finite, values, _over(total, count).astype(np.float32))
        return cls._whole(filled, count)

    @classmethod
    def _whole(cls, values: np.ndarray, count: np.ndarray) -> Self:
        """Return the moments of values, those that are missing being the mean."""
        rough = values.mean(0)
        apart = values - rough
        squares = apart * apart
        rest = _over(apart.sum(0), count)  # of rounding
        second = squares.sum(0) - count * rest**2
        third = np.einsum("t...,t...->...", squares, apart) - 3 * rest * second - count * rest**3
        return cls(count, np.where(count > 0, rough + rest, np.float32(0)), second.clip(min=0), third)

    def doubled(self) -> Self:
        """Return them in double precision, as many blocks need."""
        return type(self)(*(np.asarray(part, np.float64) for part in (self.count, self.mean, self.second, self.third)))

    def __add__(self, other: Self) -> Self:
        """Merge the moments over other times (Pébay 2008, Sandia report 2008-6212)."""
        count = self.count + other.count
        shift = other.mean - self.mean
        share = _over(other.count, count)
        pairs = self.count * share
        mean = self.mean + shift * share
        second = self.second + other.second + shift**2 * pairs
        lean = 3 * shift * _over(self.count * other.second - other.count * self.second, count)
        skew = shift**3 * pairs * _over(self.count - other.count, count)
        return type(self)(count, mean, second, self.third + other.third + lean + skew)

    @property
    def std(self) -> np.ndarray:
        """Standard deviation over time; NaN where there is no value."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.sqrt(self.second / self.count))

    @property
    def skewness(self) -> np.ndarray:
        """Third standardised moment over time; NaN where nothing varies."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.sqrt(self.count) * self.third / self.second**1.5)

    @property
    def known_mean(self) -> np.ndarray:
        """Mean over time; NaN where there is no value."""
        return np.asarray(np.where(self.count > 0, self.mean, np.nan))


def _over(sums: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.asarray(sums / np.where(count > 0, count, 1).astype(np.result_type(sums), copy=False))
