"""Scores of yes-or-no forecasts, against published ones and against counting."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.verification import evaluate
from weatherml.verification.formulas import contingency as formulas
from weatherml.verification.metrics.registry import find

FINLEY = np.array([[2680.0, 23.0], [72.0, 28.0]])
"""Tornadoes forecast by Finley in 1884: correct negatives, misses; false alarms, hits."""


@pytest.mark.parametrize(
    ("score", "published"),
    [
        (formulas.probability_of_detection, 0.549),
        (formulas.false_alarm_ratio, 0.720),
        (formulas.probability_of_false_detection, 0.0262),
        (formulas.critical_success_index, 0.228),
        (formulas.equitable_threat_score, 0.216),
        (formulas.frequency_bias, 1.96),
    ],
)
def test_scores_of_finleys_tornadoes_are_the_published_ones(score, published):
    assert score(FINLEY) == pytest.approx(published, rel=3e-3)  # Wilks 2011, section 8.2.2


def test_sedi_is_zero_for_chance_and_one_for_the_perfect_forecast_of_a_rare_event():
    chance = np.outer([0.9, 0.1], [0.7, 0.3])
    assert formulas.sedi(chance) == pytest.approx(0, abs=1e-12)
    rare = np.array([[1 - 1e-8, 1e-12], [1e-12, 1e-8]])
    assert formulas.sedi(rare) == pytest.approx(1, abs=0.02)
    hit, false = 28 / 51, 72 / 2752
    logs = [np.log(x) for x in (false, hit, 1 - false, 1 - hit)]
    assert formulas.sedi(FINLEY) == pytest.approx((logs[0] - logs[1] - logs[2] + logs[3]) / sum(logs))


def counted(forecast, truth, threshold, lead):
    """The table of a channel by area."""
    times = forecast.init_time.values + forecast.lead_time.values[lead]
    made = forecast["2m_temperature"].isel(lead_time=lead)
    made = (made.mean("number") if "number" in made.dims else made).values > threshold
    true = truth["2m_temperature"].sel(time=times).values > threshold
    areas = LatLonGrid.regular(7, 12).cell_areas()[:, None] * np.ones_like(made)
    return np.array([[areas[(made == f) & (true == t)].sum() for t in (0, 1)] for f in (0, 1)])


@pytest.mark.parametrize("n_members", [None, 3])
def test_events_are_counted_by_area_in_the_ensemble_mean(n_members):
    truth, forecast = analyses(), forecasts(n_members=n_members)
    names = {f"{name}(threshold={t})": (name, t) for name in ("pod", "far", "sedi") for t in (0.1, 0.4)}
    scores = evaluate(forecast, truth, list(names)).sel(bound="estimate", channel="2m_temperature").isel(lead_time=1)
    short = {"pod": "probability_of_detection", "far": "false_alarm_ratio", "sedi": "sedi"}
    for name, (score, threshold) in names.items():
        table = counted(forecast, truth, threshold, 1)
        assert scores[name] == pytest.approx(getattr(formulas, short[score])(table), rel=1e-6)


def test_a_threshold_may_differ_from_place_to_place():
    truth, forecast = analyses(), forecasts()
    threshold = xr.ones_like(truth.isel(time=0, drop=True)) * np.float32(0.25)
    fixed = evaluate(forecast, truth, "csi(threshold=0.25)")["csi(threshold=0.25)"]
    varied = evaluate(forecast, truth, "csi", references={"threshold": threshold})["csi"]
    xr.testing.assert_equal(fixed.rename(None), varied.rename(None))


def test_what_is_exactly_the_threshold_does_not_exceed_it_whoever_says_it():
    truth = xr.full_like(analyses({"2m_temperature": ()}), 0.1)
    one = xr.full_like(forecasts({"2m_temperature": ()}, n_init=2), 0.1)
    members = xr.full_like(forecasts({"2m_temperature": ()}, n_init=2, n_members=3), 0.1)
    for forecast in (one, members):
        bias = evaluate(forecast, truth, "pofd(threshold=0.1)")["pofd(threshold=0.1)"].sel(bound="estimate")
        assert (bias == 0).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "csi",
            r"metric .csi. needs a threshold; give threshold= in its brackets, or pass references=.*, or leave it out",
        ),
        ("csi(threshold='warm')", r"cannot be: threshold must be a finite number, not 'warm'; write 'csi\(thr"),
        ("csi(limit=3)", r"takes threshold; write 'csi\(threshold=...\)'"),
    ],
)
def test_an_event_without_a_threshold_is_refused_in_one_line(name, message):
    with pytest.raises(UserError, match=message):
        evaluate(forecasts(), analyses(), name)


def test_numbers_name_a_statistic_whatever_their_type():
    assert find("pod(threshold=3)").statistics == find("far(threshold=3.0)").statistics
