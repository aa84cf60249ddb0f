"""How high the highest values of a field are, wherever they lie: what a forecast that is too smooth loses."""

from typing import Any

Array = Any
"""A numpy or jax array."""


def quantile_error(forecast: Array, truth: Array, levels: Array) -> Array:
    """Return the mean over levels of the forecast's quantile less the truth's: FourCastNet's `top_quantiles_error`.

    Args:
        forecast: Fields `[..., point]`, each point counting alike.
        truth: The same, in the same units.
        levels: Between 0 and 1 `[level]`.

    Returns:
        `[...]` in the same units.
    """
    xp = forecast.__array_namespace__()
    return xp.mean(xp.quantile(forecast, levels, axis=-1) - xp.quantile(truth, levels, axis=-1), axis=0)


def relative_quantile_error(forecast: Array, truth: Array, levels: Array) -> Array:
    """Return the sum over levels of that difference over the truth's quantile (RQE; Pathak et al. 2022, arXiv
    2202.11214): below 0 where extremes are too weak.
    """
    xp = forecast.__array_namespace__()
    expected = xp.quantile(truth, levels, axis=-1)
    return xp.sum((xp.quantile(forecast, levels, axis=-1) - expected) / expected, axis=0)
