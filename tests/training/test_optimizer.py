import jax.numpy as jnp
import numpy as np
from flax import nnx

from weatherml.models import FourCastNet, FourCastNetConfig
from weatherml.models.weights import weights_of
from weatherml.training import OptimizerConfig, Stage
from weatherml.training.update.optimizer import decays, update_average

STAGES = (Stage(n_steps=50, learning_rate=1e-2),)


def test_norms_biases_and_positions_do_not_decay_and_everything_else_of_fourcastnet_does():
    network = nnx.eval_shape(
        lambda: FourCastNet(FourCastNetConfig(patch=2, width=8, depth=1, n_blocks=2), 3, 2, (4, 6), rngs=nnx.Rngs(0))
    )
    chosen = {name for name, does in decays(weights_of(network)).items() if does}
    assert chosen == {
        "blocks.0.filter.w1",
        "blocks.0.filter.w2",
        "blocks.0.mlp.contract.kernel",
        "blocks.0.mlp.expand.kernel",
        "embed.kernel",
        "head.kernel",
    }


def test_weight_decay_is_decoupled_from_the_gradient():
    weights = {"a.kernel": jnp.full(3, 2.0), "a.bias": jnp.full(3, 2.0)}
    optimizer = OptimizerConfig(weight_decay=0.1, warm_up=0).build(STAGES)
    zero = {name: jnp.zeros(3) for name in weights}
    changes, _ = optimizer.update(zero, optimizer.init(weights), weights)
    np.testing.assert_allclose(changes["a.kernel"], -1e-2 * 0.1 * 2.0, rtol=1e-6)
    np.testing.assert_array_equal(changes["a.bias"], 0)


def test_a_gradient_beyond_the_clip_norm_acts_as_one_of_that_norm():
    weights = {"a.kernel": jnp.ones(4)}
    optimizer = OptimizerConfig(clip_norm=0.5).build(STAGES)
    of_norm = {"a.kernel": jnp.array([0.3, 0.4, 0.0, 0.0])}
    beyond = {"a.kernel": 1e4 * of_norm["a.kernel"]}
    _, moments = optimizer.update({"a.kernel": jnp.full(4, 0.1)}, optimizer.init(weights), weights)
    expected, _ = optimizer.update(of_norm, moments, weights)
    changes, _ = optimizer.update(beyond, moments, weights)
    np.testing.assert_allclose(changes["a.kernel"], expected["a.kernel"], rtol=1e-5)


def test_the_average_forgets_as_fast_as_its_decay_says_once_it_is_warm():
    average = {"w": jnp.array(1.0)}
    for step in range(1000, 1020):
        average = update_average(average, {"w": jnp.array(0.0)}, jnp.int32(step), 0.9)
    np.testing.assert_allclose(average["w"], 0.9**20, rtol=1e-5)


def test_the_average_is_mostly_of_recent_weights_from_the_first_step():
    first = update_average({"w": jnp.array(1.0)}, {"w": jnp.array(0.0)}, jnp.int32(0), 0.999)
    np.testing.assert_allclose(first["w"], 1 / 10, rtol=1e-6)
