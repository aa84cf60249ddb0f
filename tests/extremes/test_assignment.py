"""Who goes with whom: the rules of one to one, against all ways that there are."""

from itertools import combinations

import numpy as np
import pytest

from weatherml.extremes.assignment import assigned, of_matrix


def brute_force(one, other, cost, alone):
    """Number of pairs and cost of the best way to keep pairs: of all that use nobody twice."""
    best = (0, 0.0) if np.isinf(alone) else (0.0,)
    for n in range(1, min(len(set(one)), len(set(other))) + 1):
        for kept in combinations(range(len(one)), n):
            own = list(kept)
            if len(set(one[own])) < n or len(set(other[own])) < n:
                continue
            total = cost[own].sum()
            best = min(best, (-n, total) if np.isinf(alone) else (total - n * alone,))
    return best


def random_pairs(rng, n_one=4, n_other=5, n_pairs=9, ties=True):
    cells = rng.choice(n_one * n_other, n_pairs, replace=False)
    cost = rng.integers(0, 4, n_pairs).astype(float) if ties else rng.uniform(0, 4, n_pairs)
    return *np.divmod(cells, n_other), cost


@pytest.mark.parametrize("alone", [np.inf, 2.5, 100.0])
@pytest.mark.parametrize("ties", [True, False])
def test_no_other_way_has_more_pairs_or_costs_less(alone, ties):
    rng = np.random.default_rng(1)
    for _ in range(20):
        one, other, cost = random_pairs(rng, ties=ties)
        kept = assigned(one, other, cost, alone)
        assert len(set(one[kept])) == len(set(other[kept])) == len(kept)
        total = cost[kept].sum()
        own = (-len(kept), total) if np.isinf(alone) else (total - len(kept) * alone,)
        assert own == pytest.approx(brute_force(one, other, cost, alone))


@pytest.mark.parametrize("alone", [np.inf, 2.5])
@pytest.mark.parametrize("first", [False, True, "some"])
def test_the_order_of_pairs_is_of_no_account_where_costs_are_tied(alone, first):
    rng = np.random.default_rng(2)
    for _ in range(20):
        one, other, cost = random_pairs(rng, n_pairs=12)
        is_first = rng.integers(0, 2, 12).astype(bool) if first == "some" else np.full(12, first)
        kept = {(one[at], other[at]) for at in assigned(one, other, cost, alone, is_first)}
        for _ in range(3):
            turn = rng.permutation(12)
            again = turn[assigned(one[turn], other[turn], cost[turn], alone, is_first[turn])]
            assert {(one[at], other[at]) for at in again} == kept


def test_of_equal_pairs_the_lower_labels_have_each_other():
    for one, other in (([0, 1], [0, 0]), ([1, 0], [0, 0])):
        assert [one[at] for at in assigned(one, other, [1.0, 1.0])] == [0]
    square = of_matrix(np.ones((3, 3)), np.ones((3, 3), bool))
    assert [own.tolist() for own in square] == [[0, 1, 2], [0, 1, 2]]


def test_one_pair_more_is_worth_any_cost_unless_it_costs_something_to_be_alone():
    one, other, cost = [0, 0, 1], [0, 1, 0], [1.0, 50.0, 50.0]
    assert assigned(one, other, cost).tolist() == [1, 2]
    assert assigned(one, other, cost, alone=60.0).tolist() == [0]
    assert assigned(one, other, cost, alone=1.0).tolist() == []  # no cheaper than to be alone


def test_the_closest_both_ways_are_not_given_up_for_others():
    one, other, cost = [0, 0, 1], [0, 1, 0], [1.0, 3.0, 3.0]
    assert assigned(one, other, cost, closest_first=True).tolist() == [0]
    assert assigned(one, other, cost, closest_first=[False, True, True]).tolist() == [1, 2]
    assert assigned(one, other, cost, alone=0.5, closest_first=True).tolist() == []


def test_nothing_is_assigned_to_nobody():
    assert assigned([], [], []).tolist() == []
    assert [len(own) for own in of_matrix(np.ones((0, 3)), np.ones((0, 3), bool))] == [0, 0]
