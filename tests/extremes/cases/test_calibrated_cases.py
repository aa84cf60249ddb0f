"""Calibrated probabilities and the extreme forecast index of a case, against the same by another road."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts
from made_cases import NAME, make_case

from weatherml.errors import UserError
from weatherml.extremes import PERCENTILES, efi, sot
from weatherml.extremes.cases import scores
from weatherml.extremes.cases.config import CalibrationPeriod
from weatherml.extremes.cases.running import run
from weatherml.extremes.cases.unusual import unusual

SURFACE = {"2m_temperature": ()}
PERIOD = ("2001-02-01T06", "2001-02-01T18")
THEN = {"period": ("2001-01-01", "2001-01-30"), "risk": 0.5}
AREA = {"latitude": [2, 3, 4], "longitude": [0, 1, 2, 10, 11]}


@pytest.fixture(scope="module")
def truth():
    return analyses(SURFACE, times=140)


@pytest.fixture(scope="module")
def forecast():
    return forecasts(SURFACE, n_init=33, n_lead=4, n_members=5)


@pytest.fixture(scope="module")
def outcome(truth, forecast):
    case = make_case(period=PERIOD, calibration=THEN, climatology={"period": ("2001-01-05", "2001-01-29")})
    return run(case, {"ours": forecast}, truth)


def mean_over_region(field):
    edges = np.sin(np.radians([45, 15, -15, -45]))
    weights = xr.DataArray(-np.diff(edges), dims="latitude")
    return field.weighted(weights / weights.sum()).mean(("latitude", "longitude"))


def test_calibrated_probabilities_are_those_of_the_learnt_curve_at_each_cell(outcome, forecast):
    own = outcome.systems["ours"].calibrated
    share = (forecast["2m_temperature"] > 0.5).mean("number").isel(AREA)
    init = own.by_time["init_time"].values[-1]
    applied = own.learnt.apply(share.sel(init_time=[init]))
    told = own.by_time.sel(init_time=init)
    judged = np.isfinite(told["raw"].values)
    assert judged.sum() == 3
    for name, field in {"raw": share.sel(init_time=[init]), "calibrated": applied["probability"]}.items():
        expected = mean_over_region(field.isel(init_time=0)).values[judged]
        np.testing.assert_allclose(told[name].values[judged], expected, rtol=1e-5)
    for bound in ("lower", "upper"):
        np.testing.assert_allclose(
            told[bound].values[judged], mean_over_region(applied[bound].isel(init_time=0)).values[judged], rtol=1e-5
        )


def test_what_is_said_by_lead_is_what_the_case_is_judged_by(outcome):
    own = outcome.systems["ours"].calibrated.by_lead
    brier = scores.event_scores(outcome)["brier"].sel(bound="estimate", system="ours").isel(channel=0)
    known = np.isfinite(own["brier_raw"].values)
    np.testing.assert_allclose(own["brier_raw"].values[known], brier.values[known], rtol=1e-5)
    assert ((own["covered"].values[known] >= 0) & (own["covered"].values[known] <= 1 + 1e-9)).all()
    assert (own["lower"] <= own["upper"] + 1e-9).values[known].all()


def test_a_calibration_knows_nothing_of_the_event(outcome, truth, forecast):
    assert outcome.systems["ours"].calibrated.learnt.held_out.period == THEN["period"]
    with pytest.raises(UserError, match=r"the calibration of 2001-01-01 \.\. 2001-02-03 knows the event"):
        make_case(period=PERIOD, calibration={"period": ("2001-01-01", "2001-02-03")})
    changed = make_case(period=PERIOD, calibration={"period": ("2001-01-01", "2001-02-01T00")})
    with pytest.raises(UserError, match=r"^calibration of ours: "):
        run(changed, {"ours": forecast}, truth)
    with pytest.raises(UserError, match=r"no forecast begins and ends in 2001-01-01 \.\. 2001-01-01T12"):
        run(make_case(period=PERIOD, calibration={"period": ("2001-01-01", "2001-01-01T12")}), {"a": forecast}, truth)
    alone = forecast.isel(number=0, drop=True)
    with pytest.raises(UserError, match="ours is one forecast, of which no share of members is known"):
        run(make_case(period=PERIOD, calibration=THEN), {"ours": alone}, truth)


def test_baselines_of_a_calibration_begin_at_the_hours_of_the_event_and_end_inside():
    asked = CalibrationPeriod(period=("2001-01-01", "2001-01-05"), every="2d")
    found = asked.init_times(np.datetime64("2001-02-01T09", "ns"), np.timedelta64(1, "D"))
    assert found.astype("datetime64[h]").tolist() == np.array(["2001-01-01T09", "2001-01-03T09"], "M8[h]").tolist()


def test_the_index_is_that_of_the_members_against_the_climate_around_the_date(outcome, truth, forecast):
    peak = outcome.truth.peak_time
    found = unusual(outcome.systems["ours"], outcome.climate, outcome.stage, peak).isel(init_time=-1)
    usual = truth["2m_temperature"].sel(time=slice("2001-01-05", "2001-01-29"))
    days = (peak.astype("datetime64[D]") - usual["time"].values.astype("datetime64[D]")).astype(int)
    quantiles = usual.isel(time=np.flatnonzero(np.abs(days) <= 15)).quantile(PERCENTILES, "time")
    init = found["init_time"].values[()]
    own = forecast.sel(init_time=[init], lead_time=[peak - init])
    for name, function in {"efi": efi, "sot": sot}.items():
        expected = function(own, quantiles.to_dataset(name="2m_temperature"))["2m_temperature"].isel(AREA).squeeze()
        np.testing.assert_allclose(found[name].values, expected.values, rtol=1e-4, atol=1e-5)
    assert outcome.climate.n_values == (np.abs(days) <= 15).sum()


def test_a_climatology_that_meets_valid_times_is_told_in_one_line(truth, forecast, caplog):
    case = make_case(hazard=NAME, period=PERIOD, climatology={"period": ("2001-01-05", "2001-02-01T00")})
    run(case, {"ours": forecast}, truth)
    (told,) = [line for line in caplog.messages if line.startswith("the climatology, 2001-01-05")]
    assert "shares times with valid times of the forecasts: it knows some of what" in told


def test_an_event_that_nobody_could_see_coming_is_told_in_one_line(truth, forecast, caplog):
    late = forecast.sel(init_time=slice("2001-02-02", None))
    case = make_case(period=("2001-02-01", "2001-02-02"), least_share=0.01)
    outcome = run(case, {"ours": late}, truth)
    assert outcome.truth.onset < late["init_time"].values[0]
    (told,) = [line for line in caplog.messages if "before the onset" in line]
    assert "\n" not in told
