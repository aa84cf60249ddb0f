"""Since when do accumulations run? Sums that grow through a day are not those of single hours."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from weatherml.data.derived.accumulation import RESETS
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.plausibility import Summary
from weatherml.data.reading.windows import HOW_TO_READ_SUMS, windows_of

_FEWEST = 12
"""Pairs of times that must rise: half a day of hours, two days of three-hourly sums. Rain itself does not do so."""
_ROUNDING = 1e-6


def judge_accumulation(summary: Summary, times: np.ndarray) -> Iterator[Finding]:
    """Yield what the course of an accumulation through the day says.

    Args:
        summary: Of a variable whose canonical values are sums over the hour before.
        times: Its times `[time]`, rising.
    """
    series = summary.series
    for accumulated, cycle in RESETS.items():
        if len(series) == len(times) and _grows(series, times, cycle):
            text = (
                f"grows {accumulated}, so values are no sums of the hour before; read it with accumulated:"
                f" {accumulated} in source, and derive the sums that are needed"
            )
            yield Finding("warning", str(summary.channel), text)
            return


def judge_windows(field: xr.DataArray) -> Iterator[Finding]:
    """Yield that the sums of a variable are not of one window, where its file says so."""
    windows = windows_of(field)
    if len(windows) > 1:
        text = f"is summed over {', '.join(windows)} h, from time to time another; {HOW_TO_READ_SUMS}"
        yield Finding("error", str(field.name), text)


def _grows(series: np.ndarray, times: Any, cycle: np.timedelta64) -> bool:
    """Return whether a series rises until each reset, and falls after it."""
    number = (times - np.datetime64("1970-01-01", "ns") - np.timedelta64(1, "ns")) // cycle
    is_within, steps = np.diff(number) == 0, np.diff(series)
    if is_within.sum() < _FEWEST or is_within.all():
        return False
    slack = _ROUNDING * np.abs(series).max()
    return bool((steps[is_within] >= -slack).all() and (steps[~is_within] < -slack).all())
