"""Does each level hold what its label says? Weather is tall: neighbouring levels are alike, those far apart are not."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.place import earth, flow
from weatherml.data.quality.place.wind import fields_of, winds
from weatherml.state import Channel

GAS = 287.05
"""Of dry air, J kg-1 K-1."""
_TIMES = 4
_ROLLED = 1.8
"""Times as unlike as the first and the last level are two neighbours, where levels are rolled. In the right order it is
at most 1.1 times, where temperature changes its sign through the tropopause, and 0.4 on most sets of levels."""
_KNOWN = (50, 1000)
_UNLIKE, _LIKE = 0.3, 0.2
"""Logarithm of the spread of wind on levels over the published one, root mean square: from where on they are unlike,
and up to where alike. ERA-Interim has 0.08 to 0.10 as labelled, and 0.38 to 0.84 in reverse."""
_BETTER = 0.04
"""By how much, in correlation, geopotential of another level balances wind better where levels are exchanged."""


def levels_of(evidence: Evidence, variable: str) -> list[Channel]:
    """Return the channels of a variable on pressure levels that have values, levels rising."""
    found = [channel for channel in evidence.channels if channel.variable == variable and channel.level is not None]
    filled = [channel for channel in found if np.isfinite(evidence.channels[channel].series.mean).any()]
    return sorted(filled, key=lambda channel: channel.level or 0)


def variables_on_levels(evidence: Evidence) -> list[str]:
    """Return the variables that have pressure levels, each once."""
    return list(dict.fromkeys(channel.variable for channel in evidence.channels if channel.level is not None))


def rolled_by(evidence: Evidence, variable: str) -> int:
    """Return by how many places the levels of a variable are rolled; 0 where that does not show."""
    channels = levels_of(evidence, variable)
    if len(channels) < 3:
        return 0
    alike = _likeness(evidence, channels)
    apart = 1 - np.diagonal(alike, 1)
    ends = 1 - alike[-1, 0]
    broken = int(np.argmax(apart))
    return broken + 1 if apart[broken] > _ROLLED * ends else 0


def _likeness(evidence: Evidence, channels: list[Channel]) -> np.ndarray:
    """Return correlations of departures from zonal means, over a few times `[level, level]`."""
    root = np.sqrt(flow.band(evidence.coarse, 0, 90))
    rows = []
    for channel in channels:
        field = fields_of(evidence, channel)[:_TIMES]
        with np.errstate(invalid="ignore"):
            departure = np.nan_to_num(field - field.mean(-1, keepdims=True)) * root
        rows.append(departure.ravel() / max(float(np.linalg.norm(departure)), 1e-30))
    stacked = np.stack(rows)
    return np.asarray(stacked @ stacked.T)


def is_reversed(evidence: Evidence, variable: str) -> bool:
    """Return whether the spread of a wind on its levels is the published one from the last level to the first."""
    known = earth.by_level(variable)
    channels = levels_of(evidence, variable)
    levels = np.array([channel.level for channel in channels], float)
    compared = (levels >= _KNOWN[0]) & (levels <= _KNOWN[1])
    if known is None or compared.sum() < 4:
        return False
    expected = np.interp(np.log(levels), np.log(known[:, 0]), np.log(known[:, 2]))
    spread = np.log(np.maximum([_spread(evidence, channel) for channel in channels], 1e-6))
    labelled, turned = (np.sqrt(np.mean(np.square(order - expected)[compared])) for order in (spread, spread[::-1]))
    return bool(labelled > _UNLIKE and turned < _LIKE)


def _spread(evidence: Evidence, channel: Channel) -> float:
    series = evidence.channels[channel].series
    return float(np.sqrt(np.nanmean(np.square(series.std)) + np.nanvar(series.mean)))


@lru_cache(maxsize=2)
def levels_in_balance(evidence: Evidence) -> dict[int, int]:
    """Return, for levels of wind, that of the geopotential which balances it best; empty where that is its own."""
    blowing = {wind.level: wind for wind in winds(evidence) if wind.level is not None}
    levels = [level for level in blowing if Channel("geopotential", level) in evidence.channels]
    if len(levels) < 2 or len(levels) > 13 or not evidence.grid.is_global:
        return {}
    fits = np.array([[_balance(evidence, blowing[own].fields, other) for other in levels] for own in levels])
    best = fits.argmax(1)
    gain = fits.max(1) - np.diagonal(fits)
    if np.sum(gain > _BETTER) < len(levels) / 2 or fits.max(1).min() < 0.6:
        return {}
    return {own: levels[best[i]] for i, own in enumerate(levels)}


def _balance(evidence: Evidence, wind: np.ndarray, level: int) -> float:
    geopotential = fields_of(evidence, Channel("geopotential", level))
    balanced = np.stack(flow.geostrophic(geopotential, evidence.coarse))
    weights = flow.band(evidence.coarse, 25, 75)
    both = np.isfinite(wind + balanced)
    one, other = (np.where(both, field, 0.0) for field in (wind, balanced))
    one, other = (field - field.mean(-1, keepdims=True) for field in (one, other))
    norm = np.sqrt(np.sum(one**2 * weights) * np.sum(other**2 * weights))
    return float(np.sum(one * other * weights) / norm) if norm > 0 else 0.0


def layers(evidence: Evidence) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Yield thin layers of air: upper and lower level in hPa, temperature by thickness and by temperature, K.

    Both `[sample, lat, lon]`; a layer is thin where its temperature is near the mean of those above and below.
    """
    both = [
        c.level for c in levels_of(evidence, "geopotential") if Channel("temperature", c.level) in evidence.channels
    ]
    for upper, lower in pairwise(both):
        if upper is None or lower is None or lower > 2.1 * upper:
            continue
        heights = [fields_of(evidence, Channel("geopotential", level)) for level in (upper, lower)]
        warmth = [fields_of(evidence, Channel("temperature", level)) for level in (upper, lower)]
        yield upper, lower, (heights[0] - heights[1]) / (GAS * np.log(lower / upper)), (warmth[0] + warmth[1]) / 2
