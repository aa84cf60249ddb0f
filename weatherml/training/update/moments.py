"""How an optimiser keeps what it remembers of gradients, and in how many bytes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

_SMALLEST_FACTORED = 8
"""Rows and columns from which a second moment is factored: below, both would take about as much as the whole."""

_MOST_AT_ONCE = 1.0
"""Root mean square of the change of a weight, in learning rates, to which Adafactor scales a larger one down."""


def adam(beta1: float, beta2: float) -> optax.GradientTransformation:
    """Return Adam's scaling of gradients with both moments in float32: 8 bytes a weight."""
    return optax.scale_by_adam(beta1, beta2)


def adam_in_bfloat16(beta1: float, beta2: float) -> optax.GradientTransformation:
    """Return Adam's scaling of gradients with both moments in bfloat16: 4 bytes a weight."""
    return stored_in_bfloat16(adam(beta1, beta2))


def factored_adam(beta1: float, beta2: float) -> optax.GradientTransformation:
    """Return Adafactor's scaling (arXiv 1804.04235) with a first moment in bfloat16: 2 bytes a weight and little more.

    The memory of the squared gradient grows with the steps towards all of them, as published; `beta2` is passed over.
    """
    del beta2
    return optax.chain(
        optax.scale_by_factored_rms(min_dim_size_to_factor=_SMALLEST_FACTORED),
        optax.clip_by_block_rms(_MOST_AT_ONCE),
        optax.ema(beta1, debias=True, accumulator_dtype=jnp.bfloat16),
    )


class Stored(NamedTuple):
    """The state of another transformation, its floating-point arrays in bfloat16.

    Attributes:
        inner: That state.
        n_updates: So far, from which rounding is drawn.
    """

    inner: Any
    n_updates: Array


def stored_in_bfloat16(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """Return a transformation that computes in float32 and keeps its state in bfloat16.

    A running mean of long memory changes by less in a step than bfloat16 tells apart (4 in 1000), and would stand
    still. So it is rounded up or down at random, with the probabilities that keep its expectation.
    """

    def init(weights: Any) -> Stored:
        return Stored(jax.tree.map(_short, inner.init(weights)), jnp.int32(0))

    def update(gradient: Any, state: Stored, weights: Any = None) -> tuple[Any, Stored]:
        changes, after = inner.update(gradient, jax.tree.map(_long, state.inner), weights)
        return changes, Stored(_rounded(after, state.n_updates), state.n_updates + 1)

    return optax.GradientTransformation(init, update)


def _short(array: Array) -> Array:
    return array.astype(jnp.bfloat16) if array.dtype == jnp.float32 else array


def _long(array: Array) -> Array:
    return array.astype(jnp.float32) if array.dtype == jnp.bfloat16 else array


def _rounded(state: Any, n_updates: Array) -> Any:
    """Return a state with its float32 arrays rounded at random.

    All arrays take the same bits, drawn once: rounding needs no more, and XLA compiles every draw anew.
    """
    largest = max((array.size for array in jax.tree.leaves(state) if array.dtype == jnp.float32), default=0)
    bits = jax.random.bits(jax.random.fold_in(jax.random.key(0), n_updates), (largest,), jnp.uint16)

    def one(array: Array) -> Array:
        return round_at_random(array, bits[: array.size].reshape(array.shape)) if array.dtype == jnp.float32 else array

    return jax.tree.map(one, state)


def round_at_random(x: Array, bits: Array) -> Array:
    """Return `x` in bfloat16, whose expectation over random `bits` is `x`.

    Args:
        x: float32.
        bits: uint16 of the same shape.
    """
    whole = jax.lax.bitcast_convert_type(x, jnp.uint32)
    whole = (whole + bits.astype(jnp.uint32)) & jnp.uint32(0xFFFF0000)
    rounded = jax.lax.bitcast_convert_type(whole, jnp.float32)
    return jnp.where(jnp.isfinite(x), rounded, x).astype(jnp.bfloat16)
