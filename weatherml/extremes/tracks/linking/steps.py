"""The times of the data: how long the steps between them are, and which of these are holes."""

import numpy as np
import numpy.typing as npt

_BESIDE = 3
_LONGEST = 1.5


def seconds(times: npt.ArrayLike) -> np.ndarray:
    """Return times as seconds since 1970 `[time]`."""
    since: np.ndarray = np.asarray(times, "datetime64[ns]").astype(np.int64) / 1e9
    return since


def is_hole(steps: np.ndarray) -> np.ndarray:
    """Return which steps are holes, bool `[step]`: above one and a half times what is usual before and after them.

    What is usual is the median of three steps on a side, and of both sides the longer one: so a forecast whose steps
    grow with the lead has no holes. A step that has no other beside it is none.

    Args:
        steps: From each time of the data to the next, seconds `[step]`.
    """
    return np.array([step > _LONGEST * _usual(steps, place) for place, step in enumerate(steps)], bool)


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
