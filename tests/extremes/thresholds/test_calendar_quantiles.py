"""Quantiles of the days around each date, against numpy over the days that count."""

import datetime
import logging

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.data.statistics.quantile_climatology import QuantileClimatology
from weatherml.errors import UserError
from weatherml.extremes import calendar_quantiles, verdict
from weatherml.grid import LatLonGrid
from weatherml.state import spec_of

GRID = LatLonGrid.regular(2, 3, poles=False)
PERIOD = ("1999", "2000")


@pytest.fixture(scope="module")
def record():
    return analyses(times=2 * 731, step="12h", start="1999-01-01", grid=GRID)


def days_between(times, date):
    """Days from the day of each year that has the number of a date of 2004, which has all days: the least."""
    number, days = date_of(date).timetuple().tm_yday, [date_of(time) for time in times.values]
    return np.array([min(abs((day - middle(day.year + more, number)).days) for more in (-1, 0, 1)) for day in days])


def date_of(time):
    return np.datetime64(time, "D").item()


def middle(year, number):
    return min(datetime.date(year, 1, 1) + datetime.timedelta(number - 1), datetime.date(year, 12, 31))


@pytest.mark.parametrize("number", [1, 3, 59, 60, 61, 362, 365, 366])
def test_windows_hold_so_many_days_of_each_year_across_new_year_too(number):
    record = daily("2014-01-01", "2017-12-31")
    date = np.datetime64("2016-01-01") + np.timedelta64(number - 1, "D")
    found = calendar_quantiles(record, [0, 0.4, 1], ("2014", "2017"), 7, times=[date])
    inside = days_between(record["time"], date) <= 3
    assert found.dataset["n_times"] == inside.sum() == 4 * 7  # what lacks before the first is there after the last
    expected = np.quantile(record["2m_temperature"].values[inside], [0, 0.4, 1], axis=0)
    np.testing.assert_allclose(found.at([date])["2m_temperature"][0], expected, rtol=1e-6)


@pytest.mark.parametrize("date", ["2016-02-27", "2016-03-02", "2016-12-30"])
def test_a_record_of_years_of_365_days_has_as_many_days_in_a_window_across_the_end_of_february(date):
    whole = daily("2011-06-01", "2017-05-31")
    leaps = (whole["time"].dt.month == 2) & (whole["time"].dt.day == 29)
    found = calendar_quantiles(whole.isel(time=np.flatnonzero(~leaps)), [0.5], ("2011", "2017"), 9, times=[date])
    assert found.dataset["n_times"] == 6 * 9
    assert calendar_quantiles(whole, [0.5], ("2011", "2017"), 9, times=[date]).dataset["n_times"] == 6 * 9


def daily(first, last):
    times = np.arange(np.datetime64(first, "ns"), np.datetime64(last, "ns") + 1, np.timedelta64(1, "D"))
    values = np.random.default_rng(0).normal(280, 5, (len(times), *GRID.shape)).astype(np.float32)
    coords = {"time": times, "latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}
    return xr.Dataset({"2m_temperature": (tuple(coords), values)}, coords)


@pytest.mark.parametrize("date", ["2004-01-03", "2004-07-01"])
@pytest.mark.parametrize("memory", [2**30, 1])
def test_they_are_those_of_the_days_around_a_date_of_all_years(record, date, memory):
    found = calendar_quantiles(record, [0, 0.9, 1], PERIOD, 11, times=[date], memory=memory)
    inside = days_between(record["time"], date) <= 5
    assert 21 <= found.dataset["n_times"] / 2 <= 22 and found.dataset["n_times"] == inside.sum()
    at = found.at([date])["geopotential"]
    assert at.dims == ("time", "quantile", "level", "latitude", "longitude")
    expected = np.quantile(record["geopotential"].values[inside], [0, 0.9, 1], axis=0)
    np.testing.assert_allclose(at[0], expected, rtol=1e-6)


def test_hours_of_their_own_are_told_apart(record):
    found = calendar_quantiles(record, [0.5], PERIOD, 31, times=["2001-05-01T12"], hours="own")
    inside = (days_between(record["time"], "2004-04-30") <= 15) & (record["time"].dt.hour.values == 12)
    expected = np.median(record["2m_temperature"].values[inside], axis=0)
    np.testing.assert_allclose(found.at(["2001-05-01T12"])["2m_temperature"][0], expected, rtol=1e-5)
    with pytest.raises(UserError, match="know no hour of 2001-05-01T00:00; pass its time among times="):
        found.at(["2001-05-01"])


def test_a_point_that_is_missing_once_has_no_quantile_there(record):
    holed = record.copy(deep=True)
    holed["2m_temperature"][10, 1, 2] = np.nan
    found = calendar_quantiles(holed, [0.5], PERIOD, 5, times=["2001-01-06", "2001-03-01"])
    missing = np.isnan(found.at(["2001-01-06", "2001-03-01"])["2m_temperature"].values)
    assert missing[0, 1, 2] and missing.sum() == 1


def test_a_quantile_that_hangs_on_a_single_day_is_said(record, caplog):
    with caplog.at_level(logging.WARNING):
        calendar_quantiles(record, [0, 0.5, 0.95, 1], PERIOD, 5, times=["2001-07-01"])
        assert not caplog.text  # twenty analyses, the highest but one
        calendar_quantiles(record, [0.5, 0.96], PERIOD, 5, times=["2001-07-01"])
    assert "dates with 20 analyses around them: their quantile 0.96 hangs on a single one" in caplog.text


@pytest.mark.parametrize("kind", ["calendar", "sketched"])
def test_a_verdict_says_of_which_window_its_threshold_is(record, kind, tmp_path):
    if kind == "calendar":
        climate = calendar_quantiles(record, [0.5, 0.75], PERIOD)
    else:
        fit(record, Fit(spec_of(record), PERIOD, Harmonics(1, 0), quantiles=(0.5, 0.75)), tmp_path)
        climate = QuantileClimatology.load(tmp_path / "quantile_climatology.nc")
    forecast = forecasts(n_members=5, n_init=2, step="12h", grid=GRID)
    judged = verdict(forecast, analyses(times=9, step="12h", grid=GRID), climate.of(0.75))
    days = {"calendar": 31, "sketched": 61}[kind]
    assert judged.attrs["threshold"] == f"analyses of 1999 to 2000, {days} days around each date"
    assert judged.attrs["base_rate"] == 0.25
    perfect = verdict(
        as_forecast(record, forecasts(start="2000-03-01", step="12h", grid=GRID)), record, climate.of(0.5)
    )
    np.testing.assert_allclose(perfect["roc_area"].sel(bound="estimate"), 1)
    with pytest.raises(UserError, match=r"several quantiles, 0.5, 0.75; choose one, threshold.of\(0.95\)"):
        verdict(forecast, record, climate)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": [0.9, 0.5]}, r"probabilities rise from 0 to 1, got \[0.9, 0.5\]"),
        ({"probabilities": [95]}, "write 0.95 for the 95th percentile"),
        ({"window_days": 10}, "a window is an odd number of days, the date in its middle, not 10; pass window_days=31"),
        ({"period": ("2010", "2011")}, "no data from 2010 to 2011; they cover 1999-01-01"),
        (
            {"period": ("1999-03", "1999-05"), "times": ["2001-07-01"]},
            "no analysis lies within 15 days of dayofyear 182 .1 July.",
        ),
    ],
)
def test_what_is_no_calendar_is_refused_in_one_line(record, change, message):
    with pytest.raises(UserError, match=message):
        calendar_quantiles(**({"analyses": record, "probabilities": [0.9], "period": PERIOD} | change))
