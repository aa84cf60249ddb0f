"""Training on ensembles: members see maps of their own, learn how uncertain the truth is, and stay on their device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from data_parallel import data_layout
from flax import nnx
from tiny_training import arguments, noisy_start

from weatherml.data.loading.samples import Batch
from weatherml.grid import LatLonGrid
from weatherml.models import NoiseMapsConfig, Step
from weatherml.models.weights import split_weights, weights_of
from weatherml.training import LossConfig
from weatherml.training.objective.losses import EnsembleLoss, Loss, registry
from weatherml.training.objective.rollout import N_KEPT, Noise, rollout_loss
from weatherml.training.update.step import Draws, build_update, initial_state
from weatherml.training.validation.loss import build_validate

N_DEVICES = 8
BATCH, CHANNEL, LAT, LON = 6, 2, 4, 7
MAPS = NoiseMapsConfig(lengths=(4000, 4000)).build(LatLonGrid.regular(LAT, LON))
SPREAD = 0.4


class Additive(nnx.Module):
    """The state times a number, plus one random map for each channel times another."""

    def __init__(self):
        self.gain, self.strength = nnx.Param(jnp.float32(0.7)), nnx.Param(jnp.float32(0.1))

    def __call__(self, x, key=None):
        return self.gain[...] * x[:, :CHANNEL] + self.strength[...] * x[:, CHANNEL:]


def additive():
    return Step(Additive(), None, np.ones((CHANNEL, LAT, LON), bool), n_noise=CHANNEL)


def loss_of(function, members):
    weights = jnp.full((CHANNEL, LAT, LON), 1 / (CHANNEL * LAT * LON))
    return Loss(weights, jnp.ones((CHANNEL, 1, 1)), function, members)


def told(seed, size=BATCH):
    return Noise(MAPS, jax.random.split(jax.random.key(seed), size))


def batch(n_steps=1, size=BATCH, seed=0):
    """States that keep their value but for what maps of `SPREAD` add in every step."""
    first = np.random.default_rng(seed).normal(size=(size, 1, CHANNEL, LAT, LON))
    steps = SPREAD * jax.vmap(MAPS.draw)(told(seed, size).keys(1, n_steps))
    states = np.concatenate([first, first + np.cumsum(steps, axis=1)], axis=1).astype(np.float32)
    return Batch(states, np.zeros((size, n_steps + 1, 0, LAT, LON), np.float32))


@pytest.mark.parametrize(("name", "members", "learnt"), [("crps", 2, SPREAD), ("crps", 4, SPREAD), ("mse", 1, 0)])
def test_spread_is_learnt_from_crps_and_not_from_the_mean_squared_error(name, members, learnt):
    step, optimizer, data = additive(), optax.adam(0.02), batch(size=200)
    update = build_update(step, loss_of(registry[name], members), optimizer, 0.9, data_layout(), Draws(maps=MAPS))
    state = data_layout().placed(initial_state(weights_of(step), optimizer))
    for _ in range(150):
        state, _ = update(state, data)
    assert float(state.average["network.gain"]) == pytest.approx(1, abs=0.05)
    assert abs(float(state.average["network.strength"])) == pytest.approx(learnt, abs=0.15 * SPREAD)


def test_every_step_of_every_forecast_is_told_maps_of_its_own():
    step, data = additive(), batch(3, seed=2)
    step.network.gain[...], step.network.strength[...] = 1.0, SPREAD
    loss = loss_of(registry["mae"], 1)
    assert float(rollout_loss(step, loss, data, noise=told(2))) < 1e-6
    assert float(rollout_loss(step, loss, data)) > 0.5 * SPREAD


def test_members_are_judged_by_the_truth_of_their_own_sample():
    largest = EnsembleLoss(lambda forecast, truth, weights: jnp.abs(forecast - truth).max())
    step = additive()
    step.network.gain[...], step.network.strength[...] = 1.0, 0.0
    data = batch(2)
    still = Batch(data.state[:, :1].repeat(3, 1), data.forcing)
    noise = told(1)
    assert float(rollout_loss(step, loss_of(largest, 3), still, noise=noise)) == 0
    assert float(rollout_loss(step, loss_of(largest, 3), data, noise=noise)) > 0


def test_validation_tells_the_same_maps_every_time():
    step, data = additive(), batch(2)
    weights, loss = weights_of(step), loss_of(registry["crps"], 3)
    values = [float(build_validate(step, loss, data_layout(), Draws(seed, MAPS))(weights, data)) for seed in (4, 4, 5)]
    assert values[0] == values[1] != values[2]
    assert values[0] != float(rollout_loss(step, loss, data))


def print_sharded():
    """Say how far the loss and the gradient of eight devices are from those of one, and what devices exchange."""
    _, start, training, _ = arguments(noisy_start())
    loss = LossConfig(name="crps", members=3).build(start.normalizer.statistics)
    data = training.with_n_steps(N_KEPT + 1).gather(list(range(0, 2 * N_DEVICES, 2)))
    rebuild, constants = split_weights(start.build_step())

    def objective(weights, data):
        noise = Noise(start.build_noise(), jax.random.split(jax.random.key(3), len(data.state)))
        return rollout_loss(rebuild(weights, constants), loss, data, noise=noise)

    evaluate, weights = jax.jit(jax.value_and_grad(objective)), dict(start.weights)
    alone = jax.device_get(evaluate(weights, data))
    spread = data_layout().placed(weights), data_layout().place_batch(data)
    together = jax.device_get(evaluate(*spread))
    program = evaluate.lower(*spread).compile().as_text()
    exchanges = [name for name in ("all-gather", "all-to-all", "collective-permute") if name in program]
    print(json.dumps({"error": _error(together, alone), "exchanges": exchanges}))


def _error(ours, expected):
    ratios = jax.tree.map(lambda a, b: float(np.abs(a - b).max() / np.abs(b).max()), ours, expected)
    return max(jax.tree.leaves(ratios))


@pytest.fixture(scope="module")
def sharded():
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={N_DEVICES}",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]]),
    }
    code = "import test_noise_conditioned_training as own; own.print_sharded()"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_eight_devices_give_the_loss_and_the_gradient_of_one(sharded):
    assert sharded["error"] < 1e-5


def test_members_stay_on_the_device_of_their_sample(sharded):
    assert sharded["exchanges"] == []
