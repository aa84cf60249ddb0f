"""Formulas of derived variables, against other ways to the same number."""

import numpy as np
import pytest
import xarray as xr
from fake_data import FakeSource, analyses

from weatherml.column import vapour_transport
from weatherml.data.derived import DERIVATIONS, DerivedSource
from weatherml.data.derived.air import relative_humidity, specific_humidity
from weatherml.data.derived.sunshine import SOLAR_CONSTANT
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.variables import VARIABLES

GRID = LatLonGrid.regular(7, 12)
HOURS = np.arange("2001-03-20T13", "2001-03-21T13", np.timedelta64(1, "h"), "datetime64[ns]")


def profile(values, levels=(300, 500, 850, 1000)):
    return xr.DataArray(np.array(values, np.float32), {"level": list(levels)}, "level")


def test_saturated_air_has_one_hundred_percent():
    """Saturation at 850 hPa: 12.27 hPa over water at 10 C (Goff-Gratch), 0.38 hPa over ice at -30 C."""
    pressure = np.array([1227.2, 38.0])
    saturated = 0.621981 * pressure / (85000 - 0.378019 * pressure)
    temperature = xr.DataArray(np.array([[283.15, 243.15]], np.float32), {"level": [850]}, ("level", "latitude"))
    found = relative_humidity(temperature, temperature.copy(data=saturated[None].astype(np.float32)))
    np.testing.assert_allclose(found[0], 100, rtol=3e-3)


def test_humidities_go_back_and_forth():
    temperature, humidity = profile([230, 255, 285, 295]), profile([1e-5, 1e-3, 8e-3, 1.5e-2])
    relative = relative_humidity(temperature, humidity)
    assert ((relative > 1) & (relative < 110)).all()
    np.testing.assert_allclose(specific_humidity(temperature, relative), humidity, rtol=1e-4)


def test_a_river_carries_humidity_times_wind_times_mass():
    """10 g kg-1 in 30 m s-1 over 700 hPa: 700e2 / g kg of air above a square metre."""
    humidity, u, v = profile([0.01] * 4), profile([18.0] * 4), profile([-24.0] * 4)
    assert float(vapour_transport(humidity, u, v)) == pytest.approx(0.01 * 30 * 70000 / 9.80665, rel=1e-6)


def test_vapour_is_summed_in_trapezoids_from_300_to_1000_hpa():
    humidity, u = profile([9, 1, 3, 2, 5], (200, 300, 500, 850, 1000)), profile([2] * 5, (200, 300, 500, 850, 1000))
    expected = 2 * (2 * 20000 + 2.5 * 35000 + 3.5 * 15000) / 9.80665
    assert float(vapour_transport(humidity, u, 0 * u)) == pytest.approx(expected, rel=1e-6)


def test_vapour_reaches_up_to_300_hpa_where_no_level_lies_there():
    """Linear in pressure between levels: at 300 hPa humidity is a fifth of the way from that at 250 to that at 500."""
    levels = (100, 250, 500, 850, 1000)
    humidity, u = profile([7, 1, 6, 2, 5], levels), profile([2] * 5, levels)
    expected = 2 * (4 * 20000 + 4 * 35000 + 3.5 * 15000) / 9.80665
    assert float(vapour_transport(humidity, u, 0 * u)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("levels", [(850,), (500, 850), (500, 1000), (300, 850)])
def test_levels_that_do_not_span_the_layer_give_no_transport(levels):
    few = profile([1] * len(levels), levels)
    with pytest.raises(UserError, match=rf"from 300 to 1000 hPa, .* \({', '.join(map(str, levels))}\) do not span"):
        vapour_transport(few, few, few)


def sun(names, times=HOURS):
    source = DerivedSource(FakeSource(analyses({"2m_temperature": ()}, times=times, grid=GRID)), names)
    return source.read(times, source.names).load()


def test_sunlight_of_six_hours_is_that_of_six_single_hours():
    found = sun(["toa_incident_solar_radiation", "toa_incident_solar_radiation_6hr"])
    hourly = found["toa_incident_solar_radiation"].rolling(time=6).sum()[5:]
    np.testing.assert_allclose(found["toa_incident_solar_radiation_6hr"][5:], hourly, rtol=1e-3, atol=2e4)


def test_an_hour_of_sun_overhead():
    """At equinox on the equator, about noon, less the equation of time: the hour that ends at 12:30 is centred."""
    noon = np.array(["2001-03-20T12:37"], "datetime64[ns]")
    found = sun(["toa_incident_solar_radiation", "cosine_of_solar_zenith_angle"], noon).sel(latitude=0, longitude=0)
    mean = np.sin(np.pi / 24) / (np.pi / 24)  # of the cosine over an hour
    expected = SOLAR_CONSTANT * 3600 * mean / 0.9960**2
    assert found["toa_incident_solar_radiation"].item() == pytest.approx(expected, rel=1e-3)
    half_an_hour_later = np.cos(np.pi / 24)
    assert found["cosine_of_solar_zenith_angle"].item() == pytest.approx(half_an_hour_later, rel=1e-3)


def test_the_midnight_sun_is_below_the_horizon_at_the_equator():
    found = sun(["cosine_of_solar_zenith_angle"], HOURS[11:12])["cosine_of_solar_zenith_angle"]
    assert found.sel(latitude=0, longitude=0).item() == pytest.approx(-1, abs=2e-3)


def test_all_derivations_make_known_variables_of_known_variables():
    assert {*DERIVATIONS} <= {*VARIABLES}
    assert all({*way.inputs} <= {*VARIABLES} and way.how for ways in DERIVATIONS.values() for way in ways)
