"""Every score's formula once, on plain arrays of numpy or jax.

Arrays bring their own namespace (`__array_namespace__`), so the same line serves an evaluation in numpy and a loss
under `jit`. A formula either turns fields into a statistic of each point, or means of statistics into a score;
averages over area and over forecasts lie between the two (average first, transform last).
"""

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

Array = Any
"""A numpy or jax array."""

_FEW = 4
"""Members up to which all pairs are taken as they are: a sort and its gradient take jax five to eight times longer."""


def area_mean(field: Array, weights: Array) -> Array:
    """Average over the axes of `weights`, which are the last axes of `field`.

    A point of weight zero does not count whatever it holds, so a mask is a zero in the weights. Anywhere else NaN
    stays NaN.

    Args:
        field: `[..., lat, lon]`, or `[..., point]`.
        weights: Cell areas in any unit, `[lat, 1]` or `[lat, lon]`, or `[point]`.

    Returns:
        `[...]` in the units of `field`.
    """
    xp = field.__array_namespace__()
    weights = xp.broadcast_to(weights, field.shape[-weights.ndim :])
    counted = xp.where(weights == 0, 0, field)
    return xp.sum(counted * weights, axis=tuple(range(-weights.ndim, 0))) / xp.sum(weights)


def anomaly_correlation(covariance: Array, forecast_variance: Array, truth_variance: Array) -> Array:
    """Return the anomaly correlation of mean products of anomalies from climatology; no mean anomaly is removed."""
    xp = covariance.__array_namespace__()
    return covariance / xp.sqrt(forecast_variance * truth_variance)


def ensemble_variance(members: Array) -> Array:
    """Return the unbiased variance over the first axis, `[member, ...]` to `[...]`; it needs two members or more."""
    return members.__array_namespace__().var(members, axis=0, correction=1)


def expected_squared_error(variance: Array, n_members: int) -> Array:
    """Return the squared error of the ensemble mean that a reliable ensemble of this unbiased variance has.

    Fortin et al. 2014, doi:10.1175/JHM-D-14-0008.1, equation 15: the variance times (M + 1) / M.
    """
    return variance * ((n_members + 1) / n_members)


def spread_skill(expected: Array, squared_error: Array) -> Array:
    """Return spread over error from mean `expected_squared_error` and mean squared error of the ensemble mean.

    1 for a reliable ensemble of any size, below 1 where it is overconfident.
    """
    return expected.__array_namespace__().sqrt(expected / squared_error)


def mean_absolute_difference(members: Array) -> Array:
    """Return the mean of |x_i - x_j| over all pairs i != j of the first axis, and 0 for an ensemble of one.

    Of more than a few in the sorted form: M log M operations for M members, not M squared.
    """
    xp = members.__array_namespace__()
    n_members = members.shape[0]
    if 1 < n_members <= _FEW:
        differences = [xp.abs(one - other) for one, other in combinations(members, 2)]
        return xp.mean(xp.stack(differences), axis=0)
    rank = xp.arange(1 - n_members, n_members, 2, dtype=members.dtype)
    pairs = max(n_members * (n_members - 1), 1)
    return xp.tensordot(rank, xp.sort(members, axis=0), axes=1) * (2 / pairs)


def crps(members: Array, truth: Array) -> Array:
    """Return the CRPS of the ensemble taken as the whole distribution, which favours large ensembles; see `crps_fair`.

    Args:
        members: `[member, ...]`.
        truth: `[...]` in the same units.

    Returns:
        `[...]` in the same units, 0 or more.
    """
    n_members = members.shape[0]
    return _crps(members, truth, half_difference=(n_members - 1) / (2 * n_members))


def crps_fair(members: Array, truth: Array) -> Array:
    """Return the fair CRPS: its expectation does not depend on the ensemble's size (Ferro 2014, doi:10.1002/qj.2270).

    It can be negative. An ensemble of one has no pair of members and scores its absolute error. Shapes as in `crps`.
    """
    return _crps(members, truth, half_difference=0.5)


def crps_almost_fair(members: Array, truth: Array, fairness: float) -> Array:
    """Return `fairness` times the fair CRPS, plus the rest times `crps`: a loss (Lang et al. 2024, arXiv 2412.15832).

    Where all members but one equal the truth, the fair score is the same wherever that one lies; a share of `crps`
    draws it in. Shapes as in `crps`.
    """
    n_members = members.shape[0]
    return _crps(members, truth, half_difference=0.5 * (1 - (1 - fairness) / n_members))


def _crps(members: Array, truth: Array, half_difference: float) -> Array:
    xp = members.__array_namespace__()
    errors = members - truth  # before sorting: the errors are small where the fields are large, and keep their digits
    return xp.mean(xp.abs(errors), axis=0) - half_difference * mean_absolute_difference(errors)


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


def bootstrap_interval(
    statistics: Sequence[np.ndarray],
    function: Callable[..., np.ndarray],
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    block_length: int = 1,
) -> np.ndarray:
    """Return a function of means over forecasts, with its bootstrap percentile interval over the forecasts.

    Runs of `block_length` neighbouring forecasts are drawn together (circular blocks, Politis and Romano 1992), because
    forecasts started close to one another fail together. All statistics are resampled alike, so a difference between
    two systems that made the same forecasts is a paired one.

    Args:
        statistics: One array `[init, ...]` for each argument of `function`; the other axes may differ.
        function: Of the means `[resample, ...]`, to `[resample, ...]`.
        n_resamples: Number of resamples.
        confidence: Probability between the bounds.
        seed: Of the resampling.
        block_length: Number of neighbouring forecasts drawn together.

    Returns:
        `[bound, ...]`: estimate, lower, upper. The bounds are NaN with fewer than two blocks of forecasts.
    """
    n_init = len(statistics[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = function(*(statistic.mean(axis=0)[None] for statistic in statistics))
        if n_init < 2 * block_length:
            return np.concatenate([estimate, np.full_like(estimate, np.nan), np.full_like(estimate, np.nan)])
        weights = _resampling_weights(n_init, n_resamples, block_length, seed)
        batches = np.array_split(weights, math.ceil(n_resamples / 50))  # bounds the memory of the resampled means
        resampled = [function(*(np.tensordot(batch, s, axes=1) for s in statistics)) for batch in batches]
    tail = (1 - confidence) / 2
    return np.concatenate([estimate, np.quantile(np.concatenate(resampled), [tail, 1 - tail], axis=0)])


def _resampling_weights(n_init: int, n_resamples: int, block_length: int, seed: int) -> np.ndarray:
    """Return how often each forecast is drawn, as a share, `[resample, init]`."""
    n_blocks = math.ceil(n_init / block_length)
    starts = np.random.default_rng(seed).integers(n_init, size=(n_resamples, n_blocks, 1))
    drawn = ((starts + np.arange(block_length)) % n_init).reshape(n_resamples, -1)[:, :n_init]
    flat = drawn + n_init * np.arange(n_resamples)[:, None]
    return np.bincount(flat.ravel(), minlength=n_resamples * n_init).reshape(n_resamples, n_init) / n_init
