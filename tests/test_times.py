"""Laws of times and periods as people write them."""

import warnings
from datetime import UTC, date, datetime, timedelta, timezone

import cftime
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from weatherml.errors import UserError
from weatherml.times import (
    Period,
    is_within,
    parse_period,
    parse_span,
    parse_time,
    parse_times,
    show_periods,
    to_date,
    write_period,
    write_periods,
    write_time,
)

NOON = np.datetime64("2005-01-09T12", "ns")
INDIA = timezone(timedelta(hours=5, minutes=30))
EARLY, LATE = datetime(1678, 1, 1, 14), datetime(2261, 12, 31, 9)  # in every zone, within the years

MOMENTS = st.datetimes(EARLY, LATE)
HOURS = MOMENTS.map(lambda moment: moment.replace(minute=0, second=0, microsecond=0))
MINUTES = MOMENTS.map(lambda moment: moment.replace(second=0, microsecond=0))
ZONES = st.integers(-14 * 60 + 1, 14 * 60 - 1).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def nanoseconds(moment: datetime) -> np.datetime64:
    return np.datetime64(moment, "ns")


@pytest.mark.parametrize(
    "written",
    [
        "2005-01-09T12",
        "2005-01-09T12:00",
        "2005-01-09 12:00:00",
        " 2005-01-09t12:00:00.000z ",
        "2005-01-09T12Z",
        "2005-01-09 12 UTC",
        "2005-01-09T12:00+00:00",
        "2005-01-09T14:00+02:00",
        "2005-01-09T08:30-0330",
        "20050109T12",
        "20050109T1200Z",
        "20050109 12:00",
        "2005010912",
        "200501091200",
        2005010912,
        np.int64(2005010912),
        datetime(2005, 1, 9, 12),
        datetime(2005, 1, 9, 12, tzinfo=UTC),
        datetime(2005, 1, 9, 17, 30, tzinfo=INDIA),
        np.datetime64("2005-01-09T12"),
        np.datetime64("2005-01-09T12", "us"),
        pd.Timestamp("2005-01-09T12"),
        pd.Timestamp("2005-01-09T13", tz="Europe/Berlin"),
        cftime.DatetimeProlepticGregorian(2005, 1, 9, 12),
    ],
)
def test_one_moment_may_be_written_in_many_ways(written):
    time = parse_time(written)
    assert time.dtype == "datetime64[ns]"
    assert time == NOON


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2012", "2012-01-01", "2012-12-31T23:59:59.999999999"),
        (2012, "2012-01-01", "2012-12-31T23:59:59.999999999"),
        ("2012-02", "2012-02-01", "2012-02-29T23:59:59.999999999"),
        ("2012-02-03", "2012-02-03", "2012-02-03T23:59:59.999999999"),
        (20120203, "2012-02-03", "2012-02-03T23:59:59.999999999"),
        (date(2012, 2, 3), "2012-02-03", "2012-02-03T23:59:59.999999999"),
        ("2012-02-03T12+05:30", "2012-02-03T06:30", "2012-02-03T07:29:59.999999999"),
        ("2012-02-03T06:30", "2012-02-03T06:30", "2012-02-03T06:30:59.999999999"),
        (np.datetime64("2012-02-03", "ns"), "2012-02-03", "2012-02-03"),
        (np.datetime64("2012-02"), "2012-02-01", "2012-02-29T23:59:59.999999999"),
        ("2261", "2261-01-01", "2261-12-31T23:59:59.999999999"),
        ("1678", "1678-01-01", "1678-12-31T23:59:59.999999999"),
    ],
)
def test_a_time_covers_what_is_written(written, first, last):
    assert parse_span(written) == (np.datetime64(first, "ns"), np.datetime64(last, "ns"))


@given(MOMENTS, ZONES, st.sampled_from(["T", " "]))
def test_an_instant_is_read_as_it_was_written_in_any_zone(moment, zone, between):
    there = moment.replace(tzinfo=UTC).astimezone(zone)
    for written in (there, there.isoformat(between), pd.Timestamp(there)):
        assert parse_time(written) == nanoseconds(moment)


