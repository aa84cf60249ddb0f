"""Forecasts by noise-conditioned models: random maps of each member's own, and the control as if there were none."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_weights import drawn_checkpoint
from tiny_forecast import (
    SPEC,
    TIME_STEP,
    TIMES,
    NoisyAdvection,
    forecaster_of,
    make_analysis,
    make_forecaster,
    make_model,
    make_statistics,
    replaced,
)

from weatherml.checkpoint import Provenance
from weatherml.config import from_mapping
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.experiment.calibration import fit
from weatherml.forecast import ForecastConfig, Forecaster, NoiseConditionedConfig
from weatherml.forecast.perturbation.base import member_keys, step_keys
from weatherml.forecast.perturbation.noise_conditioned import ConditionedStep, Draws
from weatherml.forecast.rollout.model import Model
from weatherml.models import NoiseMapsConfig
from weatherml.state import to_array

ASKED = {"lead_time": "18h", "members": 5, "perturbation": "noise_conditioned", "batch": 2, "seed": 3}


@pytest.fixture(scope="module")
def checkpoint():
    model = make_model().model_copy(update={"noise": NoiseMapsConfig(lengths=(2000.0, 500.0))})
    forcings = Forcings(("insolation", "latitude"), SPEC.grid, TIME_STEP)
    return drawn_checkpoint(model, forcings, Normalizer(make_statistics()), Provenance({}, "none"), seed=0)


@pytest.fixture(scope="module")
def conditioned(checkpoint):
    return Forecaster.from_checkpoint(checkpoint)


@pytest.fixture(scope="module")
def together(conditioned):
    return fields(conditioned)


def fields(forecaster, **asked):
    return to_array(forecaster.run(make_analysis(), TIMES[0], ForecastConfig(**ASKED | asked)), SPEC)[0]


def keys_of_maps(tick):
    """Of member 3 from the first time, seed 3"""
    keys = step_keys(member_keys(3, TIMES[:1], np.array([3])), tick)
    return jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys)


def test_members_differ_from_the_first_step_on(together):
    for number in range(1, 5):
        others = [other for other in range(5) if other != number]
        assert all(np.nanmax(abs(together[0, number] - together[0, other])) > 1e-3 for other in others)


def test_control_is_told_nothing(conditioned, together):
    plain = fields(conditioned, perturbation=None, members=1)
    np.testing.assert_array_equal(together[:, :1], plain)


def test_members_are_those_of_steps_by_hand(checkpoint, together):
    """The maps of member 3 at tick k are drawn from its key of that tick."""
    step, maps, normalizer = checkpoint.build_step(), checkpoint.build_noise(), checkpoint.normalizer
    state = normalizer.normalize(to_array(make_analysis().isel(time=[0]), SPEC), TIMES[:1])
    for tick in (1, 2, 3):
        keys = jax.vmap(lambda key: jax.random.fold_in(key, 1))(
            step_keys(member_keys(3, TIMES[:1], np.array([3])), tick)
        )
        forcing = checkpoint.forcings.at(TIMES[:1] + (tick - 1) * TIME_STEP)
        state = step(jnp.asarray(state), jnp.asarray(forcing), noise=maps.draw(keys))
    expected = normalizer.denormalize(np.asarray(state), TIMES[:1] + 3 * TIME_STEP)[0]
    np.testing.assert_allclose(together[2, 3], expected, rtol=2e-6, equal_nan=True)


def test_member_alone_is_bit_equal_to_the_same_member_of_the_ensemble(conditioned, together):
    np.testing.assert_array_equal(fields(conditioned, numbers=(3,)), together[:, 3:4])


def test_scale_multiplies_the_maps(conditioned, together):
    np.testing.assert_array_equal(
        fields(conditioned, perturbation={"name": "noise_conditioned", "scale": 0.0})[:, 2:3], together[:, :1]
    )


def test_maps_and_initial_noise_combine():
    """Of a step that is linear in both they add up, and the factor of the sum is that of its parts."""
    step = ConditionedStep(NoisyAdvection(), NoiseMapsConfig().build(SPEC.grid))
    forecaster = make_forecaster(step)
    forecaster = replaced(forecaster, models=(replace(forecaster.suites[0].models[0], is_told_maps=True),))
    maps, noise, both = (
        fields(forecaster, perturbation=perturbation)
        for perturbation in (
            {"name": "noise_conditioned", "scale": 0.5},
            {"name": "spherical", "scale": 0.05},
            {"name": "combined", "scale": 0.5, "parts": ["spherical", "noise_conditioned"]},
        )
    )
    expected = maps + noise - maps[:, :1]
    assert np.nanmax(abs(expected - noise)) > 1 and np.nanmax(abs(expected - maps)) > 1
    np.testing.assert_allclose(both, expected, rtol=2e-5)


def test_models_of_several_steps_and_units_are_told_maps_of_their_own(checkpoint, together):
    own = make_statistics()
    statistics = replace(own, mean=own.mean + 3, std=1.5 * own.std, time_step=2 * TIME_STEP)
    forcings = Forcings(("insolation", "latitude"), SPEC.grid, 2 * TIME_STEP)
    long = replace(checkpoint, normalizer=Normalizer(statistics), forcings=forcings)
    models = tuple(Model.from_checkpoint(each, checkpoint.normalizer) for each in (checkpoint, long))
    found = fields(forecaster_of(models, checkpoint.normalizer), every="18h")[0, 3]
    state, tick = to_array(make_analysis().isel(time=[0]), SPEC), 0
    for each, n_steps in ((long, 2), (checkpoint, 1)):
        begin, tick = TIMES[:1] + tick * TIME_STEP, tick + n_steps
        keys = jax.vmap(lambda key: jax.random.fold_in(key, 1))(
            step_keys(member_keys(3, TIMES[:1], np.array([3])), tick)
        )
        noise, forcing = each.build_noise().draw(keys), each.forcings.at(begin)
        following = each.build_step()(each.normalizer.normalize(state, begin), forcing, noise=noise)
        state = each.normalizer.denormalize(np.asarray(following), begin + each.time_step)
    np.testing.assert_allclose(found, state[0], rtol=1e-5)


def test_models_without_maps_are_refused():
    with pytest.raises(UserError, match="the model of 6h steps is told no random maps"):
        fields(make_forecaster())


@pytest.mark.parametrize(
    ("perturbation", "message"),
    [
        ({"name": "noise_conditioned", "amplitude": {"t850": 2}}, "amplitude is of channels"),
        ({"name": "combined", "parts": ["noise_conditioned"], "amplitude": {"t850": 2}}, "amplitude is of channels"),
        ({"name": "combined", "parts": ["noise_conditioned", "noise_conditioned"]}, "parts has 2 that tell models"),
    ],
)
def test_what_random_maps_do_not_have_is_refused(perturbation, message):
    with pytest.raises(UserError, match=message) as caught:
        from_mapping(ForecastConfig, {"members": 2, "perturbation": perturbation})
    assert "\n" not in str(caught.value)


def test_configuration_survives_json():
    config = ForecastConfig(members=2, perturbation=NoiseConditionedConfig(scale=0.7))
    assert ForecastConfig.model_validate_json(config.model_dump_json()) == config


def test_calibration_fits_the_scale_and_no_amplitude():
    ratios, trials = np.linspace(0.5, 2, SPEC.n_channels), []

    def judge(perturbation):
        return dict(zip(SPEC.names, ratios * perturbation.scale, strict=True))

    best = fit(judge, NoiseConditionedConfig(scale=2.0), SPEC, 3, trials.append)
    assert best.perturbation.scale == pytest.approx(1 / np.exp(np.log(ratios).mean()), rel=0.05)
    assert all(trial.perturbation.amplitude == () for trial in trials)


def test_draws_of_a_tick_are_the_same_whatever_else_is_drawn():
    ticks = np.array([[2, 5], [7, 9]])
    many = Draws.at(ticks, 1, TIMES[[0, 1, 1]], np.array([0, 4, 7]), 0.5)
    one = Draws.at(np.array([[7]]), 1, TIMES[[1]], np.array([4]), 0.5)
    assert (jax.random.key_data(many.keys[1, 0, 1]) == jax.random.key_data(one.keys[0, 0, 0])).all()
    np.testing.assert_array_equal(many.scale[1, 0], [0, 0.5, 0.5])
