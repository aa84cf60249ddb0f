"""Gradients of a large batch from small ones: what does not fit in memory at once is computed part by part."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

Tree = TypeVar("Tree")
Result = TypeVar("Result")


def mean_over_parts(function: Callable[[Tree], Result], batch: Tree, n_parts: int) -> Result:
    """Return the mean of `function` over equal parts of a batch, one after another.

    It is `function(batch)` up to rounding where that is a mean over samples, as losses and their gradients are, and
    needs the memory of one part and of one more result. A part takes every `n_parts`-th sample, so that where the batch
    is spread over devices every part is, and no sample moves.

    Args:
        function: Of arrays `[batch / n_parts, ...]` to arrays of any shape.
        batch: Arrays `[batch, ...]`.
        n_parts: Divides the batch.
    """
    if n_parts == 1:
        return function(batch)
    split = jax.tree.map(lambda a: jnp.reshape(a, (len(a) // n_parts, n_parts, *a.shape[1:])), batch)

    def part(index: Array | int) -> Tree:
        taken: Tree = jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, index, 1, keepdims=False), split)
        return taken

    def add(total: Result, index: Array) -> tuple[Result, None]:
        return jax.tree.map(jnp.add, total, function(part(index))), None

    zero = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(lambda: function(part(0))))
    total, _ = lax.scan(add, zero, jnp.arange(n_parts))
    mean: Result = jax.tree.map(lambda a: a / n_parts, total)
    return mean
