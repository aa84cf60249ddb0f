"""Scores of the probability of an event, from how often each was forecast and came true."""

from collections.abc import Sequence
from typing import Any

from weatherml.verification.formulas.ranks import how_many

Array = Any
"""A numpy or jax array."""


def brier(counts: Array) -> Array:
    """Return the Brier score of the forecast probability k / M.

    Args:
        counts: Area or number of cases, `[..., event, class]`: event 0 where the truth did not exceed, 1 where it did;
            class k where k of the M members exceeded, k = 0 .. M.

    Returns:
        `[...]`, 0 (perfect) to 1.
    """
    probability = _probability(counts)
    xp = counts.__array_namespace__()
    return _mean_over_cases(counts, xp.stack([probability**2, (1 - probability) ** 2]))


def brier_fair(counts: Array) -> Array:
    """Return the fair Brier score: `brier` less what a finite ensemble adds (Ferro 2014); `counts` as in `brier`."""
    probability = _probability(counts)
    n_members = counts.shape[-1] - 1
    sampling = probability * (1 - probability) / max(n_members - 1, 1)
    return brier(counts) - _mean_over_cases(counts, sampling)


def brier_skill(counts: Array, base_rate: float) -> Array:
    """Return 1 - brier / (Brier score of always forecasting `base_rate`); above 0 is better than climatology."""
    xp = counts.__array_namespace__()
    climatology = xp.asarray([[base_rate**2], [(1 - base_rate) ** 2]])
    return 1 - brier(counts) / _mean_over_cases(counts, climatology)


def roc_area(counts: Array) -> Array:
    """Return the area under the relative operating characteristic, by the trapezoids between the M + 1 classes.

    The chance that an event had the higher forecast probability than a non-event, ties counting half: 0.5 is no
    discrimination, 1 is perfect; NaN where nothing or everything is an event. `counts` as in `brier`.
    """
    xp = counts.__array_namespace__()
    shares = counts / xp.sum(counts, axis=-1, keepdims=True)
    non_events, events = shares[..., 0, :], shares[..., 1, :]
    below = xp.cumulative_sum(non_events, axis=-1) - non_events / 2
    return xp.sum(events * below, axis=-1)


def roc_curve(counts: Array) -> Array:
    """Return false-alarm rate and hit rate of warning where at least 0, 1 .. M + 1 members exceed.

    From the right upper corner, always, to the left lower one, never: `[..., 2, M + 2]`; `counts` as in `brier`.
    """
    xp = counts.__array_namespace__()
    return _warned(counts / xp.sum(counts, axis=-1, keepdims=True))


def economic_value(counts: Array, cost_loss: Sequence[float]) -> Array:
    """Return the part of a perfect forecast's value that users gain who warn at the probability that is best for them.

    Richardson 2000, doi:10.1002/qj.49712656313, equation 8, maximum over the M + 2 rules "warn where at least so many
    members exceed". Protection costs C and spares a loss L. 1 is worth what a perfect forecast is, 0 what knowing the
    frequency of the event is; it is no less, as always or never warning are two of the rules.

    Args:
        counts: As in `brier`.
        cost_loss: C / L of users, between 0 and 1.

    Returns:
        `[..., ratio]`.
    """
    xp = counts.__array_namespace__()
    warned = _warned(counts / xp.sum(counts, axis=(-2, -1), keepdims=True))
    hits, warnings = warned[..., 1, :], warned[..., 0, :] + warned[..., 1, :]
    misses, base_rate = hits[..., :1] - hits, hits[..., 0]  # the first rule always warns
    values = []
    for ratio in cost_loss:  # one by one, as all rules for all ratios are many
        climatology = xp.minimum(ratio, base_rate)
        expense = xp.min(ratio * warnings + misses, axis=-1)
        values.append((climatology - expense) / (climatology - ratio * base_rate))
    return xp.stack(values, axis=-1)


def ranked_probability(members: Array, truth: Array, thresholds: Sequence[Array]) -> Array:
    """Return the ranked probability score: the sum over thresholds of the squared error of the share of members above.

    Epstein 1969, in the form of Murphy 1971; not divided by the number of thresholds.

    Args:
        members: `[member, ...]`.
        truth: `[...]` in the same units.
        thresholds: Numbers or fields `[...]`.

    Returns:
        `[...]`, 0 (perfect) to the number of thresholds.
    """
    shares = [(_share_above(members, own), truth > own) for own in thresholds]
    return sum((share - event) ** 2 for share, event in shares)


def ranked_probability_fair(members: Array, truth: Array, thresholds: Sequence[Array]) -> Array:
    """Return `ranked_probability` less what a finite ensemble adds to it (Ferro et al. 2008, doi:10.1002/met.45)."""
    n_others = max(members.shape[0] - 1, 1)
    shares = [_share_above(members, own) for own in thresholds]
    sampling = sum(share * (1 - share) for share in shares)
    return ranked_probability(members, truth, thresholds) - sampling / n_others


def forecast_probability(counts: Array, n_bins: int) -> Array:
    """Return the mean forecast probability in each of the bins, `[..., bin]`, NaN in an empty bin.

    Args:
        counts: As in `brier`.
        n_bins: Into which the M + 1 classes are shared out evenly, in order; at most M + 1.
    """
    cases = _over_events(counts)
    return _in_bins(cases * _probability(counts), n_bins) / _in_bins(cases, n_bins)


def observed_frequency(counts: Array, n_bins: int) -> Array:
    """Return how often the event happened in each bin of forecast probability; as `forecast_probability`."""
    return _in_bins(counts[..., 1, :], n_bins) / _in_bins(_over_events(counts), n_bins)


def forecast_share(counts: Array, n_bins: int) -> Array:
    """Return the share of cases in each bin of forecast probability; as `forecast_probability`, 0 in an empty bin."""
    cases = _in_bins(_over_events(counts), n_bins)
    return cases / cases.sum(axis=-1, keepdims=True)


def _share_above(members: Array, threshold: Array) -> Array:
    return how_many(members > threshold) / members.shape[0]


def _warned(shares: Array) -> Array:
    """Return the share where at least 0, 1 .. M + 1 members exceed, `[..., class]` to `[..., class + 1]`."""
    xp = shares.__array_namespace__()
    after = xp.flip(xp.cumulative_sum(xp.flip(shares, axis=-1), axis=-1), axis=-1)
    return xp.concat([after, 0 * after[..., :1]], axis=-1)  # NaN where all is


def _over_events(counts: Array) -> Array:
    return counts.__array_namespace__().sum(counts, axis=-2)


def _in_bins(classes: Array, n_bins: int) -> Array:
    xp = classes.__array_namespace__()
    n_classes = classes.shape[-1]
    bins = xp.floor((xp.arange(n_classes) + 0.5) * (n_bins / n_classes))
    return classes @ xp.astype(bins[:, None] == xp.arange(n_bins), classes.dtype)


def _probability(counts: Array) -> Array:
    xp = counts.__array_namespace__()
    return xp.linspace(0.0, 1.0, counts.shape[-1])


def _mean_over_cases(counts: Array, score: Array) -> Array:
    xp = counts.__array_namespace__()
    return xp.sum(counts * score, axis=(-2, -1)) / xp.sum(counts, axis=(-2, -1))
