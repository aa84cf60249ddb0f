"""Moments: what numpy finds in the whole sample, from its parts in any order."""

from functools import reduce
from operator import add

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from weatherml.streaming.moments import Moments, count_above

CELLS = (3, 2)
THRESHOLDS = (0.5, -1.0)
seeds = st.integers(0, 2**32 - 1)


def parts_of(members, seed):
    rng = np.random.default_rng(seed)
    parts = np.split(members, np.sort(rng.integers(0, len(members) + 1, rng.integers(0, 9))))
    return [parts[i] for i in rng.permutation(len(parts))]


def draw(seed, n_members):
    rng = np.random.default_rng(seed)
    members = rng.normal(size=(n_members, *CELLS)).astype(np.float32)
    members[rng.random((n_members, *CELLS)) < 0.2] = np.nan
    return members


@given(st.integers(1, 40), seeds)
def test_any_split_in_any_order_gives_what_numpy_finds_in_the_whole(n_members, seed):
    members = draw(seed, n_members)
    parts = parts_of(members, seed)
    whole = reduce(add, map(Moments.of, parts))
    above = sum(count_above(part, THRESHOLDS) for part in parts)
    for cell in np.ndindex(CELLS):
        sample = members[(slice(None), *cell)].astype(np.float64)
        sample = sample[~np.isnan(sample)]
        some, several = len(sample) > 0, len(sample) > 1
        assert whole.count[cell] == len(sample)
        np.testing.assert_allclose(whole.mean[cell], sample.mean() if some else 0, atol=1e-12)
        np.testing.assert_allclose(whole.spread[cell], sample.std(ddof=1) if several else np.nan, atol=1e-12)
        np.testing.assert_array_equal(whole.minimum[cell], sample.min() if some else np.nan)
        np.testing.assert_array_equal(whole.maximum[cell], sample.max() if some else np.nan)
        for position, threshold in enumerate(THRESHOLDS):
            assert above[(position, *cell)] == np.sum(sample > threshold)


def test_a_spread_of_one_is_found_on_top_of_a_geopotential_of_500_000():
    rng = np.random.default_rng(1)
    members = (5e5 + rng.normal(size=(1000, *CELLS))).astype(np.float32)
    whole = reduce(add, (Moments.of(wave) for wave in np.split(members, 100)))
    exact = members.astype(np.longdouble)
    np.testing.assert_allclose(whole.spread, exact.std(axis=0, ddof=1).astype(np.float64), rtol=1e-9)
    np.testing.assert_allclose(whole.mean, exact.mean(axis=0).astype(np.float64), rtol=1e-15)


def test_no_members_are_nothing_to_add():
    members = draw(2, 7)
    some, none = Moments.of(members), Moments.of(members[:0])
    for either in (some + none, none + some):
        for name in ("count", "mean", "squares", "minimum", "maximum"):
            np.testing.assert_array_equal(getattr(either, name), getattr(some, name))
