"""Single values that no weather leads up to or away from, though such values are possible elsewhere."""

from collections.abc import Iterator

import numpy as np

from weatherml.data.notes import iso
from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.kinds import RENEWED_DAILY, usual_step, varying
from weatherml.data.quality.rules.registry import RULES, of_time
from weatherml.data.quality.rules.values.stuck import is_spoilt
from weatherml.errors.wording import counted

_SMOOTH = {"K", "Pa", "m2 s-2", "m s-1"}
"""Units of what has no sharp extremes: rain, vertical velocity, vorticity and vapour have."""
_FEWEST_TIMES = 20
_SUDDEN = 15.0
"""Times as much as extremes change from one time to the next, in robust standard deviations: up at once and down again.

Of two reanalyses and a simulated planet none exceeds 5.2; a storm deepens over several times. The least temperature of
the sea rests at its freezing point, and is not asked.
"""
_OF_SPREAD = 1.0
"""Of the spread over the cells that a spike must be: less is no error that a model would learn."""


@RULES.register("spike")
@of_time
def spike(evidence: Evidence) -> Iterator[Finding]:
    """A greatest or least value stands out at a single time, far from those before and after."""
    for variable, channels in varying(evidence).items():
        for own in channels:
            if own.channel.units in _SMOOTH and evidence.times.size >= _FEWEST_TIMES and variable not in RENEWED_DAILY:
                yield from _judge(own, evidence.times)


def _judge(channel: ChannelEvidence, times: np.ndarray) -> Iterator[Finding]:
    series, usable = channel.series, ~is_spoilt(channel, times)
    least = (
        _OF_SPREAD * float(np.median(series.std[np.isfinite(series.std)])) if np.isfinite(series.std).any() else np.inf
    )
    for sign, extremes in ((1, series.maximum), (-1, series.minimum)):
        height = _heights(sign * np.where(usable, extremes, np.nan), times)
        steps = np.abs(np.diff(extremes[np.isfinite(extremes)]))
        usual = 1.4826 * float(np.median(steps)) if steps.size else np.inf
        found = np.flatnonzero(height > max(_SUDDEN * usual, least))
        if found.size:
            first = extremes[found[0]]
            text = (
                f"a value of {first:.6g} at {iso(times[found[0]])} stands out from the extremes before and after by"
                f" {height[found[0]]:.3g} ({counted(found.size, 'time')}); look at these fields, and read them again"
            )
            yield Finding("warning", str(channel.channel), text, "spike", "likely")


def _heights(extremes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return by how much each exceeds the greater of its neighbours, a usual step away `[time]`; NaN where unknown."""
    height = np.full(extremes.size, np.nan)
    height[1:-1] = extremes[1:-1] - np.maximum(extremes[:-2], extremes[2:])
    steps = np.diff(times)
    height[1:-1][(steps[:-1] != usual_step(times)) | (steps[1:] != usual_step(times))] = np.nan
    return height
