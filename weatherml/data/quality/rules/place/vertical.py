"""Levels that hold what another level should: by the depth of air below them, and by trends with pressure."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from weatherml.column import GRAVITY
from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.fields import EARTH, MeanField, box_mean, mean_fields
from weatherml.data.quality.rules.registry import RULES, yields_to

_GAS_CONSTANT = 287.05  # J kg-1 K-1, dry air
_STANDARD_PRESSURE = 1013.25  # hPa
# No layer of the atmosphere above any place is colder or warmer on average, K.
_COLDEST, _WARMEST = 190.0, 310.0
# What must rise (+1) or fall (-1) with pressure, between which levels (hPa).
_TREND = {"geopotential": (-1, 1, 1000), "temperature": (1, 250, 1000), "specific_humidity": (1, 300, 1000)}


@RULES.register("geopotential-depth")
def find_impossible_heights(evidence: Evidence) -> Iterator[Finding]:
    """The mean geopotential of a level is none that air of any temperature can reach, as where it is height in m."""
    # Near the ground the surface pressure decides; a deep low over a small region may leave the range below 700 hPa.
    lowest = 925 if evidence.grid.is_global else 700
    for field in mean_fields(evidence):
        level = field.channel.level
        if field.channel.variable == "geopotential" and level is not None and level <= lowest and not field.is_empty:
            yield from _judge_height(field, level)


def _judge_height(field: MeanField, level: int) -> Iterator[Finding]:
    depth = _GAS_CONSTANT * np.log(_STANDARD_PRESSURE / level)
    low, high, mean = depth * _COLDEST, depth * _WARMEST, box_mean(field.mean, field.grid, EARTH)
    if low <= mean <= high:
        return
    hint = "; it looks like height in m" if low <= mean * GRAVITY <= high else ""
    text = f"mean {mean:.5g} m2 s-2 lies outside {low:.5g} .. {high:.5g}, possible at this level{hint}"
    yield Finding("error", str(field.channel), text)


yields_to("level-order", "levels-rolled", "levels-reversed")


@RULES.register("level-order")
def find_unordered_levels(evidence: Evidence) -> Iterator[Finding]:
    """The means of the levels do not follow the trend with pressure that the variable has."""
    for name, levels in groupby(mean_fields(evidence), lambda field: field.channel.variable):
        # A region may lie below one inversion; only geopotential falls with pressure everywhere.
        if name in _TREND and (evidence.grid.is_global or name == "geopotential"):
            yield from _judge_order(name, [level for level in levels if not level.is_empty])


def _judge_order(name: str, fields: list[MeanField]) -> Iterator[Finding]:
    sign, lowest, highest = _TREND[name]
    known = [(f.channel.level, box_mean(f.mean, f.grid, EARTH)) for f in fields if f.channel.level is not None]
    inside = [(level, mean) for level, mean in known if lowest <= level <= highest]
    # Neighbouring levels may be near isothermal: only those far apart must be in order.
    apart = 1.0 if name == "geopotential" else 1.4
    far = [(upper, lower) for i, lower in enumerate(inside) for upper in inside[:i] if lower[0] >= apart * upper[0]]
    wrong = [(upper[0], lower[0]) for upper, lower in far if sign * (lower[1] - upper[1]) <= 0]
    if wrong:
        reverse = "all levels are labelled in reverse" if len(wrong) == len(far) else "levels are labelled wrongly"
        (above, below), trend = wrong[0], {1: "rise", -1: "fall"}[sign]
        text = f"{reverse}: it must {trend} from {above} to {below} hPa and does not; check the level order"
        yield Finding("error", name, text)
