"""How many neighbouring forecasts fail together."""

import math

import numpy as np

INDEPENDENT_AFTER = np.timedelta64(5, "D")
"""Forecasts started this far apart are taken as independent (Hamill 1999); closer ones are resampled in blocks."""


def block_length(init_times: np.ndarray) -> int:
    """Return how many init times to resample together: those that start within `INDEPENDENT_AFTER`."""
    if len(init_times) < 2:
        return 1
    spacing = np.median(np.diff(np.sort(init_times)))
    return max(1, math.ceil(float(INDEPENDENT_AFTER / spacing)))


def automatic_length(values: np.ndarray, spread: float) -> np.ndarray:
    """Return the length of blocks with the least mean square error of the variance (Politis and White 2004,
    doi:10.1081/ETC-120028836, with Patton, Politis and White 2009, doi:10.1080/07474930802459016).

    Args:
        values: Of a series, `[init, cell]`.
        spread: How much the variance itself varies: 4/3 for circular blocks, 2 for the stationary bootstrap.

    Returns:
        `[cell]`, at least 1.
    """
    n = len(values)
    n_small, longest = max(5, math.ceil(math.sqrt(math.log10(n)))), math.ceil(min(3 * math.sqrt(n), n / 3))
    n_lags = math.ceil(math.sqrt(n)) + n_small
    covariance = autocovariance(values, min(n - 1, n_lags + n_small))
    band = _band(np.abs(covariance / covariance[0]), n, n_small)
    band = np.minimum(2 * band, min(n - 1, n_lags))
    lags = np.arange(len(covariance))[:, None]
    window = np.clip(2 * (1 - lags / band), 0, 1)  # flat to half of the band, then falling to 0
    slope = 2 * (window * lags * covariance).sum(axis=0)
    at_zero = 2 * (window * covariance).sum(axis=0) - covariance[0]
    length = np.cbrt(2 * slope**2 / (spread * at_zero**2) * n)
    lengths: np.ndarray = np.clip(np.nan_to_num(length, nan=1.0), 1, longest)
    return lengths


def autocovariance(deviations: np.ndarray, n_lags: int) -> np.ndarray:
    """Return `[lag, ...]` of deviations from a mean, `[init, ...]`: sums over pairs, divided by the number of all."""
    n = len(deviations)
    products = [_products(deviations[lag:], deviations[: n - lag]) for lag in range(n_lags + 1)]
    return np.asarray(np.stack(products) / n)


def _products(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    products: np.ndarray = np.einsum("i...,i...->...", first, second)
    return products


def _band(correlation: np.ndarray, n: int, n_small: int) -> np.ndarray:
    """Return the first lag `[cell]` of so many in a row that are small, or the last lag where there are none."""
    small = correlation < 2 * math.sqrt(math.log10(n) / n)
    if len(small) <= n_small:  # so short a series has no such run
        return np.full(small.shape[1:], len(small) - 1)
    runs = np.stack([small[first : first + n_small].all(axis=0) for first in range(1, len(small) - n_small + 1)])
    return np.where(runs.any(axis=0), 1 + np.argmax(runs, axis=0), len(small) - 1)
