"""Air on sigma levels, seen on pressure levels and at sea level."""

import numpy as np
import pytest

from weatherml.data.sources import vertical

AIR = vertical.Gas(gas_constant=287.0, gravity=9.8)
SURFACE_PRESSURE = np.array([[98000.0, 84000.0, 103000.0], [70000.0, 100000.0, 91000.0]])


def hydrostatic(log_sigma, temperature, surface_geopotential):
    """Integrate upward with temperature linear in log-pressure, and constant below the lowest level."""
    geopotential = np.empty_like(temperature)
    geopotential[-1] = surface_geopotential - AIR.gas_constant * temperature[-1] * log_sigma[-1]
    for k in range(len(log_sigma) - 2, -1, -1):
        mean = (temperature[k] + temperature[k + 1]) / 2
        geopotential[k] = geopotential[k + 1] + AIR.gas_constant * mean * (log_sigma[k + 1] - log_sigma[k])
    return geopotential


@pytest.fixture
def columns():
    log_sigma = np.log((np.arange(7) + 0.5) / 7)
    temperature = np.random.default_rng(0).uniform(220, 300, (7, 2, 3))
    return vertical.Columns(
        log_sigma, np.log(SURFACE_PRESSURE), temperature, hydrostatic(log_sigma, temperature, 9.8 * 300.0)
    )


def standard_atmosphere(log_sigma, height):
    """Return columns of an atmosphere with 288 K and 1013 hPa at sea level and 6.5 K/km, above ground at `height` m."""
    exponent = AIR.exponent
    log_surface = np.log(101300.0) + np.log(1 - vertical.LAPSE_RATE * height / 288.0) / exponent
    temperature = 288.0 * np.exp(exponent * (log_surface + log_sigma[:, None, None] - np.log(101300.0)))
    return vertical.Columns(
        log_sigma, log_surface, temperature, AIR.gravity * (288.0 - temperature) / vertical.LAPSE_RATE
    )


def test_interpolation_is_exact_for_a_field_linear_in_log_pressure(columns):
    log_pressure = columns.log_sigma[:, None, None] + columns.log_surface_pressure
    pressure = np.array([2.0e4, 4.1e4, 6.2e4])
    weights = vertical.interpolation_weights(columns, pressure)
    found = vertical.interpolate(weights, 3 - 2 * log_pressure)
    np.testing.assert_allclose(found, np.broadcast_to(3 - 2 * np.log(pressure)[:, None, None], (3, 2, 3)), rtol=1e-5)


def test_interpolation_agrees_with_numpy_and_is_constant_beyond_the_ends(columns):
    pressure = np.array([1.0e3, 1.3e4, 4.4e4, 8.0e4, 1.1e5])
    found = vertical.interpolate(vertical.interpolation_weights(columns, pressure), columns.temperature)
    for i, j in np.ndindex(2, 3):
        nodes = columns.log_sigma + columns.log_surface_pressure[i, j]
        expected = np.interp(np.log(pressure), nodes, columns.temperature[:, i, j])
        np.testing.assert_allclose(found[:, i, j], expected, rtol=1e-5)


def test_geopotential_is_the_integral_of_the_interpolated_temperature(columns):
    log_pressure = np.linspace(np.log(3.0e3), np.log(1.08e5), 4001)
    temperature, geopotential = map(
        np.asarray, vertical.temperature_and_geopotential(columns, np.exp(log_pressure), AIR)
    )
    mean = (temperature[1:].astype(float) + temperature[:-1]) / 2
    integral = AIR.gas_constant * np.cumsum(mean * np.diff(log_pressure)[:, None, None], axis=0)
    np.testing.assert_allclose(geopotential[0] - geopotential[1:], integral, rtol=1e-4, atol=2.0)


def test_standard_atmosphere_is_recovered_above_and_below_ground():
    columns = standard_atmosphere(np.log((np.arange(40) + 0.5) / 40), np.array([[0.0, 1500.0, 2500.0]]))
    pressure = np.array([2.5e4, 5.0e4, 7.0e4, 8.5e4, 1.0e5])
    temperature, geopotential = vertical.temperature_and_geopotential(columns, pressure, AIR)
    expected = 288.0 * (pressure / 101300.0) ** AIR.exponent
    np.testing.assert_allclose(temperature, np.broadcast_to(expected[:, None, None], (5, 1, 3)), atol=0.03)
    height = (288.0 - expected) / vertical.LAPSE_RATE
    np.testing.assert_allclose(geopotential / AIR.gravity, np.broadcast_to(height[:, None, None], (5, 1, 3)), atol=1.0)


def test_sea_level_pressure_does_not_know_the_height_of_the_ground():
    columns = standard_atmosphere(np.log((np.arange(8) + 0.5) / 8), np.array([[0.0, 800.0, 2500.0]]))
    np.testing.assert_allclose(vertical.mean_sea_level_pressure(columns, AIR), 101300.0, rtol=1e-5)


def test_geopotential_vanishes_at_sea_level_pressure(columns):
    pressure = np.asarray(vertical.mean_sea_level_pressure(columns, AIR))
    for i, j in np.ndindex(2, 3):
        _, geopotential = vertical.temperature_and_geopotential(columns, pressure[i, j, None], AIR)
        assert abs(geopotential[0, i, j]) < 1.0
