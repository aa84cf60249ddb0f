"""Fields in other units than thresholds: told by what they say of themselves, and by values that there are not."""

import logging

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards import heat, rain, wind
from weatherml.extremes.hazards.units import require_values

PLACES = {"latitude": [60.0, 40.0], "longitude": [0.0, 20.0]}


def made(name, value, units=None, n_times=4):
    times = np.datetime64("2020-01-01", "ns") + np.arange(n_times) * np.timedelta64(6, "h")
    attrs = {} if units is None else {"units": units}
    values = np.linspace(0, value, 4 * n_times, dtype=np.float32).reshape(n_times, 2, 2)
    return xr.Dataset({name: (("time", *PLACES), values, attrs)}, {"time": times} | PLACES)


@pytest.mark.parametrize("units", ["knots", "km h-1", "kt"])
def test_winds_that_say_they_are_in_other_units_are_refused(units):
    with pytest.raises(UserError, match=f"10m_wind_speed is in '{units}', and thresholds are in 'm s-1'"):
        wind.speeds(made("10m_wind_speed", 30, units), wind.Definition())
    parts = xr.merge([made("10m_u_component_of_wind", 30, "m/s"), made("10m_v_component_of_wind", 30, units)])
    with pytest.raises(UserError, match=f"10m_v_component_of_wind is in '{units}'"):
        wind.speeds(parts, wind.Definition())
    assert wind.speeds(made("10m_wind_speed", 30, "m s**-1"), wind.Definition())


def test_values_that_no_such_quantity_has_are_refused_where_other_units_explain_them():
    dry = rain.Definition(percentile=None, hours=6)
    with pytest.raises(
        UserError, match=r"total_precipitation_6hr has values from 0 to 16 m, .* it looks like mm: conv"
    ):
        rain.event(made("total_precipitation_6hr", 80), dry)
    assert rain.event(made("total_precipitation_6hr", 0.08), dry).any()
    celsius = made("2m_temperature", 30)
    with pytest.raises(UserError, match=r"2m_temperature has values from 24 to 30 K, .* it looks like degrees Celsius"):
        heat.event(celsius, heat.HeatWave(), celsius.isel(time=0, drop=True))
    fast = made("10m_wind_speed", 180)
    with pytest.raises(UserError, match=r"10m_wind_speed has values from .* it looks like knots: convert"):
        wind.severity_index(fast * np.float32(4 / 3), wind.Definition(), fast.isel(time=0, drop=True))


def test_values_a_little_beyond_are_told_and_counted(caplog):
    with caplog.at_level(logging.WARNING):
        require_values("10m_wind_speed", np.array([20.0, 96.0, np.nan]))
        assert not caplog.text
        require_values("10m_wind_speed", np.array([20.0, 130.0]))
    assert "10m_wind_speed has values from 20 to 130 m s-1, and there are none beyond -0.001 to 100" in caplog.text
    assert "it looks like knots" in caplog.text
    require_values("something_else", np.array([1e9]))
    require_values("10m_wind_speed", np.full(3, np.nan))
