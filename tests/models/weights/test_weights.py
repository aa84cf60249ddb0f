import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from weatherml.models import Step
from weatherml.models.weights import split_weights, weights_of, with_weights


def build(seed=0):
    network = nnx.Sequential(nnx.Linear(3, 4, rngs=nnx.Rngs(seed)), nnx.Linear(4, 2, rngs=nnx.Rngs(seed + 1)))
    return Step(network, np.ones(2), np.ones((2, 5, 6), bool))


def test_names_are_paths_and_constants_are_not_weights():
    assert {name: array.shape for name, array in weights_of(build()).items()} == {
        "network.layers.0.kernel": (3, 4),
        "network.layers.0.bias": (4,),
        "network.layers.1.kernel": (4, 2),
        "network.layers.1.bias": (2,),
    }


def test_weights_move_from_one_module_to_another_and_leave_it_alone():
    giver, taker = build(0), build(7)
    before = {name: np.array(array) for name, array in weights_of(taker).items()}
    moved = with_weights(taker, weights_of(giver))
    for name, array in weights_of(giver).items():
        np.testing.assert_array_equal(weights_of(moved)[name], array)
        np.testing.assert_array_equal(weights_of(taker)[name], before[name])
    np.testing.assert_array_equal(moved.valid[...], taker.valid[...])


def test_an_abstract_module_takes_weights():
    abstract = nnx.eval_shape(lambda: nnx.Linear(3, 4, rngs=nnx.Rngs(0)))
    weights = {"kernel": jnp.ones((3, 4)), "bias": jnp.arange(4.0)}
    np.testing.assert_array_equal(with_weights(abstract, weights)(jnp.ones(3)), 3 + np.arange(4.0))


def test_a_module_can_be_rebuilt_inside_a_compiled_function():
    linear = nnx.Linear(3, 4, rngs=nnx.Rngs(0))
    rebuild, constants = split_weights(linear)
    compiled = jax.jit(lambda w, c, x: rebuild(w, c)(x))
    x = jnp.arange(3.0)
    np.testing.assert_allclose(compiled(weights_of(linear), constants, x), linear(x), rtol=1e-6)
