import os
import re
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

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
        ("wind_850", 7.0, 7.0, "m s⁻¹", "850 hPa wind"),
        ("10m_wind", 7.0, 7.0, "m s⁻¹", "10 m wind"),
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


@pytest.mark.parametrize(
    ("name", "is_signed"),
    [
        ("wind_speed", False),
        ("10m_wind_speed", False),
        ("u_component_of_wind", True),
        ("vertical_integral_of_eastward_water_vapour_flux", True),
        ("integrated_vapor_transport", False),
    ],
)
def test_what_has_a_direction_has_zero_in_the_middle_and_a_speed_begins_there(name, is_signed):
    levels = style.shade(np.linspace(0.1, 60, 500), style.quantity_of(name)).levels
    assert (levels[0] < 0) == is_signed


def test_a_picture_leaves_notebooks_as_they_show_the_pictures_of_others():
    program = (
        "from IPython.core.interactiveshell import InteractiveShell; InteractiveShell.instance();"
        "import matplotlib; from weatherml.plot import style\n"
        "with style.new_figure(3, 2): pass\n"
        "print(matplotlib.is_interactive())"
    )
    environment = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    assert subprocess.check_output([sys.executable, "-c", program], env=environment, text=True).split() == ["True"]


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


def test_a_field_that_is_the_same_but_for_rounding_has_levels_that_can_be_told_apart():
    for value in (20.0, 273.15, 0.0, -4.0):
        levels = style.round_levels(np.float32(value) + np.float32([0, 0, 1e-6]), 10)
        assert levels[0] <= value <= levels[-1]
        assert len({f"{level:g}" for level in levels}) == len(levels)


@settings(max_examples=40)
@given(st.lists(st.text("abcdefgh", min_size=1, max_size=9), min_size=1, max_size=12), st.floats(0.4, 4), st.booleans())
def test_a_wrapped_line_has_room_and_no_word_is_lost(words, inches, has_parts):
    text = (" · " if has_parts else " ").join(words)
    lines = style.wrap(text, inches, *style.NOTE).split("\n")
    assert [word for line in lines for word in re.split(r" · | ", line) if word != "·"] == words
    for line in lines:
        assert style.text_inches(line, *style.NOTE) <= inches or len(line.replace(" ·", "").split()) == 1


@pytest.mark.parametrize("most", [2, 3, 5, 12])
def test_a_colour_bar_has_no_more_numbers_than_room(most):
    shading = style.shade(np.linspace(-3, 20, 500), style.quantity_of("10m_u_component_of_wind"))
    ticks = shading.ticks(most)
    assert 1 <= len(ticks) <= most and 0 in ticks and set(ticks) <= set(shading.levels)


@pytest.mark.parametrize(("units", "square"), [("K", "K²"), ("m s⁻¹", "m² s⁻²"), ("10⁻⁵ s⁻¹", "10⁻¹⁰ s⁻²"), ("", "")])
def test_squares_of_units_are_written_out(units, square):
    assert style.squared(units) == square
