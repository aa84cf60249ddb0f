"""What changes within the period: units, or the version of the data."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from weatherml.column import GRAVITY
from weatherml.data.notes import iso
from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.kinds import AMOUNTS, DAY, FLAT_IN_REGIONS, named, usual_step, varying
from weatherml.data.quality.rules.registry import RULES, UNDECIDABLE, of_time
from weatherml.data.quality.rules.time.continuity import Breaks, breaks
from weatherml.data.quality.rules.values.ranges import slip_of
from weatherml.data.quality.rules.values.stuck import is_spoilt

_TWO_VERSIONS = "see whether two versions were put together, and train on one"
_FEWEST_TIMES, _FEWEST_OF_REGION = 6, 20
"""The spread over a small region may treble in a day."""
_NEW_UNIT = np.log(1.6)
"""Of the spread between neighbouring times, in logarithm: weather over the globe changes its by a tenth in a day, and
the smallest factor between two units of the vocabulary is that of knots, 1.94."""
_STEADY = 0.25
"""Of the greatest change of a level, below which all others lie where the greatest is a step."""
_CELSIUS = 273.15
_FACTORS = {
    "knots": 1.943844, "miles an hour": 2.236936, "km/h": 3.6, "feet": 3.28084, "a factor of 6": 6.0,
    "standard gravity": GRAVITY, "a factor of 10": 10.0, "a factor of 100": 100.0, "a factor of 1000": 1000.0,
    "a factor of 100,000": 1e5,
}  # fmt: skip
_WINDOWS = (4, 8)
"""Times before and after that are compared: few, so that no season looks like a step."""
_FEWEST_WINDOWS, _MANY_WINDOWS = 10, 48
FEWEST_OF_VERSIONS = _FEWEST_WINDOWS * _WINDOWS[0]
"""Times without which no step is told from weather."""
_SIGNIFICANT, _OUTSTANDING = 5.5, 1.6
"""How many times its usual scatter a step is, and how many times the greatest elsewhere.

