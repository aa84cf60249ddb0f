"""The dynamics of the simulated planet: laws of its air, and its climate."""

import jax
import numpy as np
import pytest

from weatherml.data.sources.planet import Planet, mountains
from weatherml.data.sources.simulated import PlanetConfig, SimulatedSource

GAS_CONSTANT = 1004 * 2 / 7


@pytest.fixture(scope="module")
def small(optimised):
    """Ten days of a coarse planet, with levels close enough to integrate over."""
    planet = Planet(10, 6, tuple(range(300, 701, 10)), mountain_height=2000.0, time_step_hours=6)
    _, fields = planet.run(planet.initial_state(seed=0), 40)
    return {name: np.asarray(field) for name, field in fields.items()}


@pytest.fixture(scope="module")
def climate(optimised, tmp_path_factory):
    """Half a year of the default planet after its spin-up."""
    source = SimulatedSource(PlanetConfig(days=180), tmp_path_factory.mktemp("cache"))
    return {str(name): field.values for name, field in source.read(source.times(), source.variables()).items()}


def area_mean(field, n_lat):
    _, weights = np.polynomial.legendre.leggauss(n_lat)
    return (field.mean(-1) * weights).sum(-1) / 2


def test_highest_mountain_has_the_height_asked_for():
    longitude, latitude = np.meshgrid(np.arange(0, 360, 1.0), np.arange(-89.5, 90, 1.0))
    assert mountains(longitude, latitude, 1500.0).max() == pytest.approx(1500.0, rel=0.01)


@pytest.mark.parametrize("truncation", [7, 21, 31])
def test_grid_of_the_source_is_that_of_the_dynamics(truncation, tmp_path):
    nodes = Planet(truncation, 5, (500,), 0.0, 6).coordinates.horizontal
    grid = SimulatedSource(PlanetConfig(truncation=truncation), tmp_path).grid
    np.testing.assert_allclose(grid.latitude, np.degrees(nodes.latitudes)[::-1], atol=1e-4)
    np.testing.assert_allclose(grid.longitude, np.degrees(nodes.longitudes), atol=1e-4)


def test_resting_isothermal_air_is_level_over_mountains():
    planet = Planet(12, 5, (300, 500), mountain_height=1500.0, time_step_hours=6)
    state = planet.initial_state(seed=0)
    state = state.replace(temperature_variation=0 * state.temperature_variation)
    fields = jax.jit(planet.observe)(state)
    geopotential = np.asarray(fields["geopotential"])
    assert np.ptp(fields["surface_pressure"]) > 1.0e4
    assert np.ptp(geopotential, axis=(1, 2)).max() < 1.0
    assert (geopotential[0] - geopotential[1]).mean() == pytest.approx(GAS_CONSTANT * 288 * np.log(5 / 3), rel=1e-4)


def test_mass_of_the_air_does_not_change(small):
    mass = area_mean(small["surface_pressure"].astype(float), 16)
    np.testing.assert_allclose(mass, mass[0], rtol=5e-6)


def test_thickness_is_the_mean_temperature_of_the_layer(small):
    log_pressure = np.log(np.arange(300, 701, 10))
    temperature = small["temperature"].astype(float)
    layers = (temperature[:, 1:] + temperature[:, :-1]) / 2 * np.diff(log_pressure)[:, None, None]
    thickness = small["geopotential"][:, 0] - small["geopotential"][:, -1]
    np.testing.assert_allclose(thickness, GAS_CONSTANT * layers.sum(1), rtol=2e-4)


def test_every_field_is_finite_and_plausible(small):
    assert all(np.isfinite(field).all() for field in small.values())
    assert 200 < small["temperature"].min() and small["temperature"].max() < 320


@pytest.mark.slow
def test_westerly_jets_blow_in_both_hemispheres(climate):
    jet = climate["u_component_of_wind"][:, 0].mean((0, 2))
    for hemisphere in (jet[:16], jet[16:]):
        assert 25 < hemisphere.max() < 45
    assert abs(jet[15:17].mean()) < 10


@pytest.mark.slow
def test_storms_are_alive_in_the_mid_latitudes(climate):
    u, v = (climate[f"{c}_component_of_wind"][:, 0] for c in "uv")
    energy = ((u - u.mean(0)) ** 2 + (v - v.mean(0)) ** 2).mean((0, 2)) / 2
    assert 100 < energy[:16].max() < 400 and 100 < energy[16:].max() < 400
    assert energy[15:17].mean() < 0.5 * energy.max()


@pytest.mark.slow
def test_waves_stand_behind_the_mountains(climate):
    height = climate["geopotential"][:, 1].mean(0) / 9.80616
    standing = (height - height.mean(-1, keepdims=True)).std(-1)
    assert 10 < standing[4:12].max() < 200 and 10 < standing[20:28].max() < 200


@pytest.mark.slow
def test_climate_does_not_drift_after_the_spin_up(climate):
    temperature = area_mean(climate["temperature"][:, 1], 32)
    assert abs(temperature[:360].mean() - temperature[360:].mean()) < 0.3
    pressure = area_mean(climate["mean_sea_level_pressure"], 32)
    np.testing.assert_allclose(pressure, 1.0e5, atol=300)


@pytest.mark.slow
def test_warm_air_lies_over_the_equator_and_lows_over_the_storm_tracks(climate):
    temperature = climate["temperature"][:, 3].mean((0, 2))
    assert temperature[15:17].mean() - temperature[[0, -1]].mean() > 25
    depth = climate["mean_sea_level_pressure"].std(0).mean(-1)
    assert depth[4:12].max() > 400 and depth[15:17].max() < 250
