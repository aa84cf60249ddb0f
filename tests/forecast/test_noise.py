"""Noise on initial states: how strong it is, where, and whose it is."""

import functools

import jax
import numpy as np
import pytest
from tiny_forecast import SPEC, TIMES, make_analysis, make_forecaster, make_statistics

from weatherml.forecast import ForecastConfig, Forecaster, GaussianConfig, PerlinConfig, SphericalConfig
from weatherml.forecast.perturbation.noise import draw_batch, lineage
from weatherml.state import to_array

CONFIGS = {"gaussian": GaussianConfig, "spherical": SphericalConfig, "perlin": PerlinConfig}
VALID = make_statistics().valid


@functools.cache
def noise(config):
    """Draws `[draw, channel, lat, lon]`."""
    return np.asarray(draw_batch(config.build(make_statistics()), jax.random.split(jax.random.key(0), 500)))


@pytest.mark.parametrize(("name", "deviation"), [("gaussian", 1), ("spherical", 1), ("perlin", 0.305 * 1.3125**0.5)])
def test_scale_is_the_standard_deviation_in_normalised_units_but_what_multiplies_perlin_noise(name, deviation):
    # On this grid, 8 rows to 12 periods, points sit at few places of their lattice cells; 5 periods spread them.
    config = CONFIGS[name](scale=0.2, **({"periods": 5} if name == "perlin" else {}))
    rms = np.sqrt((noise(config) ** 2)[:, VALID].mean())
    assert rms == pytest.approx(0.2 * deviation, rel=0.02 if name != "perlin" else 0.1)


@pytest.mark.parametrize("name", CONFIGS)
def test_unit_tendency_scales_by_one_step_changes(name):
    in_std, in_tendency = noise(CONFIGS[name](scale=0.2)), noise(CONFIGS[name](scale=0.2, unit="tendency"))
    np.testing.assert_allclose(in_tendency, 0.2 * in_std, rtol=1e-5)  # tiny_forecast: changes are 0.2 std


@pytest.mark.parametrize("name", CONFIGS)
def test_channels_are_independent(name):
    draws = noise(CONFIGS[name]())[:, :2, 1, 2]
    assert abs(np.corrcoef(draws.T)[0, 1]) < 0.12


def test_white_noise_has_no_correlation_and_smooth_noise_has():
    for config, low, high in ((GaussianConfig(), -0.1, 0.1), (SphericalConfig(length=5000), 0.7, 0.9)):
        draws = noise(config)[:, 0]
        assert low < np.corrcoef(draws[:, 3, 4], draws[:, 3, 5])[0, 1] < high


def test_rougher_noise_has_larger_differences_between_neighbours():
    smooth, rough = (noise(SphericalConfig(length=5000, smoothness=s))[:, 0] for s in (None, 1.0))
    assert np.abs(np.diff(rough)).mean() > 1.1 * np.abs(np.diff(smooth)).mean()


@pytest.mark.parametrize("name", CONFIGS)
def test_pairs_centre_on_the_control(name):
    asked = {"members": 5, "batch": 3, "lead_time": "6h", "perturbation": CONFIGS[name](paired=True)}
    forecast = make_forecaster().run(make_analysis(), TIMES[0], ForecastConfig(**asked))
    members = to_array(forecast, SPEC)[0, 0]
    for odd, even in ((1, 2), (3, 4)):
        np.testing.assert_allclose(members[odd] + members[even], 2 * members[0], rtol=1e-6)
    assert np.nanmax(np.abs(members[1] - members[3])) > 0.1


def test_pairs_are_of_one_model_where_models_take_turns(forecaster, analysis):
    """The models are the same here: numbers 2 and 4 are the pair of the first, 1 and 3 that of the second."""
    config = ForecastConfig(members=6, batch=3, lead_time="6h", perturbation=SphericalConfig(paired=True))
    in_turn = Forecaster.in_turn(forecaster, forecaster)
    members = to_array(in_turn.run(analysis, TIMES[0], config), SPEC)[0, 0]
    for one, other in ((2, 4), (1, 3)):
        np.testing.assert_allclose(members[one] + members[other], 2 * members[0], rtol=1e-6)
        assert np.nanmax(np.abs(members[one] - members[0])) > 0.1
    sources, signs = lineage(np.arange(9), True, 3)
    assert sources.tolist() == [0, 1, 2, 3, 1, 2, 3, 7, 8]
    assert signs[1:].tolist() == [1, 1, 1, -1, -1, -1, 1, 1]


def test_pair_shares_the_key_of_its_odd_member():
    sources, signs = lineage(np.arange(7), True)
    assert sources.tolist() == [0, 1, 1, 3, 3, 5, 5]
    assert signs[1:].tolist() == [1, -1, 1, -1, 1, -1]