Of three reanalysis series (a winter, two half-years), a simulated planet and made-up weather, alone, in parts and on
other grids, one step of any statistic exceeds 4.7, one that stands out by 1.5 never 4.2.
"""
_LEAST = 0.02
"""Of the spread over the cells: less is no version that a model would learn of, and a step in a part of the sea."""
_DOUBT_OF_REGION = 1.5
"""A storm stirs the sea of a small region up within a day."""
_AT_ONCE = 0.4
"""How much of it must happen between two neighbouring times."""
_DAYS_OF_HOURS = 8
_YEAR = 365 * DAY
_LONG_PERIOD, _MANY_YEARS = 6, 12
"""Years from which on years are compared with years."""
_ABRUPT, _ABRUPT_DAYS = 0.5, 20
"""How much of a step between years must happen from one such span to the next: a volcano warms the stratosphere as much
within a year, but not within days."""


class Step(NamedTuple):
    """A level before and after a time."""

    place: int
    before: float
    after: float


@RULES.register("unit-change")
@of_time
def unit_change(evidence: Evidence) -> Iterator[Finding]:
    """The unit changes within the period: the spread, or the mean of temperature, is another at once."""
    for channels in varying(evidence).values():
        steps = {own.channel: _new_unit(own, evidence) for own in channels}
        found = {channel: step for channel, step in steps.items() if step}
        for channel, (step, what) in list(found.items())[:1]:
            slip = slip_of(evidence.channels[channel])
            subject = named([own for own in channels if own.channel in found], len(channels))
            levels = f"{what} {step.before:.4g} before, {step.after:.4g} after{_hint(step, what)}{slip}"
            text = f"changes its unit at {iso(evidence.times[step.place])}: {levels}; convert one part"
            yield Finding("error", subject, text, "unit-change")


@RULES.register("version-change")
@of_time
def version_change(evidence: Evidence) -> Iterator[Finding]:
    """Mean or spread take a step within the period, far above their variability, as of another version.

    Rain of a region begins at once, and its sea freezes.
    """
    if 1 < evidence.times.size < FEWEST_OF_VERSIONS:
        yield Finding("note", "versions that change", f"it takes {FEWEST_OF_VERSIONS} times", UNDECIDABLE)
    for variable, channels in varying(evidence).items():
        if variable in FLAT_IN_REGIONS and not evidence.grid.is_global:
            continue
        found = [(channel, own) for channel in channels if (own := _new_version(channel, evidence))]
        if found:
            subject = named([own for own, _ in found], len(channels))
            yield Finding("warning", subject, f"{found[0][1]}; {_TWO_VERSIONS}", "version-change", "likely")


def _new_unit(channel: ChannelEvidence, evidence: Evidence) -> tuple[Step, str] | None:
    """Return the step in spread or mean that a change of units makes, and which of them it is in."""
    keep = _sound(channel, evidence.times)
    if keep.size < (_FEWEST_TIMES if evidence.grid.is_global else _FEWEST_OF_REGION):
        return None
    std, mean = channel.series.std[keep], channel.series.mean[keep]
    if (std > 0).all() and (step := _sole_step(np.log(std), _NEW_UNIT)):
        return Step(int(keep[step.place]), float(np.exp(step.before)), float(np.exp(step.after))), "a spread of"
    if channel.channel.units == "K" and (step := _sole_step(mean, _CELSIUS / 2)):
        return step._replace(place=int(keep[step.place])), "a mean of"
    return None


def _sole_step(level: np.ndarray, least: float) -> Step | None:
    """Return the only step of at least so much in a level that is steady but for it."""
    jumps = np.abs(np.diff(level))
    place = int(jumps.argmax()) + 1
    others = np.delete(jumps, place - 1)
    before, after = float(np.median(level[:place])), float(np.median(level[place:]))
    if jumps[place - 1] < least or others.max() > _STEADY * jumps[place - 1] or abs(after - before) < least:
        return None
    return Step(place, before, after)


def _hint(step: Step, what: str) -> str:
    """Return which units differ so; empty where none are known to."""
    if what == "a mean of":
        return ", as between K and degrees Celsius"
    factor = max(step.after / step.before, step.before / step.after)
    name = min(_FACTORS, key=lambda known: abs(np.log(_FACTORS[known] / factor)))
    return f", as of {name}" if abs(np.log(_FACTORS[name] / factor)) < 0.1 else ""


def _new_version(channel: ChannelEvidence, evidence: Evidence) -> str:
    """Say where mean or spread take a step, or the weather jumps once; nothing where they do not."""
    times = evidence.times
    found = breaks(channel, times)
    if len(found.borders) > 1 or _new_unit(channel, evidence):
        return ""
    stepped = _step_in_level(channel, evidence, found)
    if stepped:
        step, what = stepped
        levels = f"{what} {step.before:.6g} before and {step.after:.6g} after, far more than it varies"
        return f"changes at {iso(times[step.place])}: {levels}"
    if found.is_one_border and channel.channel.variable not in AMOUNTS:  # one rain is as unlike another
        return f"jumps at {iso(times[found.borders[0]])}: what follows is of another version or another time"
    return ""


def _step_in_level(channel: ChannelEvidence, evidence: Evidence, found: Breaks) -> tuple[Step, str] | None:
    """Return the step in mean or spread that stands out, and which of them it is in."""
    times = evidence.times
    out_of_turn = {*found.foreign, *found.swapped, *(place + 1 for place in found.swapped)}
    keep = np.array([place for place in _sound(channel, times) if place not in out_of_turn], int)
    if keep.size < FEWEST_OF_VERSIONS:
        return None
    mean, std = channel.series.mean[keep], channel.series.std[keep]
    levels = {"a mean of": mean, "a spread of": std}
    for what, values in levels.items():
        is_scale = what == "a spread of" or channel.channel.variable in AMOUNTS
        if is_scale and not (values > 0).all():
            continue
        doubt = 1.0 if evidence.grid.is_global else _DOUBT_OF_REGION
        found_at = _step_of(np.log(values) if is_scale else values, times[keep], doubt)
        if found_at is not None:
            place, window = found_at
            before, after = (
                float(part.mean()) for part in (values[max(place - window, 0) : place], values[place:][:window])
            )
            if abs(after - before) > _LEAST * (before if is_scale else float(np.median(std))):
                return Step(int(keep[place]), before, after), what
    return None


def _step_of(level: np.ndarray, times: np.ndarray, doubt: float = 1.0) -> tuple[int, int] | None:
    """Return where a level takes a step that hours, seasons and weather do not explain, and the times compared."""
    level = _without_hours(level, times)
    for window in _WINDOWS:
        place = _outstanding(level, times, window, (_FEWEST_WINDOWS, _MANY_WINDOWS), doubt)
        if place is not None and _share_near(level, place, window, 1) > _AT_ONCE:
            return place, window
    step = usual_step(times)
    if times[-1] - times[0] < _LONG_PERIOD * _YEAR or step > 5 * DAY:
        return None
    level, window = _without_seasons(level, times), int(_YEAR / step)
    place = _outstanding(level, times, window, (_LONG_PERIOD, _MANY_YEARS), doubt)
    days = max(1, int(_ABRUPT_DAYS * DAY / step))
    return (place, window) if place is not None and _share_near(level, place, window, days) > _ABRUPT else None


def _share_near(level: np.ndarray, place: int, window: int, near: int) -> float:
    """Return how much of the difference between windows is between shorter ones about as far along."""
    around = _differences(level, near)[max(place - near, 0) : place + near + 1]
    return float(np.nanmax(np.abs(around)) / np.abs(_differences(level, window)[place]))


def _outstanding(
    level: np.ndarray, times: np.ndarray, window: int, needed: tuple[int, int], doubt: float
) -> int | None:
    """Return where windows before and after differ far more than anywhere else.

    Args:
        level: By time.
        times: Of it.
        window: Times in one.
        needed: Windows without which nothing can be told, and with which scatter is well known.
        doubt: Times the usual threshold.
    """
    fewest, many = needed
    if level.size < fewest * window:
        return None
    difference = _differences(level, window)
    spans = np.full(level.size, np.inf)
    inside = np.arange(window, level.size - window + 1)
    spans[inside] = (times[inside + window - 1] - times[inside - window]) / usual_step(times)
    difference[spans > 1.5 * (2 * window - 1)] = np.nan
    if np.isfinite(difference).sum() < window:
        return None
    difference = np.abs(difference - np.nanmedian(difference))
    place = int(np.nanargmax(difference))
    apart = np.abs(np.arange(level.size) - place)
    beside = difference[(apart > window) & np.isfinite(difference)]  # a step shows in all windows that hold it
    scatter = 1.4826 * float(np.median(beside)) if beside.size else np.inf
    greatest = np.nanmax(difference[apart > 2 * window], initial=0.0)
    doubt *= 1 + max(0.0, 1 - level.size / (many * window)) / 2  # few windows tell their scatter badly
    is_step = (
        difference[place] > doubt * _SIGNIFICANT * scatter and difference[place] > doubt * _OUTSTANDING * greatest > 0
    )
    medians = np.median(level[place : place + window]) - np.median(level[place - window : place])
    return place if is_step and abs(medians) > difference[place] / 2 else None


def _differences(level: np.ndarray, window: int) -> np.ndarray:
    """Return the mean of the window from each time on, less that of the window before `[time]`; NaN at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(level - level.mean())])
    result = np.full(level.size, np.nan)
    inside = np.arange(window, level.size - window + 1)
    inside = inside[inside < level.size]
    result[inside] = (sums[inside + window] - 2 * sums[inside] + sums[inside - window]) / window
    return result


