"""Initial times, as people write them."""

from collections.abc import Sequence

import numpy as np

from weatherml.errors import UserError
from weatherml.times import LAST_DAY, TimeLike, parse_span, parse_times

InitTimes = TimeLike | Sequence[TimeLike] | np.ndarray
"""One or more initial times."""


def to_init_times(init_time: InitTimes) -> np.ndarray:
    """Return initial times, rising, `datetime64[ns]` [init_time].

    Raises:
        UserError: There is none, one is no time, or one is given twice.
    """
    given = np.atleast_1d(parse_times(init_time, "init_time"))
    if not given.size:
        raise UserError("init_time is empty; pass at least one time")
    times, counts = np.unique(given, return_counts=True)
    if (counts > 1).any():
        raise UserError(f"init_time {times[counts > 1][0]:.16} is given twice; pass each time once")
    return times


def require_valid_times(init_times: np.ndarray, lead_times: np.ndarray) -> None:
    """Require that the valid times of forecasts, all rising, can be written as `datetime64[ns]`.

    Raises:
        UserError: The last one cannot.
    """
    last = int(init_times[-1].astype(np.int64)) + int(lead_times[-1].astype(np.int64))  # of Python: they do not wrap
    if last > int(parse_span(LAST_DAY).last.astype(np.int64)):
        days = lead_times[-1] // np.timedelta64(1, "D")
        raise UserError(
            f"a lead_time of {days}d from {init_times[-1]:.16} ends after the year {LAST_DAY.year}; pass a shorter one"
        )
