"""States that travel through durations of their own: each as it would alone, by the fewest steps."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from tiny_forecast import SPEC, TIME_STEP, TIMES, make_forecaster, make_network_step

from weatherml.checkpoint import Provenance
from weatherml.errors import UserError
from weatherml.forecast.rollout.model import Model
from weatherml.forecast.rollout.suite import Suite

HOUR = np.timedelta64(3600 * 10**9, "ns")
STATES = np.random.default_rng(0).normal(size=(4, *SPEC.shape)).astype(np.float32)
FORCINGS = make_forecaster().suites[0].models[0].forcings


class Marked(nnx.Module):
    """Multiplies the state by a number, so that the steps taken can be read off, and adds the sunlight."""

    def __init__(self, factor):
        self.factor = nnx.Param(jnp.float32(factor))

    def __call__(self, state, forcing):
        return self.factor[...] * state + forcing[:, :1]


def make_model(step, n_steps):
    return Model(step, n_steps * TIME_STEP, FORCINGS, Provenance({}, "none"))


def suite_of(*models):
    return Suite(models, make_forecaster().suites[0].normalizer)


TWO = (make_model(Marked(2.0), 1), make_model(Marked(10.0), 2))


def test_every_state_takes_the_fewest_steps_from_its_own_time():
    times = TIMES[[3, 0, 2, 5]]
    durations = np.array([18, 0, 6, 24]) * HOUR
    found = suite_of(*TWO).propagate(jnp.asarray(STATES), times, durations)
    for state, time, duration, after in zip(STATES, times, durations, found, strict=True):
        expected, left = state, duration
        for factor, step in ((10.0, 12 * HOUR), (2.0, 6 * HOUR)):  # the longest first
            while left >= step:
                expected = factor * expected + FORCINGS.at(np.array([time]))[0, :1]
                time, left = time + step, left - step
        np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-4)


def test_state_of_no_duration_stays_as_it_is():
    found = suite_of(*TWO).propagate(jnp.asarray(STATES), TIMES[:4], np.zeros(4, int) * HOUR)
    np.testing.assert_array_equal(found, STATES)


def test_companions_and_their_durations_change_no_bit():
    propagator = suite_of(*(make_model(make_network_step(), 1),))
    together = propagator.propagate(jnp.asarray(STATES), TIMES[:4], np.array([12, 6, 24, 0]) * HOUR)
    others = np.concatenate([STATES[:1], np.zeros_like(STATES[1:])])
    alone = propagator.propagate(jnp.asarray(others), TIMES[[0, 7, 7, 7]], np.array([12, 0, 0, 6]) * HOUR)
    np.testing.assert_array_equal(together[0], alone[0])


def test_path_of_a_duration_does_not_depend_on_the_others():
    """To 30 and 6 hours together, one call is saved by taking the short step first."""
    propagator = suite_of(*(make_model(Marked(2.0), 1), make_model(Marked(10.0), 4)))
    found = propagator.propagate(jnp.asarray(STATES), TIMES[:4], np.array([30, 6, 30, 24]) * HOUR)
    alone = propagator.propagate(jnp.asarray(STATES), TIMES[:4], np.array([30, 0, 0, 0]) * HOUR)
    np.testing.assert_array_equal(found[0], alone[0])
    assert propagator.path(30 * HOUR) == [24 * HOUR, 6 * HOUR]


def test_duration_that_no_steps_add_up_to_is_refused():
    with pytest.raises(UserError, match="lead 9h cannot be reached by steps of 6h, 12h"):
        suite_of(*TWO).propagate(jnp.asarray(STATES), TIMES[:4], np.full(4, 9 * HOUR))
