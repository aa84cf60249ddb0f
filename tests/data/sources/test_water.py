"""Laws of the planet's water: saturation as elsewhere, a closed budget, and weather that does not feel it."""

import jax
import numpy as np
import pytest
from earthkit.meteo.thermo.array import saturation_specific_humidity

from weatherml.data.sources.planet import Planet
from weatherml.data.sources.water import rained, saturation


def test_saturation_is_that_of_the_ifs_over_water():
    temperature = np.array([265.0, 285.0, 300.0, 310.0], np.float32)
    pressure = np.array([6e4, 8e4, 1e5, 1e5], np.float32)
    expected = saturation_specific_humidity(temperature, pressure, phase="water")
    np.testing.assert_allclose(saturation(temperature, pressure), expected, rtol=0.02)


def test_what_falls_is_what_the_air_has_lost_and_taken_up():
    rng = np.random.default_rng(0)
    shape = 3, 4, 5
    temperature = rng.uniform(250, 300, shape).astype(np.float32)
    pressure = np.broadcast_to(np.array([5e4, 7e4, 9e4], np.float32)[:, None, None], shape)
    mass = rng.uniform(2000, 3000, shape).astype(np.float32)
    humidity = (rng.uniform(-0.1, 1.5, shape) * saturation(temperature, pressure)).astype(np.float32)
    air = rained(humidity, temperature, pressure, mass, seconds=3600.0)
    saturated = np.asarray(saturation(temperature, pressure))
    assert np.asarray(air.humidity).min() >= 0
    assert (np.asarray(air.humidity) <= saturated * (1 + 1e-6)).all()
    before = np.maximum(humidity, 0)
    uptake = np.maximum(0.8 * saturated[-1] - before[-1], 0) * (1 - np.exp(-3600 / 43_200))
    lost = (before * mass).sum(0) + uptake * mass[-1] - (np.asarray(air.humidity) * mass).sum(0)
    np.testing.assert_allclose(1000 * np.asarray(air.depth), lost, atol=1e-3 * lost.max())
    assert (np.asarray(air.depth) > 0).any() and (np.asarray(air.depth) == 0).any()


def test_rain_changes_nothing_but_the_water():
    planet = Planet(5, 5, (500,), 1000.0, 6, "total_precipitation_6hr")
    before = planet.initial_state(3)
    later = planet._rain(before, before.tracers["rain"] + 1e-3, 3600.0)
    for name in ("vorticity", "divergence", "temperature_variation", "log_surface_pressure"):
        assert getattr(later, name) is getattr(before, name)
    assert float(np.abs(later.tracers["specific_humidity"]).max()) > 0
    assert float(later.tracers["rain"].min()) == np.float32(1e-3)
    restored = planet.from_arrays(planet.to_arrays(later))
    for one, other in zip(jax.tree.leaves(later), jax.tree.leaves(restored), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_dry_planet_carries_nothing():
    state = Planet(5, 5, (500,), 1000.0, 6).initial_state(3)
    assert not state.tracers
    with pytest.raises(KeyError):
        Planet.to_arrays(state)["specific_humidity"]
