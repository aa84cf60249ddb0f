"""Over how long the sums of a file are taken, and what a variable is called for that."""

import re

import xarray as xr

from weatherml.variables import VARIABLES

WINDOWS = "weatherml_windows"
"""Variable attribute: the hours over which sums are taken, such as `6` or, where they differ, `3 6 9 12`."""

HOW_TO_READ_SUMS = (
    "say since when with accumulated in source, such as 'since 00 and 12 UTC', and derive the sums that are needed"
)
"""What to do about sums that run since some time."""

_HOURS = {"": 1.0, "h": 1.0, "m": 1 / 60, "s": 1 / 3600, "D": 24.0}


def window_of(step_range: str) -> float:
    """Return the hours of a period such as `6-12` or `30m-60m`; 0 where there is none, or it is not told."""
    ends = [re.fullmatch(r"(\d+)([a-zA-Z]?)", end) for end in step_range.split("-")]
    if len(ends) != 2 or None in ends:
        return 0.0
    first, last = (int(end[1]) * _HOURS.get(end[2], 1.0) for end in ends if end)
    return last - first


def windows_of(field: xr.DataArray) -> tuple[str, ...]:
    """Return the different hours over which the sums of a field are taken; none where that is not told."""
    return tuple(str(field.attrs.get(WINDOWS, "")).split())


def name_of_sum(variable: str, windows: tuple[str, ...]) -> str | None:
    """Return what a variable of sums over an hour is called over other windows; None where there is no such name.

    Windows that differ have none: they are sums since some time, which the name of the variable stands for until
    something else is derived from them.
    """
    if windows in ((), ("1",)) or len(windows) > 1:
        return variable
    named = f"{variable}_{windows[0]}hr"
    return named if named in VARIABLES else None
