"""Intervals by resampling: what textbooks say of them, and their own laws."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from weatherml.errors import UserError
from weatherml.verification.significance.block_length import automatic_length, block_length
from weatherml.verification.significance.bootstrap import Circular, Cluster, Moving, Stationary
from weatherml.verification.significance.sample import Sample

few = settings(max_examples=40, deadline=None)
DAY = np.timedelta64(1, "D")


def sample_of(samples, function, spacing=5 * DAY, weights=None):
    """Of forecasts that count alike."""
    times = np.datetime64("2001-01-01", "ns") + np.arange(len(samples[0])) * spacing
    weights = np.ones(samples[0].shape[:2]) if weights is None else weights
    return Sample(samples, [weights] * len(samples), function, times)


def interval(samples, function, method=None, **options):
    bounds = (method or Circular(**options)).judge(sample_of(samples, function))
    return np.stack([bounds.estimate, bounds.lower, bounds.upper])


def _identity(mean):
    return mean


@pytest.mark.parametrize("method", [Circular(4000), Moving(4000), Stationary(4000)])
def test_bootstrap_interval_of_a_mean_is_the_textbook_one(method):
    sample = np.random.default_rng(7).normal(3, 2, size=(400, 1))
    bounds = interval([sample], _identity, method)[:, 0]
    error = 1.96 * sample.std(ddof=1) / np.sqrt(400)
    np.testing.assert_allclose(bounds, sample.mean() + np.array([0, -error, error]), atol=0.02)


def test_bootstrap_applies_the_function_to_means():
    values = np.random.default_rng(6).uniform(1, 9, size=(41, 1))
    bounds, of_mean = (interval([values], function)[:, 0] for function in (np.sqrt, _identity))
    np.testing.assert_allclose(bounds, np.sqrt(of_mean), rtol=1e-3)


def test_bootstrap_is_the_same_for_the_same_seed_and_not_for_another():
    sample = np.random.default_rng(8).normal(size=(11, 3, 2))
    first, again, other = (interval([sample], _identity, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first[1:] != other[1:]).any()


def test_bootstrap_draws_statistics_together():
    sample = np.random.default_rng(9).normal(size=(30, 4))
    np.testing.assert_allclose(interval([sample + 1, sample], np.subtract), 1)


@pytest.mark.parametrize("method", [Circular, Moving, Stationary])
def test_bootstrap_in_blocks_is_wider_for_forecasts_that_fail_together(method):
    sample = np.repeat(np.random.default_rng(10).normal(size=40), 5)[:, None]
    apart, together = (np.ptp(interval([sample], _identity, method(length=n))[1:]) for n in (1, 5))
    assert together > 1.5 * apart


def test_bootstrap_of_groups_is_that_of_their_means():
    means = np.random.default_rng(11).normal(size=60)
    sample = sample_of([np.repeat(means, 3)[:, None]], _identity)
    groups = xr.DataArray(np.repeat(np.arange(60), 3), {"init_time": sample.init_times})
    bounds = Cluster(groups=groups).judge(sample)
    alone = interval([means[:, None]], _identity)[:, 0]
    np.testing.assert_allclose([bounds.estimate[0], bounds.lower[0], bounds.upper[0]], alone, atol=0.06)
    with pytest.raises(UserError, match="groups have no init_time 2001-01-01"):
        Cluster(groups=groups[5:]).judge(sample)


@pytest.mark.parametrize(("group", "n_groups"), [("week", 26), ("month", 6), ("season", 3)])
def test_weeks_months_and_seasons_are_groups(group, n_groups):
    sample = sample_of([np.zeros((181, 1))], _identity, spacing=DAY)
    assert len(np.unique(Cluster(groups=group)._labels(sample.init_times))) == n_groups


def test_bootstrap_has_no_bounds_for_fewer_than_two_blocks():
    values = interval([np.arange(5.0)[:, None]], _identity, length=3)[:, 0]
    np.testing.assert_array_equal(values, [2, np.nan, np.nan])


def test_a_cell_that_few_forecasts_have_has_no_bounds_and_does_not_spoil_the_others():
    values, weights = np.random.default_rng(12).normal(size=(20, 2)), np.ones((20, 2))
    weights[1:, 1] = 0
    bounds = Circular().judge(sample_of([values * weights], _identity, weights=weights))
    np.testing.assert_allclose(bounds.estimate, [values[:, 0].mean(), values[0, 1]])
    np.testing.assert_array_equal(np.isnan(bounds.lower), [False, True])


def test_forecasts_that_have_no_part_do_not_make_intervals_unknown():
    values, weights = np.random.default_rng(13).normal(size=(365, 1)), np.zeros((365, 1))
    weights[:31] = 1
    bounds, alone = (
        Circular(length=5).judge(sample_of([own * part], _identity, weights=part))
        for own, part in ((values, weights), (values[:31], weights[:31]))
    )
    np.testing.assert_allclose([bounds.lower, bounds.upper], [alone.lower, alone.upper])


@few
@given(st.integers(2, 9), st.integers(1, 4), st.sampled_from([Circular, Moving, Stationary]))
def test_bootstrap_draws_as_many_forecasts_as_there_are(n_init, length, method):
    drawn = method(n_resamples=7).draws(max(n_init, length), length)
    np.testing.assert_allclose(drawn.sum(axis=1), max(n_init, length))
    np.testing.assert_allclose(drawn, np.round(drawn))


def test_stationary_blocks_have_their_mean_length():
    drawn = Stationary(n_resamples=2000).draws(1000, 8)
    covariance = [np.mean((drawn[:, lag:] - 1) * (drawn[:, : 1000 - lag] - 1)) for lag in (0, 1, 4)]
    np.testing.assert_allclose(covariance[1:] / covariance[0], [(7 / 8), (7 / 8) ** 4], atol=0.02)


def test_p_value_and_interval_agree_whether_zero_is_ruled_out():
    sample = np.random.default_rng(14).normal(0.4, 1, size=(30, 200))
    bounds = Circular().judge(sample_of([sample], _identity))
    out = (bounds.lower > 0) | (bounds.upper < 0)
    assert 0.3 < out.mean() < 0.8
    assert ((bounds.p_value < 0.05) == out).mean() > 0.98


@pytest.mark.parametrize("n_init", [2, 3, 4, 5, 7, 8, 12])
def test_bounds_of_few_blocks_hold_the_truth_as_often_as_they_say_and_agree_with_their_p_value(n_init):
    sample = sample_of([np.random.default_rng(n_init).normal(size=(n_init, 2000))], _identity, spacing=7 * DAY)
    for method in (Circular(400), Moving(400), Stationary(400), Cluster(400)):
        bounds = method.judge(sample)
        inside = (bounds.lower < 0) & (bounds.upper > 0)
        assert 0.915 < inside.mean() < 0.97, method
        assert (inside == (bounds.p_value > 0.05)).mean() > 0.985, method


@pytest.mark.parametrize("n_init", [10, 12, 15, 20])
def test_bounds_of_few_blocks_of_daily_forecasts_miss_no_more_than_they_say(n_init):
    values = np.random.default_rng(n_init).normal(size=(n_init, 1000))
    bounds = Circular(400).judge(sample_of([values], _identity, spacing=DAY))
    assert ((bounds.lower < 0) & (bounds.upper > 0)).mean() > 0.94


def test_a_cell_of_few_blocks_among_cells_of_many_is_judged_by_its_own():
    values, weights = np.random.default_rng(16).normal(size=(60, 2)), np.ones((60, 2))
    weights[4:, 1] = 0
    bounds = Circular(4000).judge(sample_of([values * weights], _identity, weights=weights))
    few = values[:4, 1]
    half = np.ptp([bounds.lower[1], bounds.upper[1]]) / 2
    np.testing.assert_allclose(half, few.std(ddof=1) / 2 * 3.182, rtol=0.2)  # Student's t of 3


def _share_of_events(hits, events):
    return hits / events


def test_a_winner_is_called_where_some_resamples_have_no_event():
    events, hits = np.zeros((24, 1)), np.zeros((24, 1))
    when = [2, 7, 8, 15, 19]
    events[when], hits[when, 0] = 1, [0.80, 0.90, 0.85, 0.82, 0.88]
    bounds = Circular().judge(sample_of([hits, events], _share_of_events))
    assert bounds.lower > 0.6
    assert bounds.p_value < 0.01


def test_one_event_tells_nothing_however_many_forecasts_there_are():
    events = np.zeros((60, 1))
    events[30] = 1.0
    bounds = Circular().judge(sample_of([0.7 * events, events], _share_of_events))
    np.testing.assert_allclose(bounds.estimate, 0.7)
    assert np.isnan([bounds.lower, bounds.upper, bounds.p_value]).all()


@pytest.mark.parametrize("n_init", [1, 2, 3, 5, 6])
def test_few_forecasts_have_an_automatic_length(n_init):
    values = np.random.default_rng(n_init).normal(size=(n_init, 3))
    for method in (Circular, Stationary):
        bounds = method(length="automatic").judge(sample_of([values], _identity))
        np.testing.assert_allclose(bounds.estimate, values.mean(axis=0))
        if n_init in (2, 3):  # blocks of one
            assert np.isfinite([bounds.lower, bounds.upper, bounds.p_value]).all()


def test_moving_blocks_do_not_go_on_from_the_last_forecast_to_the_first():
    drawn = Moving(n_resamples=50).draws(4, 3)
    assert (drawn[:, 1:3] >= 1).all()  # of blocks of three, both that fit have the middle


def test_block_length_is_that_of_five_days():
    times = np.datetime64("2001-01-01", "ns") + np.arange(9) * np.timedelta64(12, "h")
    assert block_length(times) == 10
    assert block_length(times[:1]) == 1


def test_automatic_length_grows_with_correlation_and_each_cell_has_its_own():
    noise = np.random.default_rng(15).normal(size=(300, 2))
    noise[:, 1] = np.convolve(noise[:, 1], np.ones(8) / 8, "same")
    apart, together = automatic_length(noise - noise.mean(axis=0), 4 / 3)
    assert apart < 3 < together < 40
    sample = sample_of([noise], _identity)
    joint, alone = (Circular(length="automatic").judge(own) for own in (sample, sample.cells(slice(1, 2))))
    assert joint.upper[1] == alone.upper[0]
