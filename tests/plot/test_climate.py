import sys

import numpy as np
import pytest
import xarray as xr

from weatherml import plot
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

LEVELS = np.array([200, 500, 1000])
GRID = LatLonGrid.gaussian(14, 24)


@pytest.fixture
def planet():
    """Return two years of a planet: a jet with one wave in each wind, and a temperature that rises by 2 K a year."""
    days = np.arange(0, 731, 5)
    latitude, longitude = (np.radians(x) for x in (np.array(GRID.latitude)[:, None], np.array(GRID.longitude)[None, :]))
    jet = 20 * np.sin(2 * latitude) ** 2 * (1.2 - LEVELS / 1000)[:, None, None]
    phase = 0.3 * days[:, None, None, None]
    eastward, northward = jet + 8 * np.cos(3 * longitude - phase), 6 * np.sin(3 * longitude - phase)
    warming = 2 * days[:, None, None, None] / 365.25
    temperature = 250 + 40 * np.cos(latitude) ** 2 + warming + 0 * longitude * LEVELS[:, None, None]
    dims = ("time", "level", "latitude", "longitude")
    shape = (len(days), 3, *GRID.shape)
    names = {"u_component_of_wind": eastward, "v_component_of_wind": northward, "temperature": temperature}
    coords = {"time": np.datetime64("2001-01-01", "ns") + days * np.timedelta64(1, "D"), "level": LEVELS}
    fields = {name: (dims, np.broadcast_to(values, shape).astype(np.float32)) for name, values in names.items()}
    return xr.Dataset(fields, {**coords, "latitude": np.array(GRID.latitude), "longitude": np.array(GRID.longitude)})


def panel(figure, title):
    return next(ax for ax in figure.axes if ax.get_title("left") == title)


def test_the_energy_of_a_wave_is_a_quarter_of_its_squared_amplitudes(planet):
    drawn = panel(plot.climate(planet), "Global mean eddy kinetic energy").lines[0].get_ydata()
    np.testing.assert_allclose(drawn, (8**2 + 6**2) / 4, rtol=1e-4)


def test_the_global_mean_is_weighted_by_area(planet):
    drawn = panel(plot.climate(planet), "Global mean temperature").lines[0].get_ydata()
    mean_squared_cosine = 2 / 3  # over the sphere
    assert drawn[0] == pytest.approx(250 - 273.15 + 40 * mean_squared_cosine, abs=0.2)


def test_the_global_mean_is_weighted_by_mass(planet):
    by_layer = xr.DataArray([0.0, 30.0, 60.0], dims="level")
    drawn = panel(
        plot.climate(planet.assign(temperature=planet.temperature * 0 + by_layer)), "Global mean temperature"
    ).lines[0]
    thickness = np.array([300, 400, 500])  # hPa, half-way to the neighbours, the outermost as thick as their own gap
    np.testing.assert_allclose(drawn.get_ydata(), np.average([0, 30, 60], weights=thickness) - 273.15, atol=1e-3)


def test_a_drift_is_told_in_the_title(planet):
    words = [text.get_text() for text in panel(plot.climate(planet), "Global mean temperature").texts]
    assert words == ["trend +2 K a year"]


def test_less_than_a_year_has_no_trend(planet):
    words = [
        text.get_text() for text in panel(plot.climate(planet.isel(time=slice(40))), "Global mean temperature").texts
    ]
    assert words == [""]


def test_pressure_falls_upward(planet):
    lowest, highest = panel(plot.climate(planet), "Zonal mean eastward wind").get_ylim()
    assert (lowest, highest) == (1000, 200)


def test_one_analysis_is_drawn_without_a_history(planet):
    titles = [ax.get_title("left") for ax in plot.climate(planet.isel(time=[3])).axes if ax.get_title("left")]
    assert titles == ["Zonal mean eastward wind", "Zonal mean temperature", "Zonal mean eddy kinetic energy"]


def test_a_missing_variable_is_named(planet):
    with pytest.raises(UserError, match="needs v_component_of_wind by time and level"):
        plot.climate(planet.drop_vars("v_component_of_wind"))


def test_a_region_has_no_climate(planet):
    with pytest.raises(UserError, match="global grid"):
        plot.climate(planet.isel(longitude=slice(9)))


def test_a_climate_read_in_blocks_is_that_of_the_whole(planet, monkeypatch):
    def drawn():
        figure = plot.climate(planet)
        lines = [ax.lines[0].get_ydata() for ax in figure.axes if len(ax.lines)]
        paths = [path.vertices for ax in figure.axes for drawn in ax.collections for path in drawn.get_paths()]
        return np.concatenate(lines), np.concatenate(paths)

    whole = drawn()
    module = sys.modules["weatherml.plot.climate"]  # whose name in its package is that of the function
    monkeypatch.setattr(module, "_BLOCK_BYTES", 7 * 12 * planet["temperature"][0].size)
    for one, other in zip(drawn(), whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)
