"""Which times of a dataset: those of a period, and the step between them."""

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.times import Period, parse_period


def overlap(a: Period, b: Period) -> bool:
    """Return whether two periods share a moment."""
    (first_a, last_a), (first_b, last_b) = parse_period(a), parse_period(b)
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
            " take one of the others, of members for example the first"
        )
    times = dataset["time"].values
    first, last = parse_period(period)
    chosen = slice(np.searchsorted(times, first), np.searchsorted(times, last, side="right"))
    if chosen.start == chosen.stop:
        raise UserError(
            f"the data have no times in {period[0]} .. {period[1]}; they run from {times[0]:.16} to {times[-1]:.16}"
        )
    return dataset.isel(time=chosen)


def usual_step(times: np.ndarray) -> np.timedelta64:
    """Return the most frequent spacing of rising `times` [time], `timedelta64[ns]`; the smallest of several.

    Raises:
        UserError: There are fewer than two times.
    """
    if len(times) < 2:
        raise UserError(f"a time step needs at least two times, got {len(times)}; choose a longer period")
    steps, counts = np.unique(np.diff(times), return_counts=True)
    return np.timedelta64(steps[counts.argmax()], "ns")


def time_step_of(times: np.ndarray) -> np.timedelta64:
    """Return the usual spacing of rising `times` [time], `timedelta64[ns]`; multiples of it are gaps.

    Raises:
        UserError: There are fewer than two times, or some lie between those that are a step apart.
    """
    step = usual_step(times)
    is_off = np.diff(times) % step != np.timedelta64(0, "ns")
    strays = np.flatnonzero(np.concatenate([[True], is_off]) & np.concatenate([is_off, [True]]))
    if strays.size:
        hours, first = step / np.timedelta64(1, "h"), times[strays[0]].astype("datetime64[m]")
        raise UserError(
            f"{strays.size} of {len(times)} times do not fit the usual step of {hours:g} h, the first is {first}; leave"
            " them out when data are ingested, with source.exclude or source.every"
        )
    return step


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
