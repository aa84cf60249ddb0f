"""Initial times, as people write them."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from weatherml.errors import UserError

InitTimes = str | np.datetime64 | Sequence[str] | np.ndarray
"""One or more initial times."""


def to_init_times(init_time: InitTimes) -> np.ndarray:
    """Return initial times, rising, `datetime64[ns]` [init_time].

    Raises:
        UserError: There is none, one is no time, or one is given twice.
    """
    given = [_to_time(time) for time in np.atleast_1d(np.asarray(init_time))]
    if not given:
        raise UserError("init_time is empty; pass at least one time")
    times, counts = np.unique(np.array(given), return_counts=True)
    if (counts > 1).any():
        raise UserError(f"init_time {times[counts > 1][0]:.16} is given twice; pass each time once")
    return times


def require_valid_times(init_times: np.ndarray, lead_times: np.ndarray) -> None:
    """Require that the valid times of forecasts, all rising, can be written as `datetime64[ns]`.

    Raises:
        UserError: The last one cannot.
    """
    if init_times[-1] + lead_times[-1] < init_times[-1]:  # integers that wrapped round
        days = lead_times[-1] // np.timedelta64(1, "D")
        raise UserError(
            f"a lead_time of {days}d from {init_times[-1]:.16} ends after the year 2261; pass a shorter one"
        )


def _to_time(value: Any) -> np.datetime64:
    """Return `datetime64[ns]`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy warns of time zones
            time = np.datetime64(value)
    except (ValueError, UserWarning, DeprecationWarning):
        time = np.datetime64("NaT")
    if np.isnat(time):
        raise UserError(f"init_time {str(value)!r} is no ISO 8601 time; write it like '2020-01-01T00', which is UTC")
    fine: np.datetime64 = time.astype("datetime64[ns]")
    if fine.astype(time.dtype) != time:
        raise UserError(f"init_time {str(value)!r} lies outside the years 1678 to 2261; pass a time within them")
    return fine
