"""Forecasts without their members that stopped, whatever keeps them."""

import numpy as np
import pytest
import xarray as xr
from made_forecasts import made
from test_reduction import draw, reduce

from weatherml.errors import UserError
from weatherml.products import convert, read_forecast
from weatherml.products.store import open_forecast, stopped_numbers, without_stopped

STORIES = [
    "init_time 2001-01-01T00:00 number 1 at 2001-01-01T12:00 (lead 12h) by temperature_850: 412.3 K above 350",
    "init_time 2001-01-02T00:00 number 0 at 2001-01-02T18:00 (lead 18h) by z500, which is no longer finite",
]


@pytest.fixture(scope="module")
def forecast():
    """Numbers 0 and 1 stopped, at one initial time each."""
    forecast = made(("z500", "t2m"))
    lead = np.full((forecast.sizes["init_time"], forecast.sizes["number"]), np.timedelta64("NaT", "ns"))
    lead[0, 1], lead[1, 0] = np.timedelta64(12 * 3600 * 10**9, "ns"), np.timedelta64(18 * 3600 * 10**9, "ns")
    stopped = xr.Variable(("init_time", "number"), lead)
    return forecast.assign_attrs(failed=STORIES).assign_coords(stopped_lead=stopped)


def test_a_member_that_stopped_once_is_left_out_everywhere(forecast):
    assert without_stopped(forecast)["number"].values.tolist() == [2]
    others = forecast.drop_vars("stopped_lead").assign_attrs(failed=[])
    xr.testing.assert_identical(without_stopped(others), others)


def test_statistics_never_counted_them(tmp_path):
    statistics = reduce(draw()).assign_attrs(failed=STORIES)
    convert(statistics, tmp_path / "statistics.zarr")
    for own in (statistics, open_forecast(tmp_path / "statistics.zarr")):
        xr.testing.assert_identical(without_stopped(own).load(), own.load())


@pytest.mark.parametrize("name", ["f.nc", "f.zarr"])
def test_converted_forecasts_still_know(forecast, tmp_path, name):
    convert(forecast, tmp_path / name)
    assert stopped_numbers(read_forecast(tmp_path / name)) == {0, 1}


def test_values_show_them_where_nothing_else_does(forecast):
    """In `made`, number 2 is missing everywhere from the second lead on."""
    assert stopped_numbers(forecast.drop_vars("stopped_lead").drop_attrs(deep=False)) == {2}


@pytest.mark.parametrize(
    ("hours", "remedy"),
    [
        ((12, 18), ", or pass lead_time='12h' to forecast less far"),
        ((12, 12), ", or pass lead_time='6h' to forecast less far"),
        ((6, 6), ""),
    ],
)
def test_no_member_left_is_one_line_with_the_lead_that_one_of_them_reached(forecast, hours, remedy):
    stopped = forecast.sel(number=[0, 1])
    assert (stopped["lead_time"] / np.timedelta64(1, "h")).values.tolist() == [6, 12, 18]
    stops = np.broadcast_to(np.array(hours, "timedelta64[h]").astype("timedelta64[ns]"), (2, 2))
    with pytest.raises(UserError) as caught:
        without_stopped(stopped.assign_coords(stopped_lead=(("init_time", "number"), stops)))
    words = f"all members stopped, 2 in number, so that none is left; train the model longer{remedy}"
    assert str(caught.value) == words
