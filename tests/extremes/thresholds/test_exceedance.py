"""Verdict on exceedances against brute force over all cases."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.extremes import local_quantile, verdict

CHANNEL = "2m_temperature"


@pytest.fixture(scope="module")
def truth():
    return analyses(times=140)


@pytest.fixture(scope="module")
def threshold(truth):
    return local_quantile(truth, 0.8, ("2001-01-01", "2001-02-28"))


@pytest.fixture(scope="module")
def ensemble(truth):
    """Seven members that know something of the truth."""
    noise = forecasts(n_members=7, n_init=3, init_step="5D")
    return noise.drop_vars("valid_time") + as_forecast(truth, noise)


@pytest.fixture(scope="module")
def cases(ensemble, truth, threshold):
    """Probability, event and area of each point of lead 1."""
    at = as_forecast(truth, ensemble)[CHANNEL][:, 1]
    probability = (ensemble[CHANNEL][:, 1] > threshold[CHANNEL]).mean("number").transpose(*at.dims)
    event = at > threshold[CHANNEL]
    edges = np.radians([90, 75, 45, 15, -15, -45, -75, -90])
    area = np.broadcast_to((np.sin(edges[:-1]) - np.sin(edges[1:]))[:, None], at.shape)
    return probability.values.ravel(), event.values.ravel(), area.ravel()


def lead_one(verdict, name):
    return verdict[name].sel(bound="estimate", channel=CHANNEL)[1]


def test_brier_is_the_area_mean_of_the_squared_error_of_the_probability(ensemble, truth, threshold, cases):
    probability, event, area = cases
    expected = np.average((probability - event) ** 2, weights=area)
    assert lead_one(verdict(ensemble, truth, threshold), "brier") == pytest.approx(expected)


def test_fair_brier_takes_off_the_sampling_of_members(ensemble, truth, threshold, cases):
    probability, event, area = cases
    expected = np.average((probability - event) ** 2 - probability * (1 - probability) / 6, weights=area)
    assert lead_one(verdict(ensemble, truth, threshold), "brier_fair") == pytest.approx(expected)


def test_brier_skill_is_against_the_base_rate_of_the_training_period(ensemble, truth, threshold, cases):
    probability, event, area = cases
    score, climate = (np.average((p - event) ** 2, weights=area) for p in (probability, 0.2))
    assert lead_one(verdict(ensemble, truth, threshold), "brier_skill") == pytest.approx(1 - score / climate)


def test_roc_area_is_that_under_the_curve_of_hits_over_false_alarms(ensemble, truth, threshold, cases):
    probability, event, area = cases
    warned = probability[:, None] >= np.linspace(1.1, 0, 1000)
    hits, false_alarms = (np.average(warned[which], axis=0, weights=area[which]) for which in (event, ~event))
    expected = np.trapezoid(hits, false_alarms)
    assert lead_one(verdict(ensemble, truth, threshold), "roc_area") == pytest.approx(expected)


def test_reliability_is_the_frequency_of_the_event_at_each_probability(ensemble, truth, threshold, cases):
    probability, event, area = cases
    judged = verdict(ensemble, truth, threshold)
    for members_above in range(8):
        at = np.isclose(probability, members_above / 7)
        observed = np.average(event[at], weights=area[at]) if at.any() else np.nan
        assert lead_one(judged, "forecast_probability")[members_above] == pytest.approx(
            members_above / 7, nan_ok=not at.any()
        )
        assert lead_one(judged, "observed_frequency")[members_above] == pytest.approx(observed, nan_ok=True)
        assert lead_one(judged, "forecast_share")[members_above] == pytest.approx(area[at].sum() / area.sum())


def test_the_perfect_forecast_has_every_skill(ensemble, truth, threshold):
    judged = verdict(as_forecast(truth, ensemble), truth, threshold)
    np.testing.assert_allclose(judged["brier"], 0, atol=1e-12)
    np.testing.assert_allclose(judged["brier_skill"], 1)
    np.testing.assert_allclose(judged["roc_area"], 1)


def test_the_parts_of_the_brier_score_make_it(ensemble, truth, threshold):
    judged = verdict(ensemble, truth, threshold)
    reliability, resolution, uncertainty = lead_one(judged, "brier_decomposition").values
    assert reliability - resolution + uncertainty == pytest.approx(lead_one(judged, "brier").item())


def test_what_a_warning_is_worth_is_told_for_users_of_every_kind(ensemble, truth, threshold, cases):
    probability, event, area = cases
    value = lead_one(verdict(ensemble, truth, threshold), "economic_value").sel(cost_loss=0.1)
    rate = np.average(event, weights=area)
    rules = [np.average(np.where(probability >= least, 0.1, event), weights=area) for least in np.arange(9) / 7 - 1e-6]
    assert value == pytest.approx((min(0.1, rate) - min(rules)) / (min(0.1, rate) - 0.1 * rate))


def test_noise_discriminates_nothing(truth, threshold):
    judged = verdict(forecasts(n_members=20, n_init=3, init_step="5D"), truth, threshold)
    np.testing.assert_allclose(judged["roc_area"].sel(bound="estimate"), 0.5, atol=0.1)
    assert (judged["brier_skill"].sel(bound="estimate") < 0).all()


def test_verdict_has_bounds_over_init_times(ensemble, truth, threshold):
    roc = verdict(ensemble, truth, threshold)["roc_area"]
    assert roc.dims == ("bound", "channel", "lead_time")
    assert (roc.sel(bound="lower") < roc.sel(bound="estimate")).all()
    assert (roc.sel(bound="estimate") < roc.sel(bound="upper")).all()


def test_without_a_quantile_the_base_rate_must_be_given(ensemble, truth, threshold):
    bare = threshold.drop_attrs()
    with pytest.raises(UserError, match="base rate is unknown; pass base_rate="):
        verdict(ensemble, truth, bare)
    xr.testing.assert_allclose(verdict(ensemble, truth, bare, base_rate=0.2), verdict(ensemble, truth, threshold))
