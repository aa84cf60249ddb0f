"""Which candidate of a time goes on which track: all together, so that their order is of no account."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def expected(last: np.ndarray, before: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return where storms go on along their great circles, unit vectors `[storm, 3]`.

    Args:
        last: Where they were last `[storm, 3]`.
        before: Where they were before that `[storm, 3]`; the same place where that is not known.
        share: How much of that motion goes on `[storm]`.
    """
    turn = share * angles(before, last)
    axis = np.cross(before, last)
    length = np.linalg.norm(axis, axis=1, keepdims=True)
    ahead = np.cross(np.divide(axis, length, out=np.zeros_like(axis), where=length > 0), last)
    return np.asarray(np.cos(turn)[:, None] * last + np.sin(turn)[:, None] * ahead)


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the angle between unit vectors `[..., 3]`, radians `[...]`."""
    return np.asarray(2 * np.arcsin(np.minimum(np.linalg.norm(first - second, axis=-1) / 2, 1)))


def assign(
    last: np.ndarray,
    wanted: np.ndarray,
    found: np.ndarray,
    reach: np.ndarray,
    leeway: np.ndarray,
    is_moving: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return which storm goes on at which candidate: positions of storms and of candidates, of as many as are linked.

    First storms whose motion is known, at the candidates that are closest to where they are expected and that no other
    such storm is expected closer to: else many links that are possible would win over few that are right. Then the
    others, all together: the sum over all links of squared distances from where storms are expected, each less the
    squared reach, is least.

    Args:
        last: Where storms were last, unit vectors `[storm, 3]`.
        wanted: Where they are expected `[storm, 3]`.
        found: The candidates `[candidate, 3]`.
        reach: How far each may be from where it was, radians `[storm]`.
        leeway: How far each may be from where it is expected, radians `[storm]`; no more than the reach.
        is_moving: Of which storms the motion is known `[storm]`.
    """
    if not len(last) or not len(found):
        return np.zeros(0, int), np.zeros(0, int)
    off = angles(wanted[:, None], found)
    may = (angles(last[:, None], found) <= reach[:, None]) & (off <= leeway[:, None])
    cost = np.where(may, off**2 - reach[:, None] ** 2, 0)
    first = _mutual(np.where(is_moving[:, None], cost, 0))
    left = np.ones(len(last), bool), np.ones(len(found), bool)
    for own, linked in zip(left, first, strict=True):
        own[linked] = False
    storms, candidates = (np.flatnonzero(own) for own in left)
    second = linear_sum_assignment(cost[np.ix_(storms, candidates)])
    both = np.concatenate([first[0], storms[second[0]]]), np.concatenate([first[1], candidates[second[1]]])
    linked = cost[both] < 0
    return both[0][linked], both[1][linked]


def _mutual(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of what is least both in its row and in its column, and below zero."""
    columns = cost.argmin(axis=1)
    rows = np.arange(len(cost))
    is_mutual = (cost[rows, columns] < 0) & (cost.argmin(axis=0)[columns] == rows)
    return rows[is_mutual], columns[is_mutual]
