"""What saves memory of a device: the same training in parts, in fewer bytes, from memory of the host."""

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from data_parallel import data_layout
from flax import nnx
from small_models import SMALL
from tiny_training import TRAINING, config, noisy_start, samples

from weatherml.data.loading.samples import Batch
from weatherml.errors import UserError
from weatherml.models import Step
from weatherml.models.layers.remat import through
from weatherml.models.weights import weights_of, with_weights
from weatherml.training import LossConfig, OptimizerConfig, Stage
from weatherml.training.objective.losses import Loss, mean_squared_error
from weatherml.training.update.accumulation import mean_over_parts
from weatherml.training.update.device_memory import DeviceMemoryConfig
from weatherml.training.update.moments import round_at_random
from weatherml.training.update.step import Draws, build_update, initial_state, offloaded
from weatherml.training.validation.loss import build_validate

BATCH, STAGES = 4, (Stage(n_steps=40, learning_rate=3e-3),)
SAVERS = {
    "none": {},
    "parts": {"accumulate": 4, "remat": "blocks"},
    "offload": {"offload": ("average", "moments")},
    "bfloat16 moments": {"moments": "bfloat16"},
    "factored moments": {"moments": "factored"},
    "bfloat16 between blocks": {"remat": "blocks", "between_blocks": "bfloat16"},
}


def task(dtype):
    """Return a step of a small FourCastNet that drops paths, a loss, and a batch whose truth it can learn in part."""
    small, rng = SMALL["fourcastnet"], np.random.default_rng(3)
    network = small.abstract(dtype=dtype)
    weights = {name: jnp.asarray(rng.normal(0, 0.1, a.shape), a.dtype) for name, a in weights_of(network).items()}
    n_channels, *grid = small.spec.shape
    step = Step(with_weights(network, weights), None, np.ones(small.spec.shape, bool))
    even = jnp.full(small.spec.shape, 1 / math.prod(small.spec.shape))
    state = rng.normal(size=(BATCH, 2, n_channels, *grid)).astype(np.float32)
    state[:, 1] = 0.7 * np.roll(state[:, 0], 1, axis=-1)
    batch = Batch(state, rng.normal(size=(BATCH, 2, 1, *grid)).astype(np.float32))
    return step, Loss(even, jnp.ones((n_channels, 1, 1)), mean_squared_error), batch


class Training:
    """A compiled step with such savers, and the state that it begins with."""

    def __init__(self, dtype, settings):
        memory, (step, loss, self.batch) = DeviceMemoryConfig(**settings), task(dtype)
        optimizer = OptimizerConfig(clip_norm=100.0).build(STAGES, memory.moments)
        update = build_update(step, loss, optimizer, 0.9, data_layout(), Draws(5), memory)
        placed = data_layout().placed(initial_state(weights_of(step), optimizer))
        self.start, self.told = offloaded(placed, memory.offload), update.told
        self.program = update.lower(self.start, self.batch).compile()

    def run(self, n_steps):
        """Return the state after some steps, and the losses."""
        state = jax.tree.map(lambda array: jax.device_put(np.array(array), array.sharding), self.start)
        losses = []
        for _ in range(n_steps):
            state, outcome = self.program(state, self.told, self.batch)
            losses.append(float(outcome.loss))
        return state, np.asarray(losses)


@cache
def training(saver, dtype="float32"):
    return Training(dtype, SAVERS[saver])


@pytest.fixture(scope="module")
def plain():
    """Return what a training of 40 steps gives that saves nothing."""
    return training("none").run(40)


def moments_of(state):
    """Return the moments among what the optimiser keeps."""

    def has_moments(node):
        return hasattr(node, "mu")

    (found,) = filter(has_moments, jax.tree.leaves(state.optimizer, is_leaf=has_moments))
    return found


@pytest.mark.parametrize("saver", ["parts", "offload"])
def test_savers_that_round_nothing_leave_the_training_as_it_is(plain, saver):
    """Paths that are dropped included: what a sample draws does not depend on the part it is in."""
    _, losses = training(saver).run(3)
    np.testing.assert_allclose(losses, plain[1][:3], rtol=1e-5)


def test_a_gradient_in_parts_of_blocks_computed_again_is_that_of_the_batch():
    whole, parts = (moments_of(training(saver).run(1)[0]).mu for saver in ("none", "parts"))
    for name in whole:
        largest = float(jnp.abs(whole[name]).max())
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-5 * largest, err_msg=name)


def test_a_batch_without_forcings_is_split():
    batch = Batch(np.arange(16.0).reshape(4, 2, 1, 1, 2), np.zeros((4, 2, 0, 1, 2)))
    first = mean_over_parts(lambda part: (part.state.mean(), jnp.array(part.forcing.shape)), batch, 2)
    assert float(first[0]) == 7.5 and first[1].tolist() == [2, 2, 0, 1, 2]


def test_members_and_maps_are_the_same_in_parts():
    start = noisy_start()
    loss = LossConfig(name="crps", members=3).build(start.normalizer.statistics)
    data = samples(start, TRAINING).with_n_steps(2).gather([0, 3, 5, 8])
    step, draws = start.build_step(), Draws(1, start.build_noise())
    whole, parts = (build_validate(step, loss, data_layout(), draws, n)(start.weights, data) for n in (1, 2))
    assert float(parts) == pytest.approx(float(whole), rel=1e-5)


