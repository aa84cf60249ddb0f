"""The distributions of extremes: generalized extreme values of blocks, generalized Pareto of peaks over a threshold.

The shape is positive where the tail is heavy, and negative where values have an upper end (Coles 2001, An Introduction
to Statistical Modeling of Extreme Values, doi:10.1007/978-1-4471-3675-0); scipy's `c` of `genextreme` and Hosking's k
have the other sign.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gamma

Array = np.ndarray

_FLAT = 1e-7  # a shape so small is that of the limit
_LARGEST_RATIO = 0.97  # of the third L-moment that is fitted; no record of weather comes near
_N_NEWTON = 6


@dataclass(frozen=True)
class Family:
    """A distribution of extremes.

    Attributes:
        name: Short, for attributes.
        words: What it is called.
        parameters: Names, in the order in which arrays have them along their first axis.
        quantile: From probabilities of lower values and parameters `[parameter, ...]` to values; shapes broadcast.
        probability: From values and parameters to the probability of lower ones.
        log_density: From values and parameters to the logarithm of the density, -inf beyond the ends.
        from_lmoments: From the first two L-moments and the ratio of the third to the second `[...]` to parameters.
    """

    name: str
    words: str
    parameters: tuple[str, ...]
    quantile: Callable[[Array, Array], Array]
    probability: Callable[[Array, Array], Array]
    log_density: Callable[[Array, Array], Array]
    from_lmoments: Callable[[Array, Array, Array], Array]


def _stretched(reduced: Array, shape: Array) -> Array:
    """Return (exp(shape y) - 1) / shape of a reduced value y, which is y itself where the shape is 0."""
    is_flat = np.abs(shape) < _FLAT
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.where(is_flat, reduced, np.expm1(shape * reduced) / np.where(is_flat, 1.0, shape)))


def _reduced(stretched: Array, shape: Array) -> Array:
    """Return log(1 + shape x) / shape, the inverse: beyond the ends -inf below, inf above."""
    is_flat = np.abs(shape) < _FLAT
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = 1 + shape * stretched
        reduced = np.log(np.maximum(inside, 0)) / np.where(is_flat, 1.0, shape)
    return np.where(is_flat, stretched, reduced)


def _gev_quantile(probability: Array, parameters: Array) -> Array:
    location, scale, shape = parameters
    return np.asarray(location + scale * _stretched(-np.log(-np.log(probability)), shape))


def _gev_probability(values: Array, parameters: Array) -> Array:
    location, scale, shape = parameters
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-np.exp(-_reduced((values - location) / scale, shape))))


def _gev_log_density(values: Array, parameters: Array) -> Array:
    location, scale, shape = parameters
    reduced = _reduced((values - location) / scale, shape)
    with np.errstate(over="ignore", invalid="ignore"):
        density = -np.log(scale) - (1 + shape) * reduced - np.exp(-reduced)
    return np.where(np.isfinite(reduced), density, -np.inf)


def _gev_from_lmoments(first: Array, second: Array, ratio: Array) -> Array:
    """Return the parameters whose L-moments these are (Hosking 1990, doi:10.1111/j.2517-6161.1990.tb01775.x)."""
    k = _gev_k(np.clip(ratio, -_LARGEST_RATIO, _LARGEST_RATIO))
    is_flat = np.abs(k) < _FLAT
    safe = np.where(is_flat, 1.0, k)
    scale = np.where(is_flat, second / np.log(2), second * safe / (-np.expm1(-safe * np.log(2)) * gamma(1 + safe)))
    middle = np.where(is_flat, np.euler_gamma, (1 - gamma(1 + safe)) / safe)
    return np.stack([first - scale * middle, scale, -k])


def _gev_k(ratio: Array) -> Array:
    """Return Hosking's k of a ratio of L-moments: his approximation, and Newton's steps from there to the root."""
    c = 2 / (3 + ratio) - np.log(2) / np.log(3)
    k = np.clip(7.8590 * c + 2.9554 * c**2, -0.95, 8)
    for _ in range(_N_NEWTON):
        k = np.where(np.abs(k) < _FLAT, np.copysign(_FLAT, k), k)  # the ratio is 0 / 0 there
        three, two = -np.expm1(-k * np.log(3)), -np.expm1(-k * np.log(2))
        slope = 2 * ((1 - three) * np.log(3) * two - three * (1 - two) * np.log(2)) / two**2
        k = np.clip(k - (2 * three / two - 3 - ratio) / slope, -0.99, 30)
    return np.asarray(k)


def _gpd_quantile(probability: Array, parameters: Array) -> Array:
    scale, shape = parameters
    return np.asarray(scale * _stretched(-np.log1p(-probability), shape))


def _gpd_probability(values: Array, parameters: Array) -> Array:
    scale, shape = parameters
    return np.asarray(-np.expm1(-_reduced(np.maximum(values, 0) / scale, shape)))


def _gpd_log_density(values: Array, parameters: Array) -> Array:
    scale, shape = parameters
    reduced = _reduced(values / scale, shape)
    with np.errstate(invalid="ignore"):
        density = -np.log(scale) - (1 + shape) * reduced
    return np.where(np.isfinite(reduced) & (values >= 0), density, -np.inf)


def _gpd_from_lmoments(first: Array, second: Array, ratio: Array) -> Array:
    """Return the parameters of excesses above 0 (Hosking and Wallis 1987, doi:10.1080/00401706.1987.10488243)."""
    del ratio
    k = first / second - 2
    return np.stack([(1 + k) * first, -k])


GEV = Family(
    "gev",
    "generalized extreme value distribution",
    ("location", "scale", "shape"),
    _gev_quantile,
    _gev_probability,
    _gev_log_density,
    _gev_from_lmoments,
)
GPD = Family(
    "gpd",
    "generalized Pareto distribution",
    ("scale", "shape"),
    _gpd_quantile,
    _gpd_probability,
    _gpd_log_density,
    _gpd_from_lmoments,
)
