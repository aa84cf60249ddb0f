"""Plumes: members, bands and truth by valid time, in the units people use."""

import matplotlib.dates as dates
import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.plot import plume

LEADS = np.arange(1, 5) * np.timedelta64(1, "D").astype("timedelta64[ns]")
INIT = np.datetime64("2015-06-30", "ns")


def members(n_members=7):
    values = 290 + np.random.default_rng(0).standard_normal((n_members, 4)).astype(np.float32)
    coords = {"number": np.arange(n_members), "lead_time": LEADS, "init_time": INIT}
    return xr.DataArray(values, coords, ("number", "lead_time"), name="2m_temperature", attrs={"units": "K"})


def line_of(ax, label):
    (found,) = [line for line in ax.get_lines() if line.get_label() == label]
    return found


def test_median_and_truth_are_drawn_at_valid_times_in_degrees_celsius():
    own = members()
    truth = xr.DataArray([291.0, 292.0], {"time": INIT + LEADS[:2]}, name="2m_temperature")
    (ax,) = plume(own, truth).axes
    np.testing.assert_allclose(line_of(ax, "median").get_ydata(), own.median("number") - 273.15, rtol=1e-5)
    np.testing.assert_allclose(dates.date2num(line_of(ax, "median").get_xdata()), dates.date2num(INIT + LEADS))
    np.testing.assert_allclose(line_of(ax, "truth").get_ydata(), [17.85, 18.85], rtol=1e-5)
    assert ax.get_ylabel() == "2 m temperature (°C)"


def test_the_widest_band_holds_all_members():
    own = members()
    (ax,) = plume(own).axes
    (band,) = [one for one in ax.collections if one.get_label() == "all members"]
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(float(own.min()) - 273.15, rel=1e-5)
    assert heights.max() == pytest.approx(float(own.max()) - 273.15, rel=1e-5)


def test_systems_stand_side_by_side_on_one_scale_and_one_forecast_has_no_band():
    figure = plume({"ours": members(), "one": members().isel(number=0, drop=True)})
    ours, one = figure.axes
    assert ours.get_ylim() == one.get_ylim()
    assert not one.collections and line_of(one, "forecast").get_xdata().size == 4


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (members().drop_vars("init_time"), "a plume is of one initial time"),
        (members().expand_dims("latitude"), "a plume has dims"),
        ({}, "a plume needs members"),
    ],
)
def test_what_is_no_plume_is_one_line(given, told):
    with pytest.raises(UserError, match=told):
        plume(given)
