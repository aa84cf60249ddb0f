"""Whether one system is better than another."""

import numpy as np
import pytest
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.verification import accumulate, compare, summarize

METRICS = ["rmse", "mae"]


@pytest.fixture(scope="module")
def truth():
    return analyses(times=140)


@pytest.fixture(scope="module")
def noise():
    return forecasts(n_init=6, init_step="5D")


def _damped(noise, truth, share):
    """The truth with a share of the noise."""
    return as_forecast(truth, noise) + np.float32(share) * noise.drop_vars("valid_time")


def test_difference_is_that_of_the_scores(truth, noise):
    first, second = (accumulate(_damped(noise, truth, share), truth, METRICS) for share in (0.5, 0.7))
    scores = [summarize(means, METRICS)["rmse"].sel(bound="estimate") for means in (first, second)]
    np.testing.assert_allclose(compare(first, second, "rmse").sel(bound="estimate"), scores[0] - scores[1])


def test_pairing_finds_a_difference_that_separate_intervals_hide(truth, noise):
    hard = (1 + np.arange(6)).astype(np.float32)  # some forecasts fail more than others, in both systems alike
    grades = noise["init_time"].copy(data=hard)
    first, second = (accumulate(_damped(noise * grades, truth, share), truth, METRICS) for share in (0.98, 1.0))
    intervals = [summarize(means, METRICS)["rmse"] for means in (first, second)]
    assert (intervals[0].sel(bound="upper") > intervals[1].sel(bound="lower")).all()
    assert (compare(first, second, "rmse").sel(bound="upper") < 0).all()


def test_a_system_does_not_differ_from_itself(truth, noise):
    means = accumulate(noise, truth, METRICS)
    assert (compare(means, means, "rmse") == 0).all()


def test_systems_are_compared_over_what_both_forecast(truth, noise):
    whole = accumulate(noise, truth, METRICS)
    part = accumulate(noise.isel(init_time=slice(1, None), lead_time=[0, 2]), truth, METRICS)
    difference = compare(whole, part, "mae")
    assert difference.sizes["lead_time"] == 2
    assert (difference == 0).all()


def test_systems_with_nothing_in_common_cannot_be_compared(truth, noise):
    first, second = (accumulate(noise.isel(init_time=[i]), truth, METRICS) for i in (0, 1))
    with pytest.raises(UserError, match="share no init_time"):
        compare(first, second, "rmse")
