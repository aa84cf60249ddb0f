"""Intervals of 95 % hold the truth about so often, also where forecasts that follow one another fail together."""

import numpy as np
import pytest
from scipy import fft, stats
from scipy.signal import lfilter

from weatherml.verification.significance.methods import method_named, registry
from weatherml.verification.significance.sample import Sample
from weatherml.verification.significance.student import Independent, SecondOrder

FIRST, SECOND = (0.5, 0.0), (0.9, -0.3)  # of both the variance of a mean is three times that of independent values
N_EXPERIMENTS = 2000  # two standard errors of 95 % are 1 %


def series(coefficients, n_init, rng, n_experiments=N_EXPERIMENTS):
    noise = rng.standard_normal((n_init + 50, n_experiments))
    return lfilter([1], [1, *(-own for own in coefficients)], noise, axis=0)[50:]


def sample_of(arguments, function):
    times = np.datetime64("2001-01-01", "ns") + np.arange(len(arguments[0])) * np.timedelta64(12, "h")
    return Sample(arguments, [np.ones(arguments[0].shape[:2])] * len(arguments), function, times)


def paired(coefficients, n_init):
    """Two systems' square errors, much of which they share, and the true difference of their rmse, which is 1 - 2."""
    rng = np.random.default_rng(30)
    shared, *own = (0.2 * series(coefficients, n_init, rng) for _ in range(3))
    errors = [mean + shared + each for mean, each in zip((1.0, 4.0), own, strict=True)]
    return sample_of(errors, lambda first, second: np.sqrt(first) - np.sqrt(second)), -1.0


def coverage(method, sample, truth):
    bounds = method_named(method).judge(sample)
    return np.mean((bounds.lower <= truth) & (truth <= bounds.upper))


@pytest.mark.parametrize("coefficients", [FIRST, SECOND])
@pytest.mark.parametrize("n_init", [60, 200])
@pytest.mark.parametrize("method", ["ar2", "cosines"])
def test_intervals_of_paired_differences_hold_the_truth(method, n_init, coefficients):
    assert 0.92 < coverage(method, *paired(coefficients, n_init)) < 0.98


@pytest.mark.parametrize("method", ["circular", "moving", "stationary", "cluster"])
def test_resampled_intervals_hold_the_truth_where_blocks_are_many(method):
    assert 0.92 < coverage(registry[method](n_resamples=400), *paired(FIRST, 200)) < 0.98


@pytest.mark.parametrize("method", ["ar2", "cosines", "lag1"])
def test_intervals_of_thirty_forecasts_nearly_hold_the_truth(method):
    assert 0.90 < coverage(method, *paired(FIRST, 30)) < 0.98


@pytest.mark.parametrize("n_init", [30, 200])
def test_who_takes_forecasts_as_independent_misses_the_truth_one_time_in_five(n_init):
    assert 0.68 < coverage("independent", *paired(FIRST, n_init)) < 0.82


@pytest.mark.parametrize("method", ["independent", "lag1", "ar2", "cosines"])
def test_intervals_of_independent_forecasts_hold_the_truth(method):
    assert 0.92 < coverage(method, *paired((0, 0), 100)) < 0.985


@pytest.mark.parametrize("method", ["ar2", "cosines"])
def test_p_values_are_even_where_there_is_no_difference(method):
    rng = np.random.default_rng(31)
    errors = [4 + series(FIRST, 200, rng) for _ in range(2)]
    p_values = method_named(method).judge(sample_of(errors, np.subtract)).p_value
    np.testing.assert_allclose(np.quantile(p_values, [0.1, 0.3, 0.5, 0.7]), [0.1, 0.3, 0.5, 0.7], atol=0.07)


def test_independent_interval_is_that_of_the_paired_t_test():
    first, second = np.random.default_rng(32).normal(3, 1, (2, 20, 7))
    bounds = Independent().judge(sample_of([first, second], np.subtract))
    expected = stats.ttest_rel(first, second)
    np.testing.assert_allclose(bounds.p_value, expected.pvalue)
    np.testing.assert_allclose([bounds.lower, bounds.upper], list(expected.confidence_interval()))


def test_the_second_order_inflates_as_its_process_does():
    values = series(SECOND, 20_000, np.random.default_rng(33), 4)
    bounds, naive = (method.judge(sample_of([values], lambda mean: mean)) for method in (SecondOrder(), Independent()))
    width, own = (each.upper - each.lower for each in (bounds, naive))
    at_one = 0.9 / 1.3
    expected = (1 - 0.9 * at_one + 0.3 * (0.9 * at_one - 0.3)) / 0.4**2
    np.testing.assert_allclose((width / own) ** 2, expected, rtol=0.1)


def test_cosines_are_the_first_of_the_discrete_cosine_transform():
    values = np.random.default_rng(36).random((60, 4))
    bounds = method_named("cosines").judge(sample_of([values], lambda mean: mean))
    first = fft.dct(values, type=2, axis=0, norm="ortho")[1:7]  # 0.4 x 60^(2/3) = 6.1
    half = stats.t.ppf(0.975, 6) * np.sqrt((first**2).mean(axis=0) / 60)
    np.testing.assert_allclose([bounds.lower, bounds.upper], [values.mean(axis=0) - half, values.mean(axis=0) + half])


def test_a_difference_of_areas_and_means_has_the_interval_of_its_pseudo_values():
    rng = np.random.default_rng(34)
    values, weights = rng.random((40, 3)) + 1, rng.random((40, 3)) + 0.5
    times = np.arange(40).astype("datetime64[D]").astype("datetime64[ns]")
    bounds = Independent().judge(Sample([values * weights], [weights], np.sqrt, times))
    kept = ~np.eye(40, dtype=bool)[..., None]
    without = np.sqrt((values * weights * kept).sum(axis=1) / (weights * kept).sum(axis=1))
    estimate = np.sqrt((values * weights).sum(axis=0) / weights.sum(axis=0))
    pseudo = 40 * estimate - 39 * without
    error = pseudo.std(axis=0, ddof=1) / np.sqrt(40) * stats.t.ppf(0.975, 39)
    np.testing.assert_allclose([bounds.lower, bounds.upper], [estimate - error, estimate + error])


@pytest.mark.parametrize("method", sorted(set(registry) - {"none"}))
def test_one_forecast_tells_nothing_and_a_cell_without_any_is_unknown(method):
    one = method_named(method).judge(sample_of([np.ones((1, 2))], np.sqrt))
    np.testing.assert_array_equal(one.estimate, 1)
    assert np.isnan([one.lower, one.upper, one.p_value]).all()
    weights = np.ones((60, 2))
    weights[:, 1] = 0
    times = np.arange(60).astype("datetime64[D]").astype("datetime64[ns]")
    values = np.random.default_rng(35).random((60, 2)) * weights
    bounds = method_named(method).judge(Sample([values], [weights], np.sqrt, times))
    np.testing.assert_array_equal(np.isfinite([bounds.estimate, bounds.lower, bounds.upper]), [[True, False]] * 3)


@pytest.mark.parametrize("method", ["ar2", "circular"])
def test_forecasts_that_are_listed_in_another_order_are_taken_in_that_of_time(method):
    sample, _ = paired(FIRST, 60)
    order = np.random.default_rng(37).permutation(60)
    few = [own[:, :3] for own in sample.sums]
    weights = [np.ones((60, 3))] * 2
    bounds, shuffled = (
        method_named(method).judge(Sample([own[at] for own in few], weights, sample.function, sample.init_times[at]))
        for at in (np.arange(60), order)
    )
    np.testing.assert_allclose(shuffled.upper, bounds.upper)
