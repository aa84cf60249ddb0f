"""Formulas of extremes on plain arrays: how far members lie from what the climate knows, and with which probability."""

from collections.abc import Mapping

import numpy as np

Array = np.ndarray

POSITIONS: Mapping[str, float] = {
    "frequency": 1.0,
    "hazen": 0.5,
    "gringorten": 0.44,
    "cunnane": 0.4,
    "tukey": 1 / 3,
    "weibull": 0.0,
}
"""Plotting positions by name: the a of (k + 1 - a) / (M + 2 - 2 a)."""


def probability_by_position(n_above: Array, n_members: int, position: float) -> Array:
    """Return the probability of exceeding a threshold that some members exceed, by its plotting position among them.

    With k of M members above, (k + 1 - a) / (M + 2 - 2 a): with a = 1 the share of the members; with less, neither 0
    nor 1 is ever said, as M members cannot know (Wilks 2019, Statistical Methods in the Atmospheric Sciences, section
    8.2, for a = 1/3).

    Args:
        n_above: How many members exceed, of any shape.
        n_members: M.
        position: a, one of `POSITIONS`.
    """
    return np.asarray((n_above + 1 - position) / (n_members + 2 - 2 * position))


def climate_probability(values: Array, quantiles: Array, probabilities: Array) -> tuple[Array, Array]:
    """Return with which probability the climate is lower than each value, and with which it is not higher.

    Both are 0 up to its lowest quantile, 1 above all, and linear between. They differ where several quantiles have the
    value, such as 0 of precipitation or 1 of sea ice: there they are the lowest and highest of their probabilities, and
    reach to 0 or 1 where the lowest or highest quantile is among them.

    Args:
        values: `[member, point]`.
        quantiles: Rising `[quantile, point]`.
        probabilities: Rising `[quantile]`.

    Returns:
        Both float64 `[member, point]`; no number where a value is missing.
    """
    below = _count(np.less, quantiles, values)
    lowest = _interpolated(values, quantiles, probabilities, below)
    ties = np.flatnonzero((quantiles[1:] == quantiles[:-1]).any(axis=0))  # few have any: the rest is counted once
    if not len(ties):
        return lowest, lowest
    up_to, below = _count(np.less_equal, quantiles[:, ties], values[:, ties]).astype(int), below[:, ties].astype(int)
    last = np.where(up_to == len(quantiles), 1.0, probabilities.take(up_to - 1, mode="clip"))
    highest = lowest.copy()
    highest[:, ties] = np.where(up_to > below + 1, last, lowest[:, ties])
    return lowest, highest


def _count(compare: np.ufunc, quantiles: Array, values: Array) -> Array:
    """Return how many quantiles lie below values, or not above them `[member, point]`."""
    found = np.zeros(values.shape, np.min_scalar_type(len(quantiles)))
    is_so = np.empty(values.shape, bool)
    for quantile in quantiles:  # to count in bytes is faster than to look up by halving, up to some hundred quantiles
        found += compare(quantile, values, out=is_so)
    return found


