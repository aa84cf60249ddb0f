"""Laws of durations as people write them."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weatherml.durations import format_duration, parse_duration, write_duration
from weatherml.errors import UserError

HOUR, LONGEST = 3600 * 10**9, 2**63 - 1


@pytest.mark.parametrize(
    ("written", "hours"),
    [
        ("10d", 240),
        ("36h", 36),
        (" 90 min ", 1.5),
        ("1w", 168),
        ("2 weeks", 336),
        ("1 day", 24),
        ("6 Hours", 6),
        ("6H", 6),
        ("90s", 0.025),
        ("1.5d", 36),
        ("1,5 d", 36),
        ("1d 6h", 30),
        ("1d6h", 30),
        ("1 day, 6 hours", 30),
        ("1 day, 6:00:00", 30),
        ("0 days 06:00:00", 6),
        ("6:30:00", 6.5),
        ("PT6H", 6),
        ("P1D", 24),
        ("P1W", 168),
        ("P1DT1H30M", 25.5),
        ("106751d", 106751 * 24),
        (timedelta(hours=6), 6),
        (np.timedelta64(6, "h"), 6),
        (np.timedelta64(6 * HOUR, "ns"), 6),
        (np.timedelta64(3, "D"), 72),
        (pd.Timedelta("6h"), 6),
    ],
)
def test_one_duration_may_be_written_in_many_ways(written, hours):
    duration = parse_duration(written)
    assert duration.dtype == "timedelta64[ns]"
    assert duration == np.timedelta64(int(hours * HOUR), "ns")
    assert parse_duration(write_duration(written)) == duration


@given(st.integers(1, LONGEST))
def test_every_duration_is_read_as_it_was_written(size):
    duration = np.timedelta64(size, "ns")
    assert parse_duration(format_duration(duration)) == duration
    assert parse_duration(duration) == duration


@given(st.integers(1, LONGEST // 10**9))
def test_whole_seconds_are_read_from_every_library(seconds):
    of_python = timedelta(seconds=seconds)
    for written in (of_python, str(of_python), pd.Timedelta(of_python), str(pd.Timedelta(of_python)), f"PT{seconds}S"):
        assert parse_duration(written) == np.timedelta64(seconds * 10**9, "ns")


@given(st.one_of(st.text(), st.text("0123456789dhminwsPTDHM-.,: ", max_size=20), st.integers(), st.floats(), st.none()))
def test_whatever_is_no_duration_is_refused_in_one_line(value):
    try:
        duration = parse_duration(value)
    except UserError as error:
        assert "\n" not in str(error)
        assert str(error).startswith("duration ")
    else:
        assert duration > np.timedelta64(0, "ns")


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"])
@pytest.mark.parametrize("count", [2**62, -(2**62), 10**6, 0])
def test_no_count_of_any_unit_wraps_round(count, unit):
    value = np.timedelta64(count, unit)
    try:
        duration = parse_duration(value)
    except UserError as error:
        assert str(error).startswith("duration ")
    else:
        assert count > 0
        assert duration.astype(value.dtype) == value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("10", "must be a positive number of w, d, h, min or s: '10d', '10h' or '10min'?"),
        (10, "must be a positive number of w, d, h, min or s: '10d', '10h' or '10min'?"),
        (np.timedelta64(3, "M"), "must be a positive number of w, d, h, min or s; its unit is M"),
        ("0h", "must be a positive number of w, d, h, min or s, for example '10d'"),
        ("-6h", "must be a positive"),
        ("PT0H", "must be a positive"),
        (timedelta(), "must be a positive"),
        (timedelta(hours=-6), "must be a positive"),
        ("", "must be a positive"),
        ("d", "must be a positive"),
        ("P", "must be a positive"),
        ("ten days", "must be a positive"),
        ("6h 1d", "must be a positive"),
        ("1d 1d", "must be a positive"),
        ("6h;", "must be a positive"),
        ("06:00", "must be a positive"),
        ("NaT", "must be a positive"),
        (pd.NaT, "must be a positive"),
        (np.timedelta64("NaT", "h"), "must be a positive"),
        (True, "must be a positive"),
        (None, "must be a positive"),
        ("3m", "has the unit m, which may be minutes or months; write '3min', or days"),
        ("3 months", "has the unit months, whose length varies; write it in days"),
        ("P1Y", "has months or years, whose length varies"),
        ("P1DT1.5M0.0000000001S", "is no whole number of nanoseconds"),
        ("106752d", "is longer than 106751d; pass a shorter one"),
        ("2562048h", "is longer than 106751d"),
        ("99999999999999999999min", "is longer than 106751d"),
        (timedelta.max, "is longer than 106751d"),
    ],
)
def test_what_is_no_duration_is_refused_in_words(value, problem):
    with pytest.raises(UserError) as caught:
        parse_duration(value)
    assert str(caught.value).startswith(f"duration {str(value)!r} {problem}")


@pytest.mark.parametrize(
    ("size", "written"),
    [(36 * HOUR, "36h"), (HOUR // 4, "15min"), (HOUR // 48, "75s"), (HOUR // 7200 + 1, "0.500000001s")],
)
def test_a_duration_is_written_in_the_largest_unit_that_is_whole(size, written):
    assert format_duration(np.timedelta64(size, "ns")) == written