def _without_hours(level: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return a level without what recurs at the same hour of every day, which few days do not tell."""
    result = np.array(level, np.float64)
    per_day = round(DAY / usual_step(times))
    if per_day < 2 or level.size < _DAYS_OF_HOURS * per_day:
        return result
    # Against the day around each time, half of it before, so that no drift is taken for a matter of hours.
    sums = np.concatenate([[0.0], np.cumsum(level - level.mean())])
    place = np.arange(per_day, level.size - per_day)
    around = [sums[start + per_day] - sums[start] for start in (place - per_day // 2, place - (per_day - 1) // 2)]
    apart = level[place] - level.mean() - (around[0] + around[1]) / (2 * per_day)
    hours = times.astype("datetime64[h]").astype(int) % 24
    for hour in np.unique(hours):
        result[hours == hour] -= np.median(apart[hours[place] == hour])
    return result


def _without_seasons(level: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return a level without its first two annual harmonics."""
    angle = 2 * np.pi * (times - times[0]) / (365.2425 * DAY)
    sides = np.stack([np.ones(level.size), *(side(k * angle) for k in (1, 2) for side in (np.cos, np.sin))], axis=1)
    return np.asarray(level - sides @ np.linalg.lstsq(sides, level, rcond=None)[0])


def _sound(channel: ChannelEvidence, times: np.ndarray) -> np.ndarray:
    """Return the positions of times whose fields nothing else is said against."""
    known = np.isfinite(channel.series.mean) & np.isfinite(channel.series.std)
    return np.flatnonzero(known & ~is_spoilt(channel, times))
