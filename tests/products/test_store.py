"""Forecasts without their members that stopped, whatever keeps them."""

import pytest
import xarray as xr
from made_forecasts import made
from test_reduction import draw, reduce

from weatherml.errors import UserError
from weatherml.products.convert import convert
from weatherml.products.store import open_forecast, stopped_numbers, without_stopped

STORIES = [
    "init_time 2001-01-01T00:00 number 1 at 2001-01-01T12:00 (lead 12h) by temperature_850: 412.3 K above 350",
    "init_time 2001-01-02T00:00 number 0 at 2001-01-02T18:00 (lead 18h) by z500, which is no longer finite",
]


@pytest.fixture(scope="module")
def forecast():
    return made(("z500", "t2m")).assign_attrs(failed=STORIES)


def test_a_member_that_stopped_once_is_left_out_everywhere(forecast):
    assert without_stopped(forecast)["number"].values.tolist() == [2]
    xr.testing.assert_identical(without_stopped(forecast.assign_attrs(failed=[])), forecast.assign_attrs(failed=[]))


def test_statistics_never_counted_them(tmp_path):
    statistics = reduce(draw()).assign_attrs(failed=STORIES)
    convert(statistics, tmp_path / "statistics.zarr")
    for own in (statistics, open_forecast(tmp_path / "statistics.zarr")):
        xr.testing.assert_identical(without_stopped(own).load(), own.load())


def test_a_list_that_became_text_says_the_same(forecast):
    assert stopped_numbers(forecast.assign_attrs(failed="; ".join(STORIES))) == {0, 1}


def test_values_show_them_where_nothing_else_does(forecast):
    """In `made`, number 2 is missing everywhere from the second lead on."""
    assert stopped_numbers(forecast.drop_attrs(deep=False)) == {2}


def test_no_member_left_is_one_line(forecast):
    with pytest.raises(UserError, match="all 2 members stopped; nothing of the forecast is left without them"):
        without_stopped(forecast.sel(number=[0, 1]))
