import numpy as np
import pytest
from fake_data import analyses, forecasts

from weatherml.data.period import overlap, select, stride_of, time_step_of
from weatherml.errors import UserError
from weatherml.times import parse_period


def test_a_last_day_month_or_year_is_included_to_its_end():
    for last, end in (("2012-02", "2012-02-29"), ("2012", "2012-12-31"), ("2012-06-30", "2012-06-30")):
        assert parse_period(("2012-01-01", last))[1] == np.datetime64(f"{end}T23:59:59.999999999", "ns")


def test_a_moment_is_included_and_the_next_step_is_not():
    chosen = select(analyses(times=29), ("2001-01-02T06:00", "2001-01-03T12:00"))["time"].values
    assert (chosen[0], chosen[-1]) == (np.datetime64("2001-01-02T06", "ns"), np.datetime64("2001-01-03T12", "ns"))


def test_periods_overlap_where_they_share_a_moment():
    assert overlap(("2012", "2012-06"), ("2012-06-30T23", "2013"))
    assert not overlap(("2012", "2012-06-30"), ("2012-07-01", "2013"))


@pytest.mark.parametrize("period", [("yesterday", "2012"), ("2012", "NaT"), ("2013", "2012")])
def test_what_is_no_period_is_refused(period):
    with pytest.raises(UserError, match="period"):
        parse_period(period)


def test_a_period_without_times_is_refused():
    with pytest.raises(UserError, match=r"no times in 2015 \.\. 2015; they run from 2001-01-01"):
        select(analyses(), ("2015", "2015"))


def test_forecasts_are_not_analyses():
    with pytest.raises(UserError, match="one leading dimension time"):
        select(forecasts(), ("2001", "2001"))


def every(hours, n_times, start="2001-01-01"):
    return np.datetime64(start, "ns") + np.arange(n_times) * np.timedelta64(hours, "h")


def test_the_time_step_is_the_usual_spacing_and_multiples_of_it_are_gaps():
    times = np.array(["2001-01-01", "2001-01-05", "2001-01-06", "2001-01-07"], "datetime64[ns]")
    assert time_step_of(times) == np.timedelta64(1, "D")
    assert time_step_of(np.concatenate([every(6, 8), every(6, 8, "2001-02-01T03")])) == np.timedelta64(6, "h")
    with pytest.raises(UserError, match="at least two times"):
        time_step_of(times[:1])


@pytest.mark.parametrize(
    ("strays", "message"),
    [
        (
            every(1, 1, "2001-01-20T13"),
            "1 of 125 times do not fit the usual step of 6 h, the first is 2001-01-20T13:00",
        ),
        (every(1, 24, "2001-02-01T01"), "24 of 148 times do not fit the usual step of 6 h, the first is 2001-02-01T01"),
    ],
    ids=["one hour", "hours after the month"],
)
def test_times_between_those_of_the_usual_step_are_named(strays, message):
    times = np.union1d(every(6, 124), strays)
    for ask in (time_step_of, lambda times: stride_of(times, np.timedelta64(6, "h"))):
        with pytest.raises(UserError, match=message):
            ask(times)
