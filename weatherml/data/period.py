"""Which times of a dataset: those of a period, and the step between them."""

from itertools import product

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.times import Periods, each_period, is_within, parse_period, show_periods


def overlap(a: Periods, b: Periods) -> bool:
    """Return whether two periods share a moment; of several, whether any do."""
    spans = product(map(parse_period, each_period(a)), map(parse_period, each_period(b)))
    return any(one.first <= other.last and other.first <= one.last for one, other in spans)


def select(dataset: xr.Dataset, period: Periods) -> xr.Dataset:
    """Return the analyses of a period, or of several, still lazy.

    Args:
        dataset: Canonical analyses with rising `time`.
        period: First and last moment, or several of them.

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
    for one in each_period(period):
        if not is_within(times, one).any():
            raise UserError(
                f"the data have no times in {show_periods(one)}; they run from {times[0]:.16} to {times[-1]:.16}"
            )
    chosen = np.flatnonzero(is_within(times, period))
    is_run = chosen[-1] - chosen[0] == len(chosen) - 1  # a slice, which stores read without gathering
    return dataset.isel(time=slice(int(chosen[0]), int(chosen[-1]) + 1) if is_run else chosen)


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
