"""Sketches: exact while they are not full, then within the error they state, whatever the order of the members."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weatherml.errors import UserError
from weatherml.streaming.sketch import Sketch, largest_rank_error, values_entered

CELLS = (3, 2)
PROBABILITIES = (0.0, 0.07, 0.5, 0.9, 1.0)

sizes = st.sampled_from([2, 4, 6, 16])
seeds = st.integers(0, 2**32 - 1)


def draw(seed, n_members, n_ties=0):
    """Return members of very different cells; with ties only as many different values as `n_ties`."""
    rng = np.random.default_rng(seed)
    members = rng.gamma(1, 1, (n_members, *CELLS)) ** 3
    members = np.floor(members * n_ties) if n_ties else members
    return (members * 10.0 ** np.arange(6).reshape(CELLS)).astype(np.float32)


def split(members, seed):
    rng = np.random.default_rng(seed)
    return np.split(members, np.sort(rng.integers(0, len(members) + 1, rng.integers(0, 9))))


def sketch_of(blocks, size):
    sketch = Sketch.in_memory(size, CELLS)
    for block in blocks:
        sketch.append(block)
    return sketch


def assert_ranks_within(quantiles, probabilities, members, error):
    """Require that each quantile lies where numpy could put it if ranks were off by `error` members."""
    ascending = np.sort(members, axis=0)
    for quantile, probability in zip(quantiles, probabilities, strict=True):
        position = probability * (len(members) - 1)
        lowest = ascending[max(int(np.floor(position)) - error, 0)]
        highest = ascending[min(int(np.ceil(position)) + error, len(members) - 1)]
        assert (lowest <= quantile).all()
        assert (quantile <= highest).all()


@given(sizes, st.data(), seeds)
def test_quantiles_are_numpys_until_the_sketch_is_full(size, data, seed):
    members = draw(seed, data.draw(st.integers(1, size)))
    sketch = sketch_of(split(members, seed), size)
    assert sketch.rank_error == 0
    expected = np.quantile(members.astype(np.float64), PROBABILITIES, axis=0)
    np.testing.assert_allclose(sketch.quantiles(PROBABILITIES), expected, rtol=1e-6)


@given(sizes, st.integers(1, 200), seeds, st.sampled_from([0, 3]))
def test_ranks_stay_within_the_stated_error(size, n_members, seed, n_ties):
    members = draw(seed, n_members, n_ties)
    sketch = sketch_of(split(members, seed), size)
    assert_ranks_within(sketch.quantiles(PROBABILITIES), PROBABILITIES, members, sketch.rank_error)


@given(sizes, st.integers(1, 200), seeds)
def test_merged_sketches_stay_within_the_error_that_they_state(size, n_members, seed):
    members = draw(seed, n_members)
    merged = Sketch.in_memory(size, CELLS)
    for part in np.random.default_rng(seed).permutation(3):
        merged.merge(sketch_of(split(np.array_split(members, 3)[part], seed), size))
    assert merged.n_members == n_members
    assert_ranks_within(merged.quantiles(PROBABILITIES), PROBABILITIES, members, merged.rank_error)


@given(sizes, st.integers(0, 200), st.integers(0, 40), seeds)
def test_a_sketch_goes_on_in_the_slots_of_one_that_stopped(size, n_before, n_after, seed):
    members = draw(seed, n_before + n_after)
    kept = [np.empty((2 * size, *CELLS), np.float32) for _ in range(12)]
    Sketch(size, kept.__getitem__).append(members[:n_before])
    resumed = Sketch(size, kept.__getitem__, n_before)
    resumed.append(members[n_before:])
    whole = sketch_of([members], size)
    assert resumed.rank_error == whole.rank_error
    np.testing.assert_array_equal(resumed.quantiles(PROBABILITIES), whole.quantiles(PROBABILITIES))


@given(sizes, st.integers(0, 500))
def test_as_many_values_enter_each_level_as_foreseen(size, n_members):
    sketch = Sketch.in_memory(size, (1,))
    for member in range(n_members):
        sketch.append(np.full((1, 1), member, np.float32))
    assert [level.n_entered for level in sketch._levels] == values_entered(size, n_members)


def test_the_error_for_a_thousand_members_is_what_the_page_says():
    members = np.random.default_rng(0).normal(size=(1000, 20, 10)).astype(np.float32)
    errors, typical = {}, {}
    for size in (32, 64, 128):
        sketch = Sketch.in_memory(size, (20, 10))
        for wave in np.split(members, 100):
            sketch.append(wave)
        found = (members <= sketch.quantiles([0.5])).mean(axis=0)
        errors[size] = sketch.rank_error
        typical[size] = float(np.sqrt(np.mean(np.square(found - 0.5))))
    assert errors == {32: 80, 64: 32, 128: 12} == {size: largest_rank_error(size, 1000) for size in errors}
    assert typical[32] < 0.02
    assert typical[64] < 0.01
    assert typical[128] < 0.005


def test_members_that_failed_are_no_part_of_the_distribution():
    members = draw(0, 13)
    members[4:7] = np.nan
    members[:, 1] = np.nan  # a mask
    quantiles = sketch_of([members], 16).quantiles(PROBABILITIES)
    assert np.isnan(quantiles[:, 1]).all()
    expected = np.nanquantile(members[:, [0, 2]].astype(np.float64), PROBABILITIES, axis=0)
    np.testing.assert_allclose(quantiles[:, [0, 2]], expected, rtol=1e-6)


def test_sketches_of_two_sizes_do_not_merge():
    with pytest.raises(UserError, match="sketches of 4 and 6 values do not merge"):
        Sketch.in_memory(4, CELLS).merge(Sketch.in_memory(6, CELLS))
