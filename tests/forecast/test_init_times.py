"""Initial times as people write them."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.forecast.analyses import to_init_times
from weatherml.times import require_valid_times

NOON = np.datetime64("2020-01-02T12", "ns")


@pytest.mark.parametrize(
    "given",
    [
        "2020-01-02T12",
        ["2020-01-02T12:00"],
        "2020-01-02T12Z",
        2020010212,
        NOON,
        np.array([NOON]),
        [NOON],
        xr.DataArray(NOON),
        xr.DataArray([NOON], dims="time"),
        pd.DatetimeIndex([NOON]),
        pd.DatetimeIndex(["2020-01-02T13"], tz="Europe/Berlin"),
        pd.Series([NOON]),
        datetime(2020, 1, 2, 12),
    ],
)
def test_one_time_may_be_written_in_several_ways(given):
    times = to_init_times(given)
    assert times.dtype == "datetime64[ns]"
    assert times.tolist() == [NOON.astype(int)]


def test_times_of_several_libraries_are_read_one_by_one():
    times = to_init_times([np.datetime64("2020-01-02T12"), 20200101, date(2020, 1, 3)])
    assert np.datetime_as_string(times, "h").tolist() == ["2020-01-01T00", "2020-01-02T12", "2020-01-03T00"]
    with pytest.raises(UserError, match="init_time '1500' lies outside"):
        to_init_times([np.datetime64("1500"), NOON])


def test_times_rise():
    assert (np.diff(to_init_times(["2020-01-03", "2020", "2020-01-02"])) > np.timedelta64(0, "ns")).all()


def test_valid_times_beyond_what_can_be_written_are_refused():
    days = np.array([1, 90_000], "timedelta64[D]").astype("timedelta64[ns]")
    require_valid_times(to_init_times(["2010", "2015"]), days)
    with pytest.raises(UserError, match="a lead_time of 90000d from 2016-01-01T00:00 ends after the year 2261"):
        require_valid_times(to_init_times(["2010", "2016"]), days)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("soon", "init_time 'soon' is no ISO 8601 time"),
        (["2020-01-01", "soon"], "init_time 'soon' is no ISO 8601 time"),
        ("", "init_time '' is no ISO 8601 time"),
        ("NaT", "init_time 'NaT' is no ISO 8601 time"),
        ("2020-01-01T00 CET", "write it like '2020-01-01T00', which is UTC"),
        ([], "init_time is empty"),
        ("1500-01-01", "init_time '1500-01-01' lies outside the years 1678 to 2261"),
        ("20200-01-01", "init_time '20200-01-01' lies outside the years"),
        (["2020-01-01", "2020-01-02", "2020-01-02T00"], "init_time 2020-01-02T00:00 is given twice"),
    ],
)
def test_what_is_no_time_is_refused(given, message):
    with pytest.raises(UserError) as caught:
        to_init_times(given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
