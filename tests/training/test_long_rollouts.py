"""A long rollout keeps the states of its steps alone, and gives what it gives where all activations are kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from weatherml.data.loading.samples import Batch
from weatherml.grid import LatLonGrid
from weatherml.models import NoiseMapsConfig, Step
from weatherml.models.weights import split_weights, weights_of
from weatherml.training.objective.losses import Loss, registry
from weatherml.training.objective.rollout import N_KEPT, Noise, rollout_loss

BATCH, CHANNEL, FORCING, LAT, LON = 3, 2, 1, 4, 7
MEMBERS, N_STEPS, WIDTH = 2, 5, 32
MAPS = NoiseMapsConfig(lengths=(4000, 9000)).build(LatLonGrid.regular(LAT, LON))


class Told(nnx.Module):
    """A network that all it is told matters to: the state, forcings, random maps, and keys that drop paths."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.expand = nnx.Linear(CHANNEL + FORCING + len(MAPS.fields), WIDTH, rngs=rngs)
        self.contract = nnx.Linear(WIDTH, CHANNEL, rngs=rngs)

    def __call__(self, x, key=None):
        y = self.contract(jnp.tanh(self.expand(jnp.moveaxis(x, 1, -1))))
        kept = 1
        if key is not None:
            kept = jax.vmap(lambda own: jax.random.bernoulli(own, 0.7))(key)[:, None, None, None]
        return jnp.moveaxis(y * kept, -1, 1)


def step():
    return Step(Told(), np.array([0.5, 0.9]), np.ones((CHANNEL, LAT, LON), bool), n_noise=len(MAPS.fields))


def batch(n_steps, size=BATCH):
    rng, shape = np.random.default_rng(4), (size, n_steps + 1)
    sizes = (CHANNEL, FORCING)
    return Batch(*(rng.standard_normal((*shape, n, LAT, LON), np.float32) for n in sizes))


def objective(name, members, n_kept, key=True, maps=True):
    """Return the loss of a batch, a function `(weights, batch)`."""
    rebuild, constants = split_weights(step())
    loss = Loss(jnp.full((CHANNEL, LAT, LON), 1 / (LAT * LON)), jnp.full((CHANNEL, 1, 1), 0.3), registry[name], members)

    def evaluate(weights, data):
        own, of_maps = (jax.random.split(jax.random.key(seed), len(data.state)) for seed in (6, 5))
        own, noise = own if key else None, Noise(MAPS, of_maps) if maps else None
        return rollout_loss(rebuild(weights, constants), loss, data, own, noise, n_kept)

    return evaluate


def gradient(*wanted):
    return jax.jit(jax.value_and_grad(objective(*wanted)))


@pytest.mark.parametrize(("name", "members"), [("crps", MEMBERS), ("mse", 1)])
def test_loss_and_gradient_are_those_of_a_rollout_that_keeps_all_activations(name, members):
    weights, data = weights_of(step()), batch(N_STEPS)
    kept, again = (gradient(name, members, n_kept)(weights, data) for n_kept in (N_STEPS, N_STEPS - 1))
    for ours, expected in zip(jax.tree.leaves(again), jax.tree.leaves(kept), strict=True):
        assert np.abs(ours - expected).max() < 1e-6 * np.abs(expected).max()


def test_keys_maps_and_forcings_reach_a_long_rollout():
    weights, data = weights_of(step()), batch(N_KEPT + 1)
    still = Batch(data.state, 0 * data.forcing)
    values = [
        float(jax.jit(objective("mse", 1, N_KEPT, **told))(weights, given))
        for told, given in (({}, data), ({"key": False}, data), ({"maps": False}, data), ({}, still))
    ]
    assert len(set(values)) == 4


def test_a_long_rollout_is_planned_in_the_memory_of_one_step():
    def planned(n_steps, n_kept):
        compiled = gradient("mse", 1, n_kept).lower(weights_of(step()), batch(n_steps, size=40)).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    kept, again = planned(4, 4), planned(4, 3)
    assert again < kept / 2
