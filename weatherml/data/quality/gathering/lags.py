"""How much fields change from one time to others, also where those lie in another block."""

from dataclasses import dataclass
from typing import Self

import numpy as np

DAY = np.timedelta64(24, "h")


@dataclass(frozen=True, eq=False)
class Lagged:
    """Coarse fields of some times, and how much they have changed.

    Attributes:
        times: Rising, `datetime64[ns]` `[time]`; their numbers where the data have none.
        coarse: float32 `[time, member, level, lat, lon]`.
    """

    times: np.ndarray
    coarse: np.ndarray

    def __add__(self, later: Self) -> Self:
        """Return both, one after the other."""
        return type(self)(np.append(self.times, later.times), np.concatenate([self.coarse, later.coarse]))

    def first_day(self) -> Self:
        """Return the times whose day before may lie in an earlier block."""
        return self._where(self.times - self.times[0] <= _day_of(self.times))

    def last_day(self) -> Self:
        """Return the times that a later block may be compared with."""
        return self._where(self.times[-1] - self.times <= _day_of(self.times))

    def _where(self, chosen: np.ndarray) -> Self:
        chosen = chosen.copy()
        return type(self)(self.times[chosen], np.ascontiguousarray(self.coarse[chosen]))

    def changes(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the RMS of the change since the time before, and since the day before `[time, level]`.

        Args:
            weights: Of the coarse cells `[lat, 1]`.
        """
        before = np.arange(len(self.times)) - 1
        return self._since(before, weights), self._since(self._day_before(), weights)

    def _day_before(self) -> np.ndarray:
        """Return the position of the time a day before each `[time]`; -1 where there is none."""
        if self.times.dtype.kind != "M" or np.any(np.diff(self.times) <= np.timedelta64(0, "ns")):
            return np.full(len(self.times), -1)
        wanted = self.times - DAY
        places = np.searchsorted(self.times, wanted)
        return np.where(self.times[places] == wanted, places, -1)

    def _since(self, before: np.ndarray, weights: np.ndarray) -> np.ndarray:
        result = np.full((len(before), self.coarse.shape[2]), np.nan)
        for time in np.flatnonzero(before >= 0):  # a field is small enough to stay in the cache
            change = self.coarse[time] - self.coarse[before[time]]
            result[time] = _root_mean_square(change, weights)
        return result


def _root_mean_square(change: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the RMS over the finite cells of `[member, level, lat, lon]`, by level; NaN where there is none."""
    squares = (np.square(change) * weights).transpose(1, 0, 2, 3).reshape(change.shape[1], -1)
    totals = squares.sum(1, dtype=np.float64)
    if np.isfinite(totals).all():
        return np.asarray(np.sqrt(totals / (weights.sum() * change.shape[3] * change.shape[0])))
    finite = np.isfinite(change)
    area = (finite * weights).sum((0, 2, 3))
    total = (np.square(np.where(finite, change, 0)) * weights).sum((0, 2, 3), dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(total / area))


def _day_of(times: np.ndarray) -> np.timedelta64 | int:
    return DAY if times.dtype.kind == "M" else 0
