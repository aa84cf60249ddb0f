"""Noise on initial states: how strong it is, and where."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_forecast import SPEC, make_statistics

from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig, GaussianConfig, SphericalConfig
from weatherml.forecast.rollout import perturb

CONFIGS = {"gaussian": GaussianConfig, "spherical": SphericalConfig}


@jax.jit
def _draw(perturbation):
    keys = jax.random.split(jax.random.key(0), 2000)
    return jax.vmap(perturbation, (None, 0))(jnp.zeros(SPEC.shape), keys)


@functools.cache
def noise(config):
    """Draws `[draw, channel, lat, lon]` on a state of zeros."""
    return np.asarray(_draw(config.build(make_statistics())))


@pytest.mark.parametrize("name", CONFIGS)
def test_scale_is_the_standard_deviation_in_normalised_units(name):
    valid = make_statistics().valid
    deviation = np.sqrt((noise(CONFIGS[name](scale=0.2)) ** 2).mean(0))
    assert deviation[valid].mean() == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("name", CONFIGS)
def test_unit_tendency_scales_by_one_step_changes(name):
    in_std, in_tendency = noise(CONFIGS[name](scale=0.2)), noise(CONFIGS[name](scale=0.2, unit="tendency"))
    np.testing.assert_allclose(in_tendency, 0.2 * in_std, rtol=1e-5)  # tiny_forecast: changes are 0.2 std


@pytest.mark.parametrize("name", CONFIGS)
def test_cells_without_data_get_no_noise(name):
    valid = make_statistics().valid
    draws = noise(CONFIGS[name]())
    assert (draws[:, ~valid] == 0).all()
    assert (draws[:, valid] != 0).all()


@pytest.mark.parametrize("name", CONFIGS)
def test_channels_are_independent(name):
    draws = noise(CONFIGS[name]())[:, :2, 1, 2]
    assert abs(np.corrcoef(draws.T)[0, 1]) < 0.08


def test_white_noise_has_no_correlation_and_smooth_noise_has():
    for config, low, high in ((GaussianConfig(), -0.1, 0.1), (SphericalConfig(length=5000), 0.7, 0.9)):
        draws = noise(config)[:, 0]
        assert low < np.corrcoef(draws[:, 3, 4], draws[:, 3, 5])[0, 1] < high


def test_number_zero_is_not_perturbed():
    perturbation = SphericalConfig().build(make_statistics())
    states, keys = jnp.ones((3, *SPEC.shape)), jax.random.split(jax.random.key(0), 3)
    perturbed = np.asarray(perturb(perturbation, states, keys, jnp.array([4, 0, 7])))
    assert [(perturbed[slot] == 1)[make_statistics().valid].all() for slot in range(3)] == [False, True, False]


def test_file_names_a_perturbation_and_its_parameters():
    content = {"members": 3, "perturbation": {"name": "spherical", "length": 800, "unit": "tendency"}}
    config = from_mapping(ForecastConfig, content)
    assert config.perturbation == SphericalConfig(length=800, unit="tendency")


def test_configuration_survives_json():
    config = ForecastConfig(members=3, perturbation=SphericalConfig(scale=0.05, length=300))
    assert ForecastConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("perturbation", "message"),
    [
        ("sperical", "unknown perturbation 'sperical'; did you mean 'spherical'"),
        ({"name": "gaussian", "lenght": 3}, "unknown key 'lenght'"),
        ({"name": "gaussian", "scale": -1}, "scale"),
    ],
)
def test_unknown_perturbation_or_parameter_is_refused(perturbation, message):
    with pytest.raises(UserError, match=message):
        from_mapping(ForecastConfig, {"members": 2, "perturbation": perturbation})
