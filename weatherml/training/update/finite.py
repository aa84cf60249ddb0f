"""Weights learn nothing of a loss or a gradient that is not finite."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array

Tree = TypeVar("Tree")


def unless_finite_as_before(before: Tree, after: Tree, *told: Array) -> Tree:
    """Return what an update made, or what there was before it where something told of it is not finite.

    Counts go on in any case: learning rates and what is random follow the number of the step.

    Args:
        before: Arrays of any kind.
        after: The same after the update.
        told: Scalars: the loss, the norm of the gradient.
    """
    is_finite = jnp.isfinite(jnp.stack([jnp.asarray(value, jnp.float32) for value in told])).all()

    def chosen(old: Array, new: Array) -> Array:
        return new if jnp.issubdtype(new.dtype, jnp.integer) else jnp.where(is_finite, new, old)

    kept: Tree = jax.tree.map(chosen, before, after)
    return kept
