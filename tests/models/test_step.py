"""One step: what goes into the network, what its output means, and what stays zero."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from weatherml.models.step import Constant, Step

BATCH, CHANNEL, FORCING, LAT, LON = 2, 3, 4, 5, 6


class FirstInputs(nnx.Module):
    """Gives twice the first channels of its input, and asserts that the last ones are the forcing."""

    def __call__(self, x, key=None):
        assert x.shape == (BATCH, CHANNEL + FORCING, LAT, LON)
        return 2 * x[:, :CHANNEL] + x[:, -1:]


@pytest.fixture
def fields():
    rng = np.random.default_rng(0)
    state = rng.normal(size=(BATCH, CHANNEL, LAT, LON)).astype(np.float32)
    return state, rng.normal(size=(BATCH, FORCING, LAT, LON)).astype(np.float32)


def test_without_scale_the_output_is_the_next_state(fields):
    state, forcing = fields
    step = Step(FirstInputs(), None, np.ones((CHANNEL, LAT, LON), bool))
    np.testing.assert_allclose(step(*fields), 2 * state + forcing[:, -1:], rtol=1e-6)


def test_with_scale_the_output_is_an_increment_per_channel(fields):
    state, forcing = fields
    scale = np.array([0.1, 0.2, 0.4])
    step = Step(FirstInputs(), scale, np.ones((CHANNEL, LAT, LON), bool))
    expected = state + scale[:, None, None] * (2 * state + forcing[:, -1:])
    np.testing.assert_allclose(step(*fields), expected, atol=1e-6)


def test_points_without_values_stay_zero(fields):
    valid = np.ones((CHANNEL, LAT, LON), bool)
    valid[1, 2:4, 3] = False
    output = np.asarray(Step(FirstInputs(), np.ones(CHANNEL), valid)(*fields))
    assert (output[:, ~valid] == 0).all()
    assert (output[:, valid] != 0).all()


class Inputs(nnx.Module):
    """Gives everything that it is told, behind the state."""

    def __call__(self, x, key=None):
        return x[:, CHANNEL:]


def test_random_maps_follow_the_forcing_and_are_zero_where_none_are_given(fields):
    noise = np.random.default_rng(1).normal(size=(BATCH, 2, LAT, LON)).astype(np.float32)
    step = Step(Inputs(), None, np.ones((FORCING + 2, LAT, LON), bool), n_noise=2)
    np.testing.assert_array_equal(step(*fields, noise=noise), np.concatenate([fields[1], noise], axis=1))
    np.testing.assert_array_equal(step(*fields), np.concatenate([fields[1], 0 * noise], axis=1))


def test_scale_and_mask_are_not_trained():
    step = Step(FirstInputs(), np.ones(CHANNEL), np.ones((CHANNEL, LAT, LON), bool))
    assert not nnx.to_flat_state(nnx.state(step, nnx.Param))
    assert len(nnx.to_flat_state(nnx.state(step, Constant))) == 2
    assert jnp.shape(step.scale[...]) == (CHANNEL, 1, 1)