@given(HOURS)
def test_a_compact_hour_is_that_hour(moment):
    for form in ("%Y%m%d%H", "%Y%m%dT%H", "%Y%m%dT%H00Z", "%Y-%m-%d %H UTC"):
        assert parse_time(f"{moment:{form}}") == nanoseconds(moment)
    assert parse_time(int(f"{moment:%Y%m%d%H}")) == nanoseconds(moment)


@given(MINUTES, st.sampled_from("YMDhms"))
def test_what_is_written_covers_the_same_again(moment, unit):
    for value in (np.datetime64(moment, unit), moment, moment.date(), int(f"{moment:%Y%m%d%H%M}")):
        assert parse_span(write_time(value)) == parse_span(value)


NEAR_MISSES = st.text("0123456789-+T:Z. ", max_size=20)


@given(st.one_of(st.text(), NEAR_MISSES, st.integers(), st.floats(), st.none(), st.dates()))
def test_whatever_is_no_time_is_refused_in_one_line(value):
    try:
        time = parse_time(value)
    except UserError as error:
        assert "\n" not in str(error)
        assert str(error).startswith("time ")
    else:
        assert 1677 <= time.astype("datetime64[Y]").astype(int) + 1970 <= 2262


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"])
@pytest.mark.parametrize("count", [2**62, -(2**62), 10**6, 0])
def test_no_count_of_any_unit_wraps_round(count, unit):
    value = np.datetime64(count, unit)
    try:
        time = parse_time(value)
    except UserError as error:
        assert "outside the years 1678 to 2261" in str(error) or "finer than ns" in str(error)
    else:
        assert time.astype(value.dtype) == value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("soon", "is no ISO 8601 time; write it like '2020-01-01T00', which is UTC"),
        ("", "is no ISO 8601 time"),
        ("now", "is no ISO 8601 time"),
        ("NaT", "is no ISO 8601 time"),
        ("201206", "is no ISO 8601 time"),  # a month, or the 12th of June 2020?
        ("9.1.2005", "is no ISO 8601 time"),
        ("2005-1-9", "is no ISO 8601 time"),
        ("2005-01-09T12+25:00", "is no ISO 8601 time"),
        ("٢٠٠٥-01-09", "is no ISO 8601 time"),
        (20050109.0, "is no ISO 8601 time"),
        (1104537600000000000, "is no ISO 8601 time"),
        (True, "is no ISO 8601 time"),
        (None, "is no ISO 8601 time"),
        (pd.NaT, "is no ISO 8601 time"),
        (np.datetime64("NaT", "ns"), "is no ISO 8601 time"),
        ("2021-02-29", "is not in the calendar, day"),
        ("20211301", "is not in the calendar, month"),
        ("2021-02-28T24", "is not in the calendar, hour must be in 0..23"),
        (cftime.Datetime360Day(2005, 2, 30), "has the calendar '360_day'"),
        ("1500-01-01", "lies outside the years 1678 to 2261; pass a time within them"),
        ("20200-01-01", "lies outside the years"),
        ("-0044-03-15", "lies outside the years"),
        (datetime(1, 1, 1), "lies outside the years"),
        (pd.Timestamp("2262-01-01"), "lies outside the years"),
    ],
)
def test_what_is_no_time_is_refused_in_words(value, problem):
    with warnings.catch_warnings(), pytest.raises(UserError) as caught:
        warnings.simplefilter("error")
        parse_time(value, "init_time")
    assert str(caught.value).startswith(f"init_time {str(value)!r} {problem}")


def test_a_long_value_is_shortened():
    with pytest.raises(UserError, match=r"^time 'x{40}\.\.\.' is no"):
        parse_time("x" * 1000)


