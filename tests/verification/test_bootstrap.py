"""Intervals by resampling: what textbooks say of them, and their own laws."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from weatherml.verification.significance.bootstrap import _draws, bootstrap_interval

few = settings(max_examples=40, deadline=None)


def interval(samples, function, **options):
    """Of forecasts that count alike."""
    return bootstrap_interval(samples, [np.ones(len(own)) for own in samples], function, **options)


def _identity(mean):
    return mean


def test_bootstrap_interval_of_a_mean_is_the_textbook_one():
    sample = np.random.default_rng(7).normal(3, 2, size=(400, 1))
    bounds = interval([sample], _identity, n_resamples=4000)[:, 0]
    error = 1.96 * sample.std(ddof=1) / np.sqrt(400)
    np.testing.assert_allclose(bounds, sample.mean() + np.array([0, -error, error]), atol=0.02)


def test_bootstrap_applies_the_function_to_means():
    bounds = interval([np.array([[1.0], [9.0]])], np.sqrt)[:, 0]
    np.testing.assert_allclose(bounds, [np.sqrt(5), 1, 3])


def test_bootstrap_is_the_same_for_the_same_seed_and_not_for_another():
    sample = np.random.default_rng(8).normal(size=(11, 3, 2))
    first, again, other = (interval([sample], _identity, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first[1:] != other[1:]).any()


def test_bootstrap_draws_statistics_together():
    sample = np.random.default_rng(9).normal(size=(30, 4))
    np.testing.assert_allclose(interval([sample + 1, sample], np.subtract), 1)


def test_bootstrap_in_blocks_is_wider_for_forecasts_that_fail_together():
    sample = np.repeat(np.random.default_rng(10).normal(size=40), 5)[:, None]
    apart, together = (np.ptp(interval([sample], _identity, block_length=n)[1:]) for n in (1, 5))
    assert together > 1.5 * apart


def test_bootstrap_has_no_bounds_for_fewer_than_two_blocks():
    values = interval([np.arange(5.0)[:, None]], _identity, block_length=3)[:, 0]
    np.testing.assert_array_equal(values, [2, np.nan, np.nan])


@few
@given(st.integers(2, 9), st.integers(1, 4))
def test_bootstrap_draws_as_many_forecasts_as_there_are(n_init, block_length):
    drawn = _draws(n_init, 7, block_length, seed=0)
    np.testing.assert_allclose(drawn.sum(axis=1), n_init)
    np.testing.assert_allclose(drawn, np.round(drawn))
