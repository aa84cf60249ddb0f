"""What a case cannot be judged on: too short a look back, leads that are not there, hours and grids that differ."""

import numpy as np
import pytest
from fake_data import analyses, as_forecast, forecasts
from made_cases import make_case

from weatherml.errors import UserError
from weatherml.extremes.cases import scores
from weatherml.extremes.cases.running import run
from weatherml.extremes.cases.stage import Stage
from weatherml.extremes.cases.told import tell

T2M = "2m_temperature"
TIMES = np.arange("2001-06-20", "2001-07-10", 6, dtype="M8[h]").astype("M8[ns]")
NAMES = {"n_init": 4, "n_members": 2, "init_step": "24h", "start": "2001-06-24"}


@pytest.fixture(scope="module")
def hot_week():
    """Values of four hours a day: warm from 24 June on, in a summer that is usual before; forecasts of the same."""
    truth = analyses({T2M: ()}, TIMES, seed=1) * np.float32(0.1) + np.float32(290)
    truth[T2M].loc[{"time": slice("2001-06-24", "2001-06-30")}] += 8
    like = forecasts({T2M: ()}, n_lead=32, step="6h", **NAMES)
    return truth, as_forecast(truth, like.isel(number=0, drop=True))


def heat(**changes):
    own = {
        "hazard": "heat_wave",
        "period": ("2001-06-30", "2001-06-30"),
        "climatology": {"period": ("2001-06-20", "2001-06-23")},
        "definition": {"minimum_days": 5, "window_days": 31},
    }
    return make_case(**(own | changes))


def test_as_many_days_before_are_looked_at_as_are_asked_for_in_a_row(hot_week):
    truth, forecast = hot_week
    outcome = run(heat(history="1d"), {"ours": forecast}, truth)
    assert outcome.truth.happened  # a spell that began six days before its last
    assert float(scores.event_scores(outcome)["brier"].sel(bound="estimate").max()) == 0


def test_a_region_wholly_in_the_event_is_one_however_its_shares_add_up(hot_week):
    truth, _ = hot_week
    for south in (-80, -50, -20):
        for east in range(10, 180, 30):
            region = {"south": south, "north": 80, "west": -10, "east": east}
            own = make_case(region=region, period=("2001-06-24", "2001-06-24"), least_share=1)
            stage = Stage.of(own, truth)
            told = tell(stage.true, stage)
            assert told.happened and told.largest_share <= 1


def test_leads_that_a_forecast_lacks_are_one_line(hot_week):
    truth, forecast = hot_week
    with pytest.raises(UserError, match=r"ours lacks the leads 60h, 66h, of those between .* 6h .. 192h; give fore"):
        run(heat(), {"ours": forecast.drop_isel(lead_time=[9, 10])}, truth)
    coarser = forecast.sel(lead_time=forecast["lead_time"].values[[*range(16), *range(17, 32, 2)]])
    run(heat(), {"ours": coarser}, truth)  # a step that grows with the lead is none that lacks


def test_leads_that_no_day_of_the_period_needs_may_lack(hot_week):
    truth, forecast = hot_week
    far = forecast.drop_isel(lead_time=[30])
    outcome = run(heat(period=("2001-06-24", "2001-06-25"), definition={"minimum_days": 1}), {"ours": far}, truth)
    assert outcome.truth.happened


def test_days_of_other_hours_are_told_in_one_line(hot_week):
    truth, forecast = hot_week
    daily = forecast.isel(lead_time=slice(3, None, 4))
    (told,) = run(heat(), {"ours": daily}, truth).remarks
    assert told.startswith(
        "the hours of the day differ: ours has values at 00 UTC, and the truth at 00, 06, 12, 18 UTC"
    )
    assert not run(heat(), {"ours": forecast}, truth).remarks
    assert not run(heat(), {"ours": daily}, truth.isel(time=slice(0, None, 4))).remarks
    odd = forecast.assign_coords(init_time=forecast["init_time"].values + np.timedelta64(3, "h"))
    assert any("ours has values at 03, 09, 15, 21 UTC" in own for own in run(heat(), {"ours": odd}, truth).remarks)


def test_a_climatology_of_another_grid_is_one_line(hot_week):
    truth, forecast = hot_week
    with pytest.raises(UserError, match="the climatology lies on 7 x 6 points and the truth on 7 x 12; bring both"):
        run(heat(), {"ours": forecast}, truth, truth.isel(longitude=slice(0, 12, 2)))


def test_a_period_without_a_whole_day_is_one_line(hot_week):
    truth, forecast = hot_week
    with pytest.raises(UserError, match=r"no whole day lies in 2001-06-30T06 .. 2001-06-30T12, of which a heat wave"):
        run(heat(period=("2001-06-30T06", "2001-06-30T12")), {"ours": forecast}, truth)


def test_forecasts_of_other_years_are_said_to_reach_no_event(hot_week):
    truth, forecast = hot_week
    late = forecast.assign_coords(init_time=forecast["init_time"].values + np.timedelta64(3650, "D"))
    with pytest.raises(UserError, match=r"no forecast reaches the period 2001-06-30 .*: ours begin 2011-06-22T"):
        run(heat(), {"ours": late}, truth)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"definition": {"minimum_days": 10**9}}, "minimum_days=1000000000 in a row are more than a year; give 366"),
        ({"hazard": "freeze", "definition": {"minimum_days": 10**9}}, "in a row are more than a year"),
        ({"definition": {"minimum_days": True}}, "minimum_days: Input should be no yes or no, got true"),
        ({"definition": {"window_days": 1001}}, "window_days=1001 is no odd number of days from 1 to 365"),
        ({"definition": {"pressure": 1}}, "known: daily, margin, minimum_days, percentile, window_days$"),
        ({"lead_times": {"last": "6h", "every": "1d"}}, "^lead_times: there is no lead up to 6h, the last"),
        ({"history": "100000d"}, "history 100000d is longer than a year; .* write 3d"),
        ({"interval": "foo"}, "^interval: unknown .* 'foo'"),
        ({"systems": {"ours": {}}}, "^systems.ours: 'path' is missing; give it a value"),
    ],
)
def test_what_no_case_can_be_judged_by_is_one_line_when_it_is_read(changes, told):
    with pytest.raises(UserError, match=told):
        heat(**changes)
