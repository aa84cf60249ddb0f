"""What is kept for a gradient changes its memory and its time, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_models import SMALL

from weatherml.models.layers.remat import keeping
from weatherml.models.weights import split_weights, weights_of

BATCH = 2


def problem(name):
    """Return a function from weights to what a network's output misses of a target, and weights."""
    small = SMALL[name]
    network, rng = small.abstract(), np.random.default_rng(2)
    weights = {name: jnp.asarray(rng.normal(0, 0.2, a.shape), a.dtype) for name, a in weights_of(network).items()}
    rebuild, constants = split_weights(network)
    x, target = small.fields(BATCH)
    keys = jax.random.split(jax.random.key(1), BATCH)

    def squared_error(weights):
        return jnp.square(rebuild(weights, constants)(x, keys) - target).mean()

    return squared_error, weights


def kept(name, policy, between="float32"):
    """Return the bytes of what a gradient keeps from the way there for the way back, weights left out."""
    function, weights = problem(name)
    with keeping(policy, between):
        pull = jax.eval_shape(lambda w: jax.vjp(function, w)[1], weights)
    held = {(array.shape, array.dtype) for array in weights.values()}
    return sum(a.size * a.dtype.itemsize for a in jax.tree.leaves(pull) if (a.shape, a.dtype) not in held)


def test_a_gradient_of_blocks_computed_again_is_the_same():
    function, weights = problem("convnet")  # the one that compiles soonest
    (loss, gradient) = jax.jit(jax.value_and_grad(function))(weights)
    with keeping("blocks"):
        again, of_again = jax.jit(jax.value_and_grad(lambda w: function(w)))(weights)
    assert float(again) == pytest.approx(float(loss), rel=1e-6)
    largest = max(float(jnp.abs(g).max()) for g in gradient.values())
    for own in gradient:
        np.testing.assert_allclose(of_again[own], gradient[own], rtol=1e-4, atol=1e-5 * largest, err_msg=own)


@pytest.mark.parametrize("name", SMALL)
def test_each_policy_keeps_less_than_the_one_before(name):
    everything, products, blocks = (kept(name, policy) for policy in ("none", "products", "blocks"))
    assert everything > products
    assert blocks == products if name == "convnet" else blocks < products  # convolutions are no matrix products


def test_attention_is_kept_beside_what_enters_a_block():
    assert kept("pangu", "blocks") < kept("pangu", "attention") < kept("pangu", "products")


@pytest.mark.parametrize("name", SMALL)
def test_what_passes_between_blocks_is_kept_in_bfloat16_where_that_is_asked_for(name):
    assert kept(name, "blocks", "bfloat16") < kept(name, "blocks")


@pytest.mark.parametrize("name", SMALL)
def test_a_forecast_computes_what_it_computed_before(name):
    """Outside of `keeping` no program holds a block that is computed again, and within it leaves none behind."""
    function, weights = problem(name)
    before = str(jax.make_jaxpr(lambda w: function(w))(weights))
    with keeping("blocks"):
        within = str(jax.make_jaxpr(lambda w: function(w))(weights))
    assert str(jax.make_jaxpr(lambda w: function(w))(weights)) == before
    assert within.count("prevent_cse") > before.count("prevent_cse")
