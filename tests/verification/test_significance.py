"""Whether one system is better than another."""

import numpy as np
import pytest
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.verification import accumulate, compare, evaluate, summarize

METRICS = ["rmse", "mae", "bias", "spread_skill"]


@pytest.fixture(scope="module")
def truth():
    return analyses(times=140)


@pytest.fixture(scope="module")
def noise():
    return forecasts(n_init=6, init_step="5D")


def _damped(noise, truth, share):
    """The truth with a share of the noise."""
    return as_forecast(truth, noise) + np.float32(share) * noise.drop_vars("valid_time")


def _pair(noise, truth, *shares):
    return [accumulate(_damped(noise, truth, share), truth, METRICS[:3]) for share in shares]


def test_difference_is_that_of_the_scores(truth, noise):
    first, second = _pair(noise, truth, 0.5, 0.7)
    own, other = (summarize(means, METRICS[:1])["rmse"].sel(bound="estimate", drop=True) for means in (first, second))
    compared = compare(first, second, "rmse")
    np.testing.assert_allclose(compared["difference"], own - other)
    np.testing.assert_allclose(compared["relative"], own / other - 1)


def test_pairing_finds_a_difference_that_separate_intervals_hide(truth, noise):
    hard = (1 + np.arange(6)).astype(np.float32)  # some forecasts fail more than others, in both systems alike
    grades = noise["init_time"].copy(data=hard)
    first, second = _pair(noise * grades, truth, 0.98, 1.0)
    intervals = [summarize(means, METRICS[:1])["rmse"] for means in (first, second)]
    assert (intervals[0].sel(bound="upper") > intervals[1].sel(bound="lower")).all()
    compared = compare(first, second, "rmse")
    assert (compared["upper"] < 0).all()
    assert (compared["p_value"] < 0.05).all()
    assert (compared["better"] == 1).all()
    assert (compare(second, first, "rmse")["better"] == -1).all()


@pytest.mark.parametrize("method", ["circular", "stationary", "cluster", "independent", "ar2", "cosines"])
def test_a_system_does_not_differ_from_itself(truth, noise, method):
    means = accumulate(noise, truth, METRICS[:2])
    compared = compare(means, means, "rmse", interval=method)
    assert (compared[["difference", "lower", "upper", "better"]] == 0).all().to_array().all()
    assert (compared["p_value"] == 1).all()


def test_the_smaller_bias_is_the_better_one_whatever_its_sign(truth, noise):
    first, second = (accumulate(as_forecast(truth, noise) + noise * 0.01 + shift, truth, ["bias"]) for shift in (-1, 2))
    compared = compare(first, second, "bias")
    np.testing.assert_allclose(compared["difference"], -1, atol=0.01)
    assert (compared["better"] == 1).all()


def test_systems_are_compared_over_what_both_forecast_and_the_rest_is_counted(truth, noise):
    whole = accumulate(noise, truth, METRICS[:2])
    part = accumulate(noise.isel(init_time=slice(1, None), lead_time=[0, 2]), truth, METRICS[:2])
    compared = compare(whole, part, "mae")
    assert compared.sizes["lead_time"] == 2
    assert (compared["difference"] == 0).all()
    assert compared.attrs["n_init_times"] == 5
    assert compared.attrs["left_out"] == "1 init time of the first system, 1 lead time of the first system"


def test_forecasts_without_truth_in_one_system_count_in_neither(truth, noise):
    cut = truth.isel(time=slice(None, -41))  # the last forecast has no truth at all
    first, second = (accumulate(noise, own, METRICS[:2], missing="count") for own in (truth, cut))
    compared = compare(first, second, "mae")
    assert (compared["difference"] == 0).all()
    assert "without truth of one" in compared.attrs["left_out"] or "no area" in compared.attrs["left_out"]


def test_systems_with_nothing_in_common_cannot_be_compared(truth, noise):
    first, second = (accumulate(noise.isel(init_time=[i]), truth, METRICS[:2]) for i in (0, 1))
    with pytest.raises(UserError, match="share no init time: the first has 2001-01-01T00:00 to 2001-01-01T00:00"):
        compare(first, second, "rmse")


def test_what_was_not_accumulated_is_named(truth, noise):
    means = accumulate(noise, truth, ["mae"])
    with pytest.raises(UserError, match="sums of squared_error"):
        compare(means, means, "rmse")


def test_an_interval_that_there_is_not_is_refused_before_anything_is_judged(truth, noise):
    told = []
    with pytest.raises(UserError, match="unknown method of intervals 'statonary'; did you mean 'stationary'"):
        evaluate(noise, truth, ["mae"], progress=lambda *done: told.append(done), interval="statonary")
    assert told == []
