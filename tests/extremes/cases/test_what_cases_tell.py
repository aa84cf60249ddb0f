"""What a case says of its own limits: analyses before forecasts, cut events, units, and how much counts as an event."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts
from made_cases import make_case

from weatherml.errors import UserError
from weatherml.extremes.cases import scores
from weatherml.extremes.cases.before import analyses_before
from weatherml.extremes.cases.config import Analyses, Stored
from weatherml.extremes.cases.running import run
from weatherml.extremes.hazards.registry import find

DAY = np.timedelta64(1, "D").astype("timedelta64[ns]")
DAYS = np.arange("2001-06-20", "2001-07-10", dtype="M8[D]").astype("M8[ns]")
T2M = "2m_temperature"


@pytest.fixture(scope="module")
def hot_week():
    """Daily values at 00 UTC: warm from 24 June on, in a summer that is usual before; forecasts that say the same."""
    truth = analyses({T2M: ()}, DAYS, seed=1) * np.float32(0.1) + np.float32(290)
    truth[T2M].loc[{"time": slice("2001-06-24", "2001-07-03")}] += 8
    like = forecasts({T2M: ()}, n_init=6, n_lead=6, n_members=2, step="24h", init_step="24h", start="2001-06-23")
    return truth, as_forecast(truth, like.isel(number=0, drop=True))


def heat(**changes):
    own = {
        "hazard": "heat_wave",
        "period": ("2001-06-26", "2001-06-28"),
        "climatology": {"period": ("2001-06-20", "2001-06-23")},
        "definition": {"minimum_days": 4, "window_days": 31},
    }
    return make_case(**(own | changes))


def at_nine(own):
    """The same days, called by another hour."""
    return own.assign_coords(time=own["time"].values + np.timedelta64(9, "h"))


def test_days_of_other_hours_go_on_as_those_of_the_same(hot_week):
    truth, forecast = hot_week
    same, other = (run(heat(), {"ours": forecast}, own) for own in (truth, at_nine(truth)))
    assert same.truth.happened and not same.remarks and not other.remarks
    xr.testing.assert_identical(other.systems["ours"].series, same.systems["ours"].series)
    late = other.systems["ours"].series["share"].sel(init_time="2001-06-26").isel(lead_time=0)
    np.testing.assert_allclose(late, 1)  # a spell of four days that began before


def test_a_truth_without_what_lies_before_is_told(hot_week, caplog):
    truth, forecast = hot_week
    usual, short = truth, truth.sel(time=slice("2001-06-25", None))
    outcome = run(heat(history="1d"), {"ours": forecast.sel(init_time=slice("2001-06-23", "2001-06-24"))}, short, usual)
    (told,) = outcome.remarks
    assert told.startswith("no analysis lies before forecasts of ours: the truth has none of 2001-06-23")
    assert told in caplog.messages and told in scores.summary(outcome)["remarks"]


def test_fields_of_hours_are_never_taken_for_others():
    hours = np.arange("2001-01-01", "2001-01-05", 6, dtype="M8[h]").astype("M8[ns]")
    times = np.datetime64("2001-01-03T03", "ns") + np.arange(1, 4) * DAY // 4
    begun = np.datetime64("2001-01-03T03", "ns")
    for of_days in (True, False):
        own = analyses_before(hours, times, begun, DAY, of_days)
        assert len(own.wanted) == 4 and not own.found.any()
    daily = times[0] + np.arange(3) * DAY
    assert not analyses_before(hours, daily, begun, 2 * DAY, True).found.any()  # four a day are none of the days
    assert analyses_before(hours[::4], daily, begun, 2 * DAY, True).places.tolist() == [0, 1]


def test_an_event_that_the_period_cuts_has_no_error_of_that_end(hot_week):
    truth, forecast = hot_week
    cut = run(heat(), {"ours": forecast}, truth)
    assert (cut.cut.onset, cut.cut.end) == (True, True)
    assert scores.errors(cut)[["onset_error", "end_error"]].isna().all(axis=None)
    assert scores.summary(cut)["cut_by_period"] == {"onset": True, "end": True}
    whole = run(heat(period=("2001-06-24", "2001-06-28")), {"ours": forecast}, truth)
    assert (whole.cut.onset, whole.cut.end) == (False, True)  # the day before is known not to be hot
    assert scores.errors(whole)["onset_error"].notna().any()


def test_values_that_cannot_be_are_told_with_the_outcome(hot_week):
    truth, forecast = hot_week
    with pytest.raises(UserError, match="looks like degrees Celsius"):
        run(heat(), {"ours": forecast - np.float32(273.15)}, truth)
    outcome = run(heat(), {"ours": forecast + np.float32(200)}, truth)
    (told,) = outcome.remarks
    assert told.startswith("values of the forecast ours are none that there are on Earth: 2m_temperature")


@pytest.mark.parametrize(
    ("hazard", "definition", "told"),
    [
        ("storm", {"pressure": 955}, "definition.pressure is 955 Pa, .* write 95500 if 955 hPa is meant"),
        ("storm", {"radius": 5e5}, "write 500 if 500000 m is meant"),
        ("freeze", {"temperature": 0}, "write 273.15 for 0 degrees C"),
        ("heavy_precipitation", {"amount": 10}, "write 0.01 if 10 mm is meant"),
        ("tropical_cyclone", {"upper": 30_000}, "write 300 if 30000 Pa is meant"),
        ("tropical_cyclone", {"wind": 150}, "where values lie between 0 and 110; give one of these"),
    ],
)
def test_thresholds_in_other_units_are_refused(hazard, definition, told):
    with pytest.raises(UserError, match=told):
        find(hazard).define(definition)


def test_storms_happen_where_any_cell_is_struck(hot_week):
    assert make_case(hazard="tropical_cyclone", least_share=None).share_asked == 0
    assert make_case(hazard="storm", least_share=0.2).share_asked == 0.2
    assert heat(least_share=None).share_asked == 0.1
    truth, forecast = hot_week
    outcome = run(heat(), {"ours": forecast}, truth)
    stage = replace(outcome.stage, case=make_case(hazard="storm", least_share=None))
    from weatherml.extremes.cases.told import is_enough

    assert is_enough(np.array([0, 1e-9]), stage).tolist() == [False, True]


def test_truth_and_systems_say_what_their_files_call_variables():
    files = {"path": ["a.nc", "b.nc"], "rename": {"tp": "total_precipitation_6hr"}}
    case = make_case(truth=files, systems={"ours": files | {"path": "ours.nc"}})
    assert case.truth == Analyses(**files) and case.truth.path == ("a.nc", "b.nc")
    assert case.systems["ours"] == Stored(path="ours.nc", rename=files["rename"])


def test_days_along_have_whole_ticks_and_a_plume_of_days_lies_at_their_midnight():
    from weatherml.plot.extremes.plume import _by_valid_time
    from weatherml.plot.verification.panels import Line, Panel, draw

    days, none = np.linspace(-9, 0.0, 10), np.full(10, np.nan)
    drawn = draw(Panel("p", "%", [Line.of("a", days, np.stack([days, none, none]), ("red", ""))], "Time, days"))
    along = [part.split("<")[0] for part in drawn.split('class="x"')[1:]]
    assert along and all("." not in part.split(">")[1] for part in along)
    at = np.datetime64("2001-01-01T09", "ns")
    coords = {"lead_time": [DAY], "init_time": at, "valid_time": ("lead_time", [np.datetime64("2001-01-02", "ns")])}
    own = _by_valid_time(xr.DataArray([[1.0]], coords, ("number", "lead_time")))
    assert own["time"].values == np.datetime64("2001-01-02")
