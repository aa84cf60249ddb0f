"""Which times: a period with both ends included, and the step between times."""

import numpy as np
import xarray as xr

from weatherml.errors import UserError

Period = tuple[str, str]
"""First and last moment in ISO 8601, both included; a last of "2012-06" or "2012" reaches to its end."""


def bounds(period: Period) -> tuple[np.datetime64, np.datetime64]:
    """Return the first and the last nanosecond of a period, `datetime64[ns]`.

    Raises:
        UserError: An end is not ISO 8601, or the first comes after the last.
    """
    first, last = (_parse(text) for text in period)
    start = first.astype("datetime64[ns]")
    end = (last + 1).astype("datetime64[ns]") - np.timedelta64(1, "ns")
    if start > end:
        raise UserError(f"period must run forward, got {period[0]} .. {period[1]}; exchange the two")
    return start, end


def overlap(a: Period, b: Period) -> bool:
    """Return whether two periods share a moment."""
    (first_a, last_a), (first_b, last_b) = bounds(a), bounds(b)
    return bool(first_a <= last_b and first_b <= last_a)


def select(dataset: xr.Dataset, period: Period) -> xr.Dataset:
    """Return the analyses of a period, still lazy.

    Args:
        dataset: Canonical analyses with rising `time`.
        period: First and last moment.

    Raises:
        UserError: The dataset has leading dimensions other than `time`, or no time in the period.
    """
    extra = sorted({"init_time", "lead_time", "number"} & set(dataset.dims))
    if extra or "time" not in dataset.dims:
        raise UserError(
            f"analyses must have the one leading dimension time, got {sorted(map(str, dataset.dims))};"
            " select along the others, for example dataset.isel(number=0)"
        )
    times = dataset["time"].values
    first, last = bounds(period)
    chosen = slice(np.searchsorted(times, first), np.searchsorted(times, last, side="right"))
    if chosen.start == chosen.stop:
        raise UserError(
            f"the data have no times in {period[0]} .. {period[1]}; they run from {times[0]} to {times[-1]}"
        )
    return dataset.isel(time=chosen)


def time_step_of(times: np.ndarray) -> np.timedelta64:
    """Return the smallest spacing of rising `times` [time], `timedelta64[ns]`; wider ones are gaps.

    Raises:
        UserError: There are fewer than two times.
    """
    if len(times) < 2:
        raise UserError(f"a time step needs at least two times, got {len(times)}; choose a longer period")
    return np.timedelta64(np.diff(times).min(), "ns")


def stride_of(times: np.ndarray, time_step: np.timedelta64) -> int:
    """Return how many spacings of rising `times` make one `time_step`.

    Raises:
        UserError: Their number is not whole.
    """
    spacing = time_step_of(times)
    if time_step < spacing or time_step % spacing:
        hour = np.timedelta64(1, "h")
        raise UserError(
            f"time_step of {time_step / hour:g} h is no multiple of the data's {spacing / hour:g} h; choose one that is"
        )
    return int(time_step // spacing)


def _parse(text: str) -> np.datetime64:
    try:
        moment = np.datetime64(text)
    except ValueError:
        moment = np.datetime64("NaT")
    if np.isnat(moment):
        raise UserError(f"period has {text!r}, which is no date; write it like 2012-06-30 or 2012-06-30T12:00")
    return moment
