"""How much fields change from one time to others, also where those lie in another block."""

from dataclasses import dataclass
from typing import Self

import numpy as np

DAY = np.timedelta64(24, "h")
_BATCH_BYTES = 2**19


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
        """Return the times that a later block may be compared with: the last alone where they do not rise."""
        if not self._rises:
            return self._where(np.arange(len(self.times)) == len(self.times) - 1)
        return self._where(self.times[-1] - self.times <= _day_of(self.times))

    def _where(self, chosen: np.ndarray) -> Self:
        return self if chosen.all() else type(self)(self.times[chosen], self.coarse[chosen])

    def changes(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the RMS of the change since the time before, and since the day before `[time, level]`.

        Args:
            weights: Of the coarse cells `[lat, 1]`.
        """
        before = np.arange(len(self.times)) - 1
        return self._since(before, weights), self._since(self._day_before(), weights)

    def _day_before(self) -> np.ndarray:
        """Return the position of the time a day before each `[time]`; -1 where there is none."""
        if self.times.dtype.kind != "M" or not self._rises:
            return np.full(len(self.times), -1)
        wanted = self.times - DAY
        places = np.searchsorted(self.times, wanted)
        return np.where(self.times[places] == wanted, places, -1)

    @property
    def _rises(self) -> bool:
        steps = np.diff(self.times)
        return bool(np.all(steps > 0 * steps))

    def _since(self, before: np.ndarray, weights: np.ndarray) -> np.ndarray:
        result = np.full((len(before), self.coarse.shape[2]), np.nan)
        with_one = np.flatnonzero(before >= 0)
        length = max(1, _BATCH_BYTES // max(self.coarse[:1].nbytes, 1))
        for start in range(0, len(with_one), length):  # small enough to stay in the cache
            chosen = with_one[start : start + length]
            result[chosen] = _root_mean_square(self.coarse[chosen] - self.coarse[before[chosen]], weights)
        return result


def _root_mean_square(change: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the RMS over the finite cells of `[time, member, level, lat, lon]`, by time and level; NaN of none."""
    n_members, n_lon = change.shape[1], change.shape[4]
    totals = (np.einsum("tmlij,tmlij->tmli", change, change).sum(1) @ weights)[..., 0]
    if np.isfinite(totals).all():
        return np.asarray(np.sqrt(totals / (weights.sum(dtype=np.float64) * n_lon * n_members)))
    finite = np.isfinite(change)
    area = (finite.sum((1, 4)) @ weights)[..., 0]
    change = np.where(finite, change, np.float32(0))
    totals = (np.einsum("tmlij,tmlij->tmli", change, change).sum(1) @ weights)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(totals / area))


def _day_of(times: np.ndarray) -> np.timedelta64 | int:
    return DAY if times.dtype.kind == "M" else 0
