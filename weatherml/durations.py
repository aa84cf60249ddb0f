"""Durations, as people write them and as messages do."""

import re

import numpy as np

from weatherml.errors import UserError

_LONGEST = np.timedelta64(2**63 - 1, "ns")


_UNITS = {
    "d": np.timedelta64(86_400 * 10**9, "ns"),
    "h": np.timedelta64(3_600 * 10**9, "ns"),
    "min": np.timedelta64(60 * 10**9, "ns"),
}


def parse_duration(text: str) -> np.timedelta64:
    """Read a duration such as `10d`, `36h` or `90min` as `timedelta64[ns]`.

    Raises:
        UserError: It is not a positive whole number and one of these units.
    """
    match = re.fullmatch(r"\s*(\d+)\s*(d|h|min)\s*", text)
    if match is None or int(match[1]) == 0:
        raise UserError(f"duration {text!r} must be a positive whole number with d, h or min, for example '10d'")
    if int(match[1]) > _LONGEST // _UNITS[match[2]]:
        raise UserError(f"duration {text!r} is longer than {_LONGEST // _UNITS['d']}d; pass a shorter one")
    return int(match[1]) * _UNITS[match[2]]


def format_duration(duration: np.timedelta64) -> str:
    """Write a duration in hours, or in minutes where they are not whole."""
    minutes = int(duration / np.timedelta64(1, "m"))
    return f"{minutes}min" if minutes % 60 else f"{minutes // 60}h"
