"""Since when do accumulations run? Sums that grow through a day are not those of single hours."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from weatherml.data.derived.accumulation import RESETS
from weatherml.data.derived.derivations import ACCUMULATIONS
from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.registry import RULES, of_time

_FEWEST = 12
"""Pairs of times that must rise: half a day of hours, two days of three-hourly sums. Rain itself does not do so."""
_ROUNDING = 1e-6


@RULES.register("accumulated")
@of_time
def find_growing_sums(evidence: Evidence) -> Iterator[Finding]:
    """Sums grow through the day, so they are not of the hour before."""
    for channel, own in evidence.channels.items():
        means = np.nan_to_num(own.series.mean)
        if channel.variable not in ACCUMULATIONS:
            continue
        found = (name for name, cycle in RESETS.items() if _grows(means, evidence.times, cycle))
        if accumulated := next(found, None):
            text = (
                f"grows {accumulated}, so values are no sums of the hour before; read it with accumulated:"
                f" {accumulated} in source, and derive the sums that are needed"
            )
            yield Finding("warning", str(channel), text)


def _grows(series: np.ndarray, times: Any, cycle: np.timedelta64) -> bool:
    """Return whether a series rises until each reset, and falls after it."""
    number = (times - np.datetime64("1970-01-01", "ns") - np.timedelta64(1, "ns")) // cycle
    is_within, steps = np.diff(number) == 0, np.diff(series)
    if is_within.sum() < _FEWEST or is_within.all():
        return False
    slack = _ROUNDING * np.abs(series).max()
    return bool((steps[is_within] >= -slack).all() and (steps[~is_within] < -slack).all())
