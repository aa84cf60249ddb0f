import numpy as np
import pytest
import xarray as xr

from weatherml.plot import style


@pytest.mark.parametrize(
    ("name", "si", "shown", "units", "label"),
    [
        ("2m_temperature", 273.15, 0.0, "°C", "2 m temperature"),
        ("geopotential_500", 9806.65 * 5.5, 550.0, "gpdam", "500 hPa geopotential"),
        ("geopotential_at_surface", 9806.65, 1000.0, "m", "Geopotential at surface"),
        ("mean_sea_level_pressure", 98765.0, 987.65, "hPa", "Mean sea level pressure"),
        ("specific_humidity_850", 0.012, 12.0, "g kg⁻¹", "850 hPa specific humidity"),
        ("total_precipitation_6hr", 0.003, 3.0, "mm", "Total precipitation 6hr"),
        ("10m_v_component_of_wind", -4.0, -4.0, "m s⁻¹", "10 m northward wind"),
        ("vorticity_850", 3e-5, 3.0, "10⁻⁵ s⁻¹", "850 hPa vorticity"),
    ],
)
def test_si_values_are_shown_in_the_units_people_use(name, si, shown, units, label):
    quantity = style.quantity_of(name)
    assert float(quantity.shown(xr.DataArray(si))) == pytest.approx(shown)
    assert (quantity.units, quantity.label) == (units, label)


def test_a_temperature_difference_keeps_its_kelvins():
    quantity = style.quantity_of("temperature_850")
    assert float(quantity.shown_difference(xr.DataArray(2.5))) == 2.5
    assert quantity.difference_units == "K"


def test_a_name_outside_the_vocabulary_keeps_its_own_units():
    field = xr.DataArray(3.0, name="wave_height", attrs={"units": "m"})
    quantity = style.quantity_of_field(field)
    assert (quantity.label, quantity.units, float(quantity.shown(field))) == ("Wave height", "m", 3.0)


def test_levels_hold_the_values_and_zero_is_in_the_middle_of_a_wind():
    wind = style.shade(np.linspace(-3, 20, 500), style.quantity_of("10m_u_component_of_wind"))
    assert wind.levels[-1] >= 19.8 and 0 in wind.levels
    np.testing.assert_allclose(wind.levels, -wind.levels[::-1])


def test_values_beyond_the_levels_are_marked_at_the_ends_of_the_bar():
    values = np.r_[np.linspace(0, 10, 1000), 500.0]
    assert style.shade(values, style.quantity_of("total_column_water_vapour")).extend == "max"


def test_a_constant_field_has_levels_around_it():
    levels = style.round_levels(np.full((3, 4), 7.0), 10)
    assert levels[0] <= 7 <= levels[-1] and len(levels) >= 2


@pytest.mark.parametrize(
    ("hours", "words"), [(0, "0 h"), (6, "6 h"), (24, "1 d"), (36, "36 h"), (60, "2.5 d"), (240, "10 d")]
)
def test_leads_are_written_in_hours_then_days(hours, words):
    assert style.write_lead(np.timedelta64(hours, "h").astype("timedelta64[ns]")) == words


def test_times_are_written_with_minutes_only_where_there_are_any():
    assert style.write_time(np.datetime64("2021-09-06T18:00:00", "ns")) == "2021-09-06 18 UTC"
    assert style.write_time(np.datetime64("2021-09-06T18:30:00", "ns")) == "2021-09-06 18:30 UTC"
