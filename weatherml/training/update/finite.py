"""Weights learn nothing of a loss or a gradient that is not finite."""

from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import optax
from jax import Array

Tree = TypeVar("Tree")


def unless_finite_as_before(before: Tree, after: Tree, *told: Array) -> Tree:
    """Return what an update made, or what there was before it where something told of it is not finite.

    Counts of updates stay, too: moments that took in nothing are not one more update old. Only schedules go on, for
    learning rates follow the number of the step.

    Args:
        before: Arrays of any kind, and states of an optimiser.
        after: The same after the update.
        told: Scalars: the loss, the norm of the gradient.
    """
    is_finite = jnp.isfinite(jnp.stack([jnp.asarray(value, jnp.float32) for value in told])).all()

    def chosen(old: Any, new: Any) -> Any:
        return new if _is_schedule(new) else jnp.where(is_finite, new, old)

    kept: Tree = jax.tree.map(chosen, before, after, is_leaf=_is_schedule)
    return kept


def _is_schedule(state: Any) -> bool:
    return isinstance(state, optax.ScaleByScheduleState)
