"""Scores of ensembles."""

from itertools import combinations
from typing import Any

import numpy as np

Array = Any
"""A numpy or jax array."""

_FEW = 4
"""Members up to which all pairs are taken as they are: a sort and its gradient take jax five to eight times longer."""


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


def in_order(members: Array) -> Array:
    """Return members `[member, ...]` in order at each point, the lowest first."""
    if not isinstance(members, np.ndarray):
        return members.__array_namespace__().sort(members, axis=0)
    # numpy sorts values that lie side by side; of others it copies each point's, which is slow where rows of them are a
    # power of two apart and so share the same few lines of a cache: then a sort takes seven times as long.
    by_point = np.array(np.moveaxis(members, 0, -1), order="C")
    by_point.sort(axis=-1)
    return np.moveaxis(by_point, -1, 0)


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
    return xp.tensordot(rank, in_order(members), axes=1) * (2 / pairs)


def crps(members: Array, truth: Array) -> Array:
    """Return the CRPS of the ensemble taken as the whole distribution, which favours large ensembles; see `crps_fair`.

    Args:
        members: `[member, ...]`.
        truth: `[...]` in the same units.

    Returns:
        `[...]` in the same units, 0 or more.
    """
    return crps_almost_fair(members, truth, 0.0)


def crps_fair(members: Array, truth: Array) -> Array:
    """Return the fair CRPS: its expectation does not depend on the ensemble's size (Ferro 2014, doi:10.1002/qj.2270).

    It can be negative. An ensemble of one has no pair of members and scores its absolute error. Shapes as in `crps`.
    """
    return crps_almost_fair(members, truth, 1.0)


def crps_almost_fair(members: Array, truth: Array, fairness: float) -> Array:
    """Return `fairness` times the fair CRPS, plus the rest times `crps`: a loss (Lang et al. 2024, arXiv 2412.15832).

    Where all members but one equal the truth, the fair score is the same wherever that one lies; a share of `crps`
    draws it in. Shapes as in `crps`.
    """
    xp = members.__array_namespace__()
    errors = members - truth  # before sorting: the errors are small where the fields are large, and keep their digits
    absolute_error = xp.mean(xp.abs(errors), axis=0)
    return crps_of(absolute_error, mean_absolute_difference(errors), members.shape[0], fairness)


def crps_of(absolute_error: Array, absolute_difference: Array, n_members: int, fairness: float) -> Array:
    """Return the CRPS from the members' mean absolute error and `mean_absolute_difference`; see `crps_almost_fair`."""
    return absolute_error - 0.5 * (1 - (1 - fairness) / n_members) * absolute_difference
