"""Scores of parts of a forecast distribution: a quantile, or what lies beyond a threshold."""

import math
from typing import Any, Literal

from weatherml.verification.formulas.ensembles import in_order

Array = Any
"""A numpy or jax array."""

Tail = Literal["upper", "lower"]
"""What a threshold leaves: what lies above it, or below."""


def ensemble_quantile(members: Array, quantile: float) -> Array:
    """Return a quantile over the first axis, `[member, ...]` to `[...]`.

    Between the members that are next to it, in line (Hyndman and Fan 1996, type 7), as `numpy.quantile` has it.
    """
    place = quantile * (members.shape[0] - 1)
    lower, upper = math.floor(place), math.ceil(place)
    ordered = in_order(members)
    return ordered[lower] + (place - lower) * (ordered[upper] - ordered[lower])


def quantile_score(forecast: Array, truth: Array, quantile: float) -> Array:
    """Return the pinball loss of a forecast quantile (Koenker and Bassett 1978, doi:10.2307/1913643).

    `quantile` of each unit by which the truth lies above the forecast, 1 - `quantile` of each by which it lies below:
    the mean over all quantiles is half the CRPS.

    Args:
        forecast: `[...]`.
        truth: `[...]` in the same units.
        quantile: Between 0 and 1.

    Returns:
        `[...]` in the same units, 0 or more.
    """
    xp = truth.__array_namespace__()
    error = truth - forecast
    return xp.maximum(quantile * error, (quantile - 1) * error)


def beyond(values: Array, threshold: Array, tail: Tail = "upper") -> Array:
    """Return values no less than a threshold, or no more than it where the tail is the lower one.

    The CRPS of members and truth thus treated is the threshold-weighted CRPS, with weight 1 beyond the threshold and 0
    elsewhere (Gneiting and Ranjan 2011, doi:10.1198/jbes.2010.08110; by this chaining function: Allen et al. 2023,
    doi:10.1137/22M1532184).
    """
    xp = values.__array_namespace__()
    return xp.maximum(values, threshold) if tail == "upper" else xp.minimum(values, threshold)
