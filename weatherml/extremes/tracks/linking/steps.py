"""The times of the data: how long the steps between them are, and which of these are holes."""

import numpy as np
import numpy.typing as npt

_BESIDE = 3
_LONGEST = 1.5
_LONGEST_AT_END = 2.0
_HOUR = 3600.0


def seconds(times: npt.ArrayLike) -> np.ndarray:
    """Return times as seconds since 1970 `[time]`."""
    since: np.ndarray = np.asarray(times, "datetime64[ns]").astype(np.int64) / 1e9
    return since


def is_hole(steps: np.ndarray) -> np.ndarray:
    """Return which steps are holes, bool `[step]`: above one and a half times what is usual before and after them.

    What is usual is the median of three steps on a side, and of both sides the longer one: so a forecast whose steps
    grow with the lead has no holes. Behind the last step nothing tells whether steps have grown, so it is a hole above
    twice what is usual before it. A step that has no other beside it is none.

    Args:
        steps: From each time of the data to the next, seconds `[step]`.
    """
    most = np.full(len(steps), _LONGEST)
    most[-1:] = _LONGEST_AT_END
    return np.array([step > most[place] * _usual(steps, place) for place, step in enumerate(steps)], bool)


def longest_gaps(times: npt.ArrayLike, maximum_gap: float) -> np.ndarray:
    """Return how long before each time of the data a storm may have been seen last, to go on then, seconds `[time]`.

    The time before is always near enough, but for one on the other side of a hole, which is near enough within the
    maximum gap only. Of the first time there is none before.

    Args:
        times: Of the data, rising `[time]`.
        maximum_gap: Hours.
    """
    steps = np.diff(seconds(times))
    longest = np.append(0.0, np.where(is_hole(steps), 0.0, steps))
    gaps: np.ndarray = np.maximum(longest, maximum_gap * _HOUR)
    return gaps


def spans(times: np.ndarray) -> np.ndarray:
    """Return for how long each time stands, seconds `[time]`: the shorter of the steps to the times beside it.

    So equal steps stand for themselves, and a time beside a hole for a usual step; a single time for none.
    """
    steps = np.diff(seconds(times))
    if not len(steps):
        return np.zeros(len(times))
    before, after = np.append(steps[:1], steps), np.append(steps, steps[-1:])
    shorter: np.ndarray = np.minimum(before, after)
    return shorter


def _usual(steps: np.ndarray, place: int) -> float:
    sides = steps[max(0, place - _BESIDE) : place], steps[place + 1 : place + 1 + _BESIDE]
    return max((float(np.median(own)) for own in sides if len(own)), default=float(steps[place]))
