"""Scores of an ensemble's members as whole patterns: over several points at once."""

from typing import Any

Array = Any
"""A numpy or jax array."""

_PRODUCT = 1 << 18
"""Multiplications up to which OpenBLAS multiplies matrices in one thread: several, which wait for each other, made
tiles of 20 degrees 16 times slower on a busy machine."""


def energy_score(members: Array, truth: Array, weights: Array) -> Array:
    """Return the energy score (Gneiting and Raftery 2007, doi:10.1198/016214506000001437, equation 22).

    The distance of two patterns is the root of their mean squared difference by `weights`, so that a pattern of one
    point has its CRPS. As in `crps` the ensemble is the whole distribution.

    Args:
        members: `[member, ..., point]`.
        truth: `[..., point]` in the same units.
        weights: Such as areas, `[..., point]`; points of weight 0 do not count.

    Returns:
        `[...]` in the same units, 0 or more.
    """
    error, difference = _distances(members, truth, weights)
    return error - difference / (2 * members.shape[0] ** 2)


def energy_score_fair(members: Array, truth: Array, weights: Array) -> Array:
    """Return the energy score that an ensemble of any size is expected to have; as `energy_score`, may be negative."""
    error, difference = _distances(members, truth, weights)
    return error - difference / (2 * max(members.shape[0] * (members.shape[0] - 1), 1))


def variogram_score(members: Array, truth: Array, weights: Array, power: float = 0.5) -> Array:
    """Return the variogram score (Scheuerer and Hamill 2015, doi:10.1175/MWR-D-14-00269.1, equation 12).

    It tells whether members have the truth's differences between points, and does not see a bias that is the same at
    all points.

    Args:
        members: `[member, ..., point]`.
        truth: `[..., point]` in the same units.
        weights: Such as areas, `[..., point]`; a pair of points counts by the product of theirs.
        power: To which differences are raised.

    Returns:
        `[...]`, mean over all pairs of points, in these units to twice the power, 0 or more.
    """
    xp = members.__array_namespace__()
    total = xp.zeros_like(weights[..., 0])
    for point in range(weights.shape[-1] - 1):
        other = slice(point + 1, None)
        forecast = xp.mean(xp.abs(members[..., other] - members[..., point, None]) ** power, axis=0)
        error = xp.abs(truth[..., other] - truth[..., point, None]) ** power - forecast
        total = total + 2 * weights[..., point] * xp.vecdot(weights[..., other], error**2)
    return total / xp.sum(weights, axis=-1) ** 2


def _distances(members: Array, truth: Array, weights: Array) -> tuple[Array, Array]:
    """Return the mean distance of members from the truth, and the sum of all those between members, `[...]`.

    Those between members come from one product of matrices, members times points times members: M^2 distances at the
    speed at which these are multiplied. What is multiplied is centred, so that close members keep their digits.
    """
    xp = members.__array_namespace__()
    scale = xp.sqrt(weights / xp.sum(weights, axis=-1, keepdims=True))
    errors = xp.moveaxis((members - truth) * scale, 0, -2)  # [..., member, point]
    departures = errors - xp.mean(errors, axis=-2, keepdims=True)
    products = _products(departures)
    squares = xp.linalg.diagonal(products)
    between = squares[..., :, None] + squares[..., None, :] - 2 * products
    to_truth = xp.mean(xp.sqrt(xp.vecdot(errors, errors)), axis=-1)
    return to_truth, xp.sum(xp.sqrt(xp.maximum(between, 0)), axis=(-2, -1))


def _products(departures: Array) -> Array:
    """Return the products of all members with each other, `[..., member, point]` to `[..., member, member]`."""
    n_members, n_points = departures.shape[-2:]
    n_each = max(16, _PRODUCT // n_members**2)
    parts = (departures[..., first : first + n_each] for first in range(0, n_points, n_each))
    return sum(own @ own.__array_namespace__().matrix_transpose(own) for own in parts)
