"""Intervals by resampling initial times in blocks."""

import math
from collections.abc import Callable, Sequence

import numpy as np

CONFIDENCE = 0.95

INDEPENDENT_AFTER = np.timedelta64(5, "D")
"""Forecasts started this far apart are taken as independent (Hamill 1999); closer ones are resampled in blocks."""

_AT_ONCE = 50  # resamples, which bounds their memory


def bootstrap_interval(
    sums: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    function: Callable[..., np.ndarray],
    n_resamples: int = 1000,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    block_length: int = 1,
) -> np.ndarray:
    """Return a function of means over forecasts, with its bootstrap percentile interval over the forecasts.

    Runs of `block_length` neighbouring forecasts are drawn together (circular blocks, Politis and Romano 1992), because
    forecasts started close to one another fail together. All statistics are resampled alike, so a difference between
    two systems that made the same forecasts is a paired one.

    Args:
        sums: Of a statistic over the area of each forecast, one array `[init, ...]` for each argument of `function`;
            the other axes may differ.
        weights: The area that counted in each, `[init, ...]`, with as many axes as the sums or fewer.
        function: Of the means `[resample, ...]`, to `[resample, ...]`.
        n_resamples: Number of resamples.
        confidence: Probability between the bounds.
        seed: Of the resampling.
        block_length: Number of neighbouring forecasts drawn together.

    Returns:
        `[bound, ...]`: estimate, lower, upper. The bounds are NaN with fewer than two blocks of forecasts.
    """
    n_init = len(sums[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = function(*_means(np.ones((1, n_init)), sums, weights))
        if n_init < 2 * block_length:
            return np.concatenate([estimate, np.full_like(estimate, np.nan), np.full_like(estimate, np.nan)])
        draws = _draws(n_init, n_resamples, block_length, seed)
        batches = np.array_split(draws, math.ceil(n_resamples / _AT_ONCE))
        resampled = [function(*_means(batch, sums, weights)) for batch in batches]
        tail = (1 - confidence) / 2
        return np.concatenate([estimate, np.quantile(np.concatenate(resampled), [tail, 1 - tail], axis=0)])


def block_length(init_times: np.ndarray) -> int:
    """Return how many neighbouring init times to resample together: those that start within `INDEPENDENT_AFTER`."""
    if len(init_times) < 2:
        return 1
    spacing = np.median(np.diff(np.sort(init_times)))
    return max(1, math.ceil(float(INDEPENDENT_AFTER / spacing)))


def _means(draws: np.ndarray, sums: Sequence[np.ndarray], weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the means `[resample, ...]` of forecasts that are drawn so often each, `[resample, init]`."""
    means = []
    for own, area in zip(sums, weights, strict=True):
        total = np.tensordot(draws, area, axes=1)
        means.append(np.tensordot(draws, own, axes=1) / total.reshape(*total.shape, *[1] * (own.ndim - area.ndim)))
    return means


def _draws(n_init: int, n_resamples: int, block_length: int, seed: int) -> np.ndarray:
    """Return how often each forecast is drawn, `[resample, init]`."""
    n_blocks = math.ceil(n_init / block_length)
    starts = np.random.default_rng(seed).integers(n_init, size=(n_resamples, n_blocks, 1))
    drawn = ((starts + np.arange(block_length)) % n_init).reshape(n_resamples, -1)[:, :n_init]
    flat = drawn + n_init * np.arange(n_resamples)[:, None]
    counts = np.bincount(flat.ravel(), minlength=n_resamples * n_init)
    return counts.reshape(n_resamples, n_init).astype(np.float64)