def _interpolated(values: Array, quantiles: Array, probabilities: Array, below: Array) -> Array:
    """Return the climate's probability of values `[member, point]`, of which so many quantiles lie below."""
    n_known, n_points = quantiles.shape
    upper = np.clip(below, 1, n_known - 1).astype(np.intp)
    place = upper * n_points + np.arange(n_points)
    last, first = quantiles.take(place), quantiles.take(place - n_points)
    low = probabilities.take(upper - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = low + (values - first) / (last - first) * (probabilities.take(upper) - low)
    return np.where(below == 0, 0.0, np.where(below == n_known, 1.0, found))


def extreme_forecast_index(members: Array, quantiles: Array, probabilities: Array, dry: float | None = None) -> Array:
    """Return the extreme forecast index, exactly: -1 where all members lie below all of the climate, 1 where above.

    2 / pi times the integral from 0 to 1 of (p - F(p)) / sqrt(p (1 - p)) dp, where F(p) is the share of the members up
    to the climate's quantile of p (Lalaurette 2003, doi:10.1256/qj.02.152; with this weight Zsoter 2006,
    doi:10.21957/kc9l65t0). F is a sum of steps, one at the climate's probability u of each member, and the integral of
    the weight from there on is pi - 2 asin(sqrt(u)): the index is the mean over members of 4 / pi asin(sqrt(u)) - 1.
    A member whose value several quantiles have is spread evenly over their probabilities: members that are distributed
    as the climate have the index 0 on average, also where it is often 0.

    Args:
        members: `[member, point]`.
        quantiles: Of the climate `[quantile, point]`, rising.
        probabilities: Theirs `[quantile]`, rising, from near 0 to near 1.
        dry: Of precipitation: the part of the climate up to there is left out, as ECMWF does, and the index is divided
            by what remains of the largest that there can be; 0 where the climate is dry throughout.

    Returns:
        float64 `[point]`; NaN where a member or a quantile is.
    """
    lowest, highest = climate_probability(members, quantiles, probabilities)
    missing = np.isnan(members).any(axis=0) | np.isnan(quantiles).any(axis=0)
    if dry is None:
        index = 4 / np.pi * _mean_angle(lowest, highest).mean(axis=0) - 1
    else:
        n_dry = (quantiles <= dry).sum(axis=0, keepdims=True)
        level = np.full(n_dry.shape, dry, quantiles.dtype)
        index = _without_dry_part(lowest, highest, _interpolated(level, quantiles, probabilities, n_dry)[0])
    return np.where(missing, np.nan, index)


def _mean_angle(lowest: Array, highest: Array) -> Array:
    """Return the mean of asin(sqrt(u)) for u from lowest to highest."""
    angle: Array = np.arcsin(np.sqrt(lowest))
    apart = highest > lowest + 1e-6
    ends = lowest[apart], highest[apart]
    if len(ends[0]):
        first, last = ((u - 0.5) * np.arcsin(np.sqrt(u)) + np.sqrt(u * (1 - u)) / 2 for u in ends)
        angle[apart] = (last - first) / (ends[1] - ends[0])
    return angle


def _without_dry_part(lowest: Array, highest: Array, dry: Array) -> Array:
    """Return the index over the part of the climate `[point]` that is wet, over its largest value."""
    angles = _mean_angle(np.maximum(lowest, dry), np.maximum(highest, dry))
    weights = np.pi - 2 * angles  # of p from each member's step to 1
    largest = np.arccos(np.sqrt(dry)) + np.sqrt(dry * (1 - dry))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(largest > 0, (largest - weights.mean(axis=0)) / largest, 0.0)


def shift_of_tails(
    members: Array,
    quantiles: Array,
    probabilities: Array,
    levels: tuple[float, float] = (0.9, 0.99),
    dry: float | None = None,
) -> Array:
    """Return the shift of tails: how far the forecast's quantile lies beyond the climate's tail, over its width.

    (Qf(90) - Qc(99)) / (Qc(99) - Qc(90)) for levels (0.9, 0.99), and of the lower tail with (0.1, 0.01): above 0 where
    a tenth of the members lies beyond the hundredth part of the climate (Zsoter 2006, doi:10.21957/kc9l65t0). Limited
    to -10 .. 10, as ECMWF does.

    Args:
        members: `[member, point]`.
        quantiles: Of the climate `[quantile, point]`, rising.
        probabilities: Theirs `[quantile]`, rising.
        levels: The quantile, and the tail's.
        dry: Of precipitation: less than this is none.

    Returns:
        float64 `[point]`; NaN where a value is missing, or the climate's tail has no width (not above `dry`).
    """
    members, quantiles = (own.astype(np.float64) for own in (members, quantiles))
    if dry is not None:
        members, quantiles = (np.where(own < dry, 0.0, own) for own in (members, quantiles))
    inner, tail = (_between(quantiles, probabilities, level) for level in levels)
    forecast = np.quantile(members, levels[0], axis=0)
    width = tail - inner
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.where(np.abs(width) > (dry or 0.0), (forecast - tail) / width, np.nan)
    return np.clip(shift, -10, 10)


def _between(quantiles: Array, probabilities: Array, level: float) -> Array:
    """Return the climate's quantile at a level `[point]`, linear between those that are known."""
    upper = int(np.clip(np.searchsorted(probabilities, level - 1e-9), 1, len(probabilities) - 1))
    low, high = probabilities[upper - 1], probabilities[upper]
    between: Array = quantiles[upper - 1] + (level - low) / (high - low) * (quantiles[upper] - quantiles[upper - 1])
    return between
