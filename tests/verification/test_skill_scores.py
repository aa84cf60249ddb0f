"""Skill against a baseline: what of the way to a perfect forecast is gone, over forecasts that both made."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.verification import accumulate, baselines, evaluate, skill, summarize


@pytest.fixture(scope="module")
def truth():
    return analyses(times=112)


@pytest.fixture(scope="module")
def noise():
    return forecasts(n_init=6, n_members=3, init_step="5D")


@pytest.fixture(scope="module")
def forecast(noise, truth):
    """The truth with half of the noise."""
    return as_forecast(truth, noise) + np.float32(0.5) * noise.drop_vars("valid_time")


@pytest.fixture(scope="module")
def others(truth, noise):
    times = noise["init_time"].values, noise["lead_time"].values
    return {
        "persistence": baselines.persistence(truth, *times),
        "climatology": baselines.climatology(truth * np.float32(0), *times),
    }


def test_skill_is_one_less_the_ratio_of_errors(forecast, truth, others):
    metrics = ["rmse", "crps_fair"]
    own = accumulate(forecast, truth, metrics)
    for other in others.values():
        baseline = accumulate(other, truth, metrics)
        for metric in metrics:
            scores = [summarize(sums, metric)[metric].sel(bound="estimate") for sums in (own, baseline)]
            found = skill(own, baseline, metric)
            assert found.dims == ("bound", "channel", "lead_time")
            xr.testing.assert_allclose(found.sel(bound="estimate"), 1 - scores[0] / scores[1])


def test_the_way_to_a_perfect_correlation(forecast, truth, noise):
    climatology, worse = truth * np.float32(0), forecast + noise.drop_vars("valid_time")
    own, other = (accumulate(made, truth, "acc", climatology) for made in (forecast, worse))
    mine, theirs = (
        evaluate(made, truth, "acc", climatology)["acc"].sel(bound="estimate") for made in (forecast, worse)
    )
    xr.testing.assert_allclose(skill(own, other, "acc").sel(bound="estimate"), (mine - theirs) / (1 - theirs))


def test_a_forecast_has_no_skill_against_itself_and_all_where_it_is_perfect(forecast, truth, noise):
    own, best = (accumulate(made, truth, "mae") for made in (forecast, as_forecast(truth, noise)))
    assert (skill(own, own, "mae") == 0).all()
    assert (skill(best, own, "mae") == 1).all()


def test_skill_is_resampled_in_pairs(truth, noise):
    hard = noise["init_time"].copy(data=(1 + np.arange(6)).astype(np.float32))  # both fail more at some init times
    made = [as_forecast(truth, noise) + np.float32(share) * hard * noise.drop_vars("valid_time") for share in (0.5, 1)]
    own, other = (accumulate(one, truth, "rmse") for one in made)
    gained = skill(own, other, "rmse")
    np.testing.assert_allclose(gained, 0.5, rtol=1e-5)


def test_skill_by_groups_and_regions(forecast, truth, others):
    regions = ["tropics", "global"]
    own, other = (accumulate(made, truth, "mse", regions=regions) for made in (forecast, others["persistence"]))
    scores = [summarize(sums, "mse", "valid_hour")["mse"].sel(bound="estimate") for sums in (own, other)]
    found = skill(own, other, "mse", by="valid_hour").sel(bound="estimate")
    assert found.dims == ("valid_hour", "channel", "region", "lead_time")
    xr.testing.assert_allclose(found, 1 - scores[0] / scores[1])


def test_skill_is_of_what_both_have(forecast, truth):
    own = accumulate(forecast, truth, "mse")
    part = accumulate(forecast.isel(init_time=slice(2, None), lead_time=[0]), truth, "mse")
    found = skill(own, part, "mse")
    assert (found.sel(bound="estimate") == 0).all()
    assert (found.attrs["n_init_times"], found.sizes["lead_time"]) == (4, 1)
    assert found.attrs["left_out"] == "2 init times of the first system, 2 lead times of the first system"


@pytest.mark.parametrize("metric", ["bias", "spread", "spread_skill", "effective_resolution"])
def test_where_no_value_is_the_best_it_is_said_in_one_line(forecast, truth, metric):
    sums = accumulate(forecast, truth, metric)
    with pytest.raises(UserError, match=rf"metric '{metric}' has no best value.*take one that has, such as acc, "):
        skill(sums, sums, metric)
