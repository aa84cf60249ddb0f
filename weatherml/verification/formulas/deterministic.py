"""Means over area, and scores of one forecast."""

from typing import Any

Array = Any
"""A numpy or jax array."""


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
    """Return the anomaly correlation of mean products of anomalies from climatology.

    Nothing is removed from them here: of anomalies as they are it is the uncentred one (WeatherBench 2, FourCastNet),
    of anomalies less their mean over the area the centred one (WMO-No. 485; Wilks 2011, section 8.6.4).
    """
    xp = covariance.__array_namespace__()
    return covariance / xp.sqrt(forecast_variance * truth_variance)