@pytest.mark.parametrize(
    "values",
    [
        ["2005-01-09T12", 20050110, date(2005, 1, 11)],
        (np.datetime64("2005-01-09T12"), np.datetime64("2005-01-10", "ns"), "20050111"),
        np.array(["2005-01-09T12", "2005-01-10", "2005-01-11"]),
        np.array(["2005-01-09T12", "2005-01-10", "2005-01-11"], "datetime64[s]"),
        np.array([2005010912, 20050110, 20050111]),
        pd.DatetimeIndex(["2005-01-09T13", "2005-01-10T01", "2005-01-11T01"], tz="Europe/Berlin"),
        pd.Series([pd.Timestamp("2005-01-09T12"), pd.Timestamp("2005-01-10"), pd.Timestamp("2005-01-11")]),
        [xr.DataArray(np.datetime64("2005-01-09T12", "ns")), pd.Timestamp("2005-01-10"), datetime(2005, 1, 11)],
    ],
)
def test_many_times_are_read_one_by_one(values):
    times = parse_times(values)
    assert times.dtype == "datetime64[ns]"
    assert np.datetime_as_string(times, "h").tolist() == ["2005-01-09T12", "2005-01-10T00", "2005-01-11T00"]


def test_times_keep_their_shape():
    assert parse_times(20050109).shape == ()
    assert parse_times([]).shape == (0,)
    assert parse_times(np.array([["2005", "2006"]])).shape == parse_times([["2005", 2006]]).shape == (1, 2)


@pytest.mark.parametrize("values", [np.array(["2005", "1500"], "M8[D]"), ["2005", "1500"], np.array([2005, 1500])])
def test_one_of_many_times_that_cannot_be_told_is_named(values):
    with pytest.raises(UserError, match=r"valid_time '1500.*' lies outside the years 1678 to 2261"):
        parse_times(values, "valid_time")


@pytest.mark.parametrize("values", [[0], np.arange(3), np.array([1.1e18]), [None], {}, b"2005"])
def test_numbers_are_never_nanoseconds(values):
    with pytest.raises(UserError, match="is no ISO 8601 time"):
        parse_times(values)


@pytest.mark.parametrize("period", [(20120201, 20120303), ["2012-02-01", "2012-03-03"], (date(2012, 2, 1), "20120303")])
def test_a_period_reaches_to_the_end_of_its_last_day(period):
    assert parse_period(period) == (np.datetime64("2012-02-01", "ns"), np.datetime64("2012-03-03T23:59:59.999999999"))


def test_a_period_is_kept_as_text():
    assert write_period((20120201, "2012")) == ("2012-02-01", "2012")


@pytest.mark.parametrize(
    ("period", "problem"),
    [
        (("2013", "2012"), "period must run forward, got 2013 .. 2012; exchange the two"),
        (("2012", "soon"), "period 'soon' is no ISO 8601 time"),
        (("2012", "NaT"), "period 'NaT' is no ISO 8601 time"),
        ("2012", "period '2012' must have a first and a last time"),
        (("2012",), "must have a first and a last time"),
        (None, "must have a first and a last time"),
    ],
)
def test_what_is_no_period_is_refused(period: Period, problem):
    with pytest.raises(UserError) as caught:
        parse_period(period)
    assert problem in str(caught.value)


def test_several_periods_are_as_many_spans():
    some = [["2012", "2013-03"], (20150101, "2015")]
    assert write_periods(some) == (("2012", "2013-03"), ("2015-01-01", "2015"))
    assert write_periods(["2012", "2013"]) == write_periods([["2012", "2013"]]) == ("2012", "2013")
    times = np.array(["2011-12-31", "2012-01-01", "2013-03-31T23", "2013-04-01", "2015-12-31"], "datetime64[ns]")
    assert is_within(times, some).tolist() == [False, True, True, False, True]
    assert show_periods(some) == "2012 .. 2013-03 and 20150101 .. 2015"
    for wrong in ([], [["2012"]], [["2013", "2012"]], "2012"):
        with pytest.raises(UserError, match="period"):
            write_periods(wrong)


def test_a_date_has_no_time_of_day():
    assert to_date(20050109) == to_date("2005-01-09") == date(2005, 1, 9)
    with pytest.raises(UserError, match="date '2005-01-09T06' has a time of day"):
        to_date("2005-01-09T06")
