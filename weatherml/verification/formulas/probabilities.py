"""Scores of the probability of an event, from how often each was forecast and came true."""

from typing import Any

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
