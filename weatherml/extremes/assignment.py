"""Who goes with whom, one to one: storms with storms, objects, landfalls, or the places where storms may go on.

Which pairs there may be, by distance, overlap in time or whatever makes a hit, is for the caller to say, and what each
of them costs. Which of them are kept is said here, once.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def assigned(
    one: npt.ArrayLike,
    other: npt.ArrayLike,
    cost: npt.ArrayLike,
    alone: npt.ArrayLike = np.inf,
    closest_first: npt.ArrayLike = False,
) -> npt.NDArray[np.intp]:
    """Return which pairs are kept, so that none of either set is in two: positions among the pairs, rising.

    Of all ways to keep pairs it is one whose costs are least in all, where each of the first set that stays alone costs
    `alone`: so a pair is kept only where it costs less. With infinity these are as many pairs as there can be, and of
    such ways the least cost. Where two ways cost the same, the labels decide, and never the order of the pairs.

    Args:
        one: Labels of the first set, whole numbers from 0 that say who it is, `[pair]`.
        other: Labels of the second set `[pair]`; no pair comes twice.
        cost: Of each pair, finite; not below zero where `alone` is infinite.
        alone: What it costs to leave one of the first set alone, for all or `[pair]`.
        closest_first: For which pairs, all or `[pair]`, those are kept before anything else that cost least among such
            pairs of both of their partners: then no such pair is given up so that others can be made.
    """
    ones, others = np.asarray(one, np.intp), np.asarray(other, np.intp)
    order = np.lexsort([others, ones])
    ones, others = ones[order], others[order]
    costs, left_alone, first = (
        np.broadcast_to(own, len(order))[order] if np.ndim(own) else np.broadcast_to(own, len(order))
        for own in (np.asarray(cost, np.float64), np.asarray(alone, np.float64), np.asarray(closest_first, bool))
    )
    is_free = costs < left_alone
    least = costs if np.isinf(left_alone).any() else costs - left_alone
    kept = _mutual(ones, others, least, is_free & first)
    is_free &= ~np.isin(ones, ones[kept]) & ~np.isin(others, others[kept])
    free = np.flatnonzero(is_free)
    together = free[_together(ones[free], others[free], costs[free], left_alone[free])]
    return np.asarray(np.sort(order[np.concatenate([kept, together])]))


def of_matrix(
    cost: npt.NDArray[np.float64], may: npt.NDArray[np.bool_], alone: npt.ArrayLike = np.inf
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return rows and columns of the pairs that are kept, as `assigned`, rows rising.

    Args:
        cost: Of each row with each column `[one, other]`.
        may: Which pairs there may be `[one, other]`.
        alone: As `assigned`, for all.
    """
    rows, columns = np.nonzero(may)
    kept = assigned(rows, columns, cost[rows, columns], alone)
    return rows[kept], columns[kept]


def _mutual(
    ones: npt.NDArray[np.intp], others: npt.NDArray[np.intp], cost: npt.NDArray[np.float64], may: npt.NDArray[np.bool_]
) -> npt.NDArray[np.intp]:
    """Return the pairs that cost least both of their one's and of their other's, of those that may be."""
    pairs = np.flatnonzero(may)
    if not len(pairs):
        return np.zeros(0, np.intp)
    both = []
    for own, partner in ((ones, others), (others, ones)):
        order = pairs[np.lexsort([partner[pairs], cost[pairs], own[pairs]])]
        both.append(order[np.append(True, np.diff(own[order]) > 0)])
    return np.asarray(np.intersect1d(*both))


def _together(
    ones: npt.NDArray[np.intp],
    others: npt.NDArray[np.intp],
    costs: npt.NDArray[np.float64],
    alone: npt.NDArray[np.float64],
) -> npt.NDArray[np.intp]:
    """Return the pairs of the least sum; what hangs together by pairs is solved by itself."""
    if not len(ones):
        return np.zeros(0, np.intp)
    n_one = int(ones.max()) + 1
    size = n_one + int(others.max()) + 1
    graph = coo_array((np.ones(len(ones)), (ones, n_one + others)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    order = np.argsort(component[ones], kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(component[ones][order]) > 0))
    parts = np.split(order, starts[1:])
    kept = [own if len(own) == 1 else own[_least(ones[own], others[own], costs[own], alone[own])] for own in parts]
    return np.concatenate(kept)


def _least(
    ones: npt.NDArray[np.intp],
    others: npt.NDArray[np.intp],
    costs: npt.NDArray[np.float64],
    alone: npt.NDArray[np.float64],
) -> npt.NDArray[np.intp]:
    """Return the pairs of the least sum of some that hang together."""
    rows, row = np.unique(ones, return_inverse=True)
    columns, column = np.unique(others, return_inverse=True)
    # Without end one pair more is worth more than all that they cost.
    worth = np.where(np.isinf(alone), costs[np.isfinite(costs)].sum() + 1, alone)
    place, matrix = np.full((len(rows), len(columns)), -1), np.zeros((len(rows), len(columns)))
    place[row, column], matrix[row, column] = np.arange(len(ones)), costs - worth
    chosen = place[linear_sum_assignment(matrix)]
    return np.asarray(chosen[chosen >= 0])
