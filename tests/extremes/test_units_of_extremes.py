"""Fields in other units than thresholds: told by what they say of themselves, and by values that there are not."""

import logging

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes import efi, exceedance_probability
from weatherml.extremes.hazards import heat, rain, wind
from weatherml.extremes.units import require_values
from weatherml.products import window_sums

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
    for own in ("m s**-1", "meters/second", "m.s-1", "metres per second"):
        assert wind.speeds(made("10m_wind_speed", 30, own), wind.Definition())


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


def warm(offset, **dims):
    """Temperatures of a few places about 300 K less an offset, whatever dims come first."""
    sizes = [len(own) for own in dims.values()]
    values = np.linspace(290, 310, int(np.prod(sizes)) * 4).reshape(*sizes, 2, 2) - offset
    return xr.Dataset({"2m_temperature": ((*dims, *PLACES), values)}, dims | PLACES)


FORECAST = warm(
    0,
    init_time=np.array(["2020-01-01"], "datetime64[ns]"),
    lead_time=np.array([6], "timedelta64[h]").astype("timedelta64[ns]"),
    number=np.arange(3),
)
QUANTILES = {"quantile": np.linspace(0, 1, 5)}


def test_climates_and_thresholds_in_other_units_than_the_forecast_are_refused():
    celsius = r"2m_temperature of the (climate|threshold) has values from .* in K; it looks like degrees Celsius: conv"
    with pytest.raises(UserError, match=celsius):
        efi(FORECAST, warm(273.15, **QUANTILES))
    with pytest.raises(UserError, match=celsius):
        exceedance_probability(FORECAST, 30.0)
    analysis = made("2m_temperature", 30) * 0 + 300
    with pytest.raises(UserError, match=celsius):
        heat.heat_waves(analysis, heat.HeatWave(), 30.0)
    with pytest.raises(UserError, match=r"of the fields has values from .* that of the climate is in K; it looks like"):
        efi(FORECAST - 273.15, warm(0, **QUANTILES))
    said = warm(0, **QUANTILES)
    said["2m_temperature"].attrs["units"] = "degF"
    with pytest.raises(UserError, match="2m_temperature is in 'degF'"):
        efi(FORECAST, said)
    assert np.isfinite(efi(FORECAST, warm(0, **QUANTILES))["2m_temperature"]).all()
    assert efi(FORECAST * 0, warm(300, **QUANTILES))  # numbers of an experiment, alike


def test_quantiles_in_per_cent_are_refused():
    with pytest.raises(UserError, match=r"probabilities from 0 to 1, got 0 to 100; divide per cent by 100"):
        efi(FORECAST, warm(0, quantile=np.linspace(0, 100, 5)))


@pytest.mark.parametrize("fixed", [300.0, np.float32(300), xr.Dataset({"2m_temperature": 300.0})])
def test_a_number_is_the_threshold_of_all_places(fixed):
    found = exceedance_probability(FORECAST, fixed)["2m_temperature"]
    np.testing.assert_allclose(found, (FORECAST["2m_temperature"] > 300).mean("number"), rtol=1e-6)
    with pytest.raises(UserError, match=r"of one variable, and there are 2m_temperature, geopotential; select one"):
        exceedance_probability(FORECAST.assign(geopotential=FORECAST["2m_temperature"]), 300.0)
    days = np.datetime64("2020-07-01", "ns") + np.arange(5) * np.timedelta64(1, "D")
    analyses = warm(0, time=days)
    fields = (analyses["2m_temperature"].isel(time=0, drop=True) * 0 + 300).to_dataset()
    own, whole = (heat.heat_waves(analyses, heat.HeatWave(minimum_days=2), given) for given in (fixed, fields))
    assert own.sizes["object"]
    xr.testing.assert_identical(own, whole)


def test_precipitation_that_never_falls_with_lead_is_a_sum_since_the_start():
    dims = {
        "init_time": FORECAST["init_time"].values,
        "lead_time": np.arange(6, 54, 6) * np.timedelta64(3600 * 10**9, "ns"),
    }
    fallen = 1e-3 * np.random.default_rng(0).gamma(0.4, 2, (1, 8, 2, 2))
    sums = xr.Dataset({"total_precipitation_6hr": ((*dims, *PLACES), np.cumsum(fallen, axis=1))}, dims | PLACES)
    with pytest.raises(UserError, match=r"_6hr never falls from lead to lead, .*products.window_sums\(forecast\)"):
        rain.amounts(sums, rain.Definition(hours=24))
    own = rain.amounts(window_sums(sums), rain.Definition(hours=24))["total_precipitation_24hr"]
    np.testing.assert_allclose(own.isel(lead_time=-1), fallen[:, -4:].sum(axis=1), atol=1e-7)
