"""Laws of counting operations: as written, by type, as often as they run."""

import jax
import jax.numpy as jnp
import pytest

from weatherml.plan.counting import TRANSCENDENTAL, count

X = jax.ShapeDtypeStruct((6, 10), jnp.float32)
W = jax.ShapeDtypeStruct((10, 10), jnp.float32)
ONE = 2 * 6 * 10 * 10


def counted(function, *arguments):
    return count(jax.jit(function).trace(*arguments).jaxpr)


def test_products_count_by_what_their_inputs_are_computed_as():
    assert counted(lambda x, w: x @ w, X, W) == {"tensorfloat32": ONE}
    highest = jax.lax.Precision.HIGHEST
    assert counted(lambda x, w: jnp.matmul(x, w, precision=highest), X, W) == {"float32": ONE}
    half = counted(lambda x, w: x.astype(jnp.bfloat16) @ w.astype(jnp.bfloat16), X, W)
    assert half == {"bfloat16": ONE}


def test_a_gradient_is_two_more_products_and_what_is_computed_again_counts_again():
    def loss(w, x, block):
        return (block(block(x, w), w) ** 2).sum()

    def block(x, w):
        return jnp.exp(x @ w)

    plain = counted(jax.grad(lambda w, x: loss(w, x, block)), W, X)
    again = counted(jax.grad(lambda w, x: loss(w, x, jax.checkpoint(block))), W, X)
    assert plain["tensorfloat32"] == 5 * ONE  # no gradient of the first input
    assert plain[TRANSCENDENTAL] == 2 * 60
    assert again["tensorfloat32"] == 7 * ONE
    assert again[TRANSCENDENTAL] == 4 * 60


@pytest.mark.parametrize("length", [3, 11])
def test_loops_count_as_often_as_they_run(length):
    def run(x, w):
        return jax.lax.scan(lambda y, _: (jnp.tanh(y @ w), None), x, None, length=length)[0]

    assert counted(run, X, W) == {"tensorfloat32": length * ONE, TRANSCENDENTAL: length * 60}


def test_the_longest_branch_counts():
    def run(x, w):
        return jax.lax.cond(x[0, 0] > 0, lambda: x @ w @ w, lambda: x @ w)

    assert counted(run, X, W)["tensorfloat32"] == 2 * ONE