@pytest.mark.parametrize(("kept", "n_bytes", "tolerance"), [("bfloat16", 4, 0.02), ("factored", 3, 0.15)])
def test_an_optimiser_that_keeps_less_learns_as_much(plain, kept, n_bytes, tolerance):
    """Of matrices of 24 rows and columns, a factored moment leaves a tenth."""
    state, losses = training(f"{kept} moments").run(40)
    n_weights = sum(array.size for array in state.weights.values())
    assert sum(array.nbytes for array in jax.tree.leaves(state.optimizer)) < (n_bytes + 0.1) * n_weights
    learnt = plain[1][0] - plain[1][-5:].mean()
    assert learnt > 0.2 * plain[1][0]
    assert losses[0] - losses[-5:].mean() == pytest.approx(learnt, rel=tolerance)


def test_rounding_at_random_keeps_the_mean_where_rounding_to_the_nearest_stands_still():
    x = jnp.full(2**16, 1 + 2**-10, jnp.float32)
    bits = jax.random.bits(jax.random.key(0), x.shape, jnp.uint16)
    rounded = round_at_random(x, bits)
    assert rounded.dtype == jnp.bfloat16 and set(np.unique(rounded).tolist()) == {1.0, 1 + 2**-7}
    assert float(rounded.astype(jnp.float32).mean()) - 1 == pytest.approx(2**-10, rel=0.1)
    assert float(x.astype(jnp.bfloat16).astype(jnp.float32).mean()) == 1
    odd = jnp.array([jnp.nan, jnp.inf, -jnp.inf, 0], jnp.float32)
    np.testing.assert_array_equal(round_at_random(odd, bits[:4] | 0xFFFF).astype(jnp.float32), odd)


def test_products_and_what_passes_between_blocks_in_bfloat16_track_float32(plain):
    """Losses stay within 2 % of those of float32, and all that is kept from step to step is float32."""
    state, losses = training("bfloat16 between blocks", "bfloat16").run(40)
    np.testing.assert_allclose(losses, plain[1], rtol=0.02)
    assert np.abs(losses / plain[1] - 1).max() > 1e-6
    floats = [array.dtype for array in jax.tree.leaves(state) if jnp.issubdtype(array.dtype, jnp.floating)]
    assert set(floats) == {jnp.dtype("float32")}


@pytest.mark.parametrize("saver", ["none", "parts", "offload", "bfloat16 moments", "factored moments"])
def test_a_step_takes_the_place_of_all_that_it_consumes(saver):
    memory, arrays = training(saver).program.memory_analysis(), jax.tree.leaves(training(saver).start)
    # Where a moment is factored, arrays of one number stand for what is not there.
    held = sum(array.nbytes for array in arrays if array.size > 1)
    assert memory.alias_size_in_bytes + memory.host_alias_size_in_bytes >= held


class Deep(nnx.Module):
    """Blocks that are eight times as wide inside as between."""

    def __init__(self):
        wide = {"kernel_init": nnx.initializers.constant(0.1), "rngs": nnx.Rngs(0)}
        self.expand = nnx.List([nnx.Linear(4, 32, **wide) for _ in range(6)])
        self.contract = nnx.List([nnx.Linear(32, 4, **wide) for _ in range(6)])

    def __call__(self, x, key=None):
        tokens = jnp.moveaxis(x, 1, -1)
        for block in range(6):
            tokens = through(lambda x, i=block: x + self.contract[i](jnp.tanh(self.expand[i](x))), tokens)
        return jnp.moveaxis(tokens, -1, 1)


def test_the_compiled_step_takes_less_memory_where_blocks_are_computed_again():
    """On the processor, too, whose compiler would rather compute once."""
    step = Step(Deep(), None, np.ones((4, 32, 64), bool))
    loss = Loss(jnp.full((4, 32, 64), 1 / 2**13), jnp.ones((4, 1, 1)), mean_squared_error)
    batch = Batch(np.ones((2, 2, 4, 32, 64), np.float32), np.ones((2, 2, 0, 32, 64), np.float32))

    def temporary(remat):
        optimizer = optax.sgd(0.1)
        memory = DeviceMemoryConfig(remat=remat)
        update = build_update(step, loss, optimizer, 0.9, data_layout(), device_memory=memory)
        program = update.lower(initial_state(weights_of(step), optimizer), batch).compile()
        return program.memory_analysis().temp_size_in_bytes

    again, kept = temporary("blocks"), temporary("none")
    assert again < 0.6 * kept


def test_what_is_offloaded_lies_in_memory_of_the_host_after_a_step():
    state, _ = training("offload").run(1)
    parts = {"weights": state.weights, "average": state.average, "moments": moments_of(state).nu}
    kinds = {name: {array.sharding.memory_kind for array in part.values()} for name, part in parts.items()}
    assert kinds == {"weights": {"device"}, "average": {"pinned_host"}, "moments": {"pinned_host"}}


def test_the_number_of_parts_that_is_named_divides_the_batches_of_all_stages():
    two = (Stage(n_steps=1, learning_rate=1e-3, batch_size=4), Stage(n_steps=1, learning_rate=1e-3))
    with pytest.raises(UserError, match="accumulate 3 does not divide batch_size 4, 6; 2 does"):
        config(batch_size=6, stages=two, device_memory={"accumulate": 3})
    shares = config(batch_size=6, stages=two, device_memory={"accumulate": 2}).shares
    assert [share.at_once for share in shares] == [(2, 3), (3, 3)]


def test_rounding_between_blocks_is_refused_where_it_saves_nothing():
    with pytest.raises(UserError, match="set remat to products, attention or blocks"):
        DeviceMemoryConfig(between_blocks="bfloat16")
