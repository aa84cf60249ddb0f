"""Which windows of consecutive times a period, or several, hold."""

import copy
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from weatherml.data.period import stride_of
from weatherml.errors import UserError
from weatherml.times import Periods, is_within

_NONE = -1


class Windows:
    """Every window of `n_steps + 1` times that lie exactly one time step apart; none spans a gap or a year left out.

    Args:
        times: Rising, `datetime64[ns]` `[time]`: those of the periods, and no others.
        time_step: A multiple of their spacing: windows of 24 h steps in hourly data start at every hour.
        n_steps: Model steps in a window, at least 1.

    Raises:
        UserError: There is no such window, or the step is no multiple of the spacing.
    """

    def __init__(self, times: np.ndarray, time_step: np.timedelta64, n_steps: int) -> None:
        if n_steps < 1:
            raise UserError(f"n_steps must be at least 1, got {n_steps}")
        stride_of(times, time_step)
        self.times, self.time_step, self.n_steps = times, time_step, n_steps
        self._is_open = np.ones(len(times), bool)
        self._next = _positions_of(times + time_step, times)
        self._starts = self._find_starts()

    def with_n_steps(self, n_steps: int) -> "Windows":
        """Return the windows of another length in the same times."""
        return self._changed(n_steps, self._is_open)

    def within(self, period: Periods) -> "Windows":
        """Return the windows that lie whole in a period, or in several; of the same times, which keep their places.

        Raises:
            UserError: There is none.
        """
        return self._changed(self.n_steps, self._is_open & is_within(self.times, period))

    def _changed(self, n_steps: int, is_open: npt.NDArray[np.bool_]) -> "Windows":
        other = copy.copy(self)
        other.n_steps, other._is_open = n_steps, is_open
        other._starts = other._find_starts()
        return other

    def __len__(self) -> int:
        return len(self._starts)

    def positions(self, indices: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return where the times of some windows lie among all, `[window, step + 1]`."""
        columns = [self._starts[np.asarray(indices, np.int64)]]
        for _ in range(self.n_steps):
            columns.append(self._next[columns[-1]])
        return np.stack(columns, axis=-1)

    def _find_starts(self) -> npt.NDArray[np.int64]:
        """Return from which positions one gets as far as a window reaches."""
        starts = ends = np.flatnonzero(self._is_open)
        for _ in range(self.n_steps):
            ends = self._next[ends]
            is_whole = (ends != _NONE) & self._is_open[ends]
            starts, ends = starts[is_whole], ends[is_whole]
        if not len(starts):
            step, own = self.time_step / np.timedelta64(1, "h"), self.times[self._is_open]
            among = f"{own[0]} .. {own[-1]}" if len(own) else "a period without data"
            raise UserError(
                f"{among} holds no {self.n_steps + 1} consecutive times {step:g} h apart;"
                " choose a longer period or fewer steps"
            )
        return starts


def _positions_of(wanted: np.ndarray, times: np.ndarray) -> npt.NDArray[np.int64]:
    """Return where each wanted time is among rising `times`; -1 where it is not there."""
    found = np.minimum(np.searchsorted(times, wanted), len(times) - 1)
    return np.where(times[found] == wanted, found, _NONE)
