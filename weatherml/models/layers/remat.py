"""What of a network's blocks is kept for its gradient, and what is computed once more (rematerialisation).

A network calls its blocks by `through`. Who traces its gradient says what is kept, by `keeping`; a network by itself
knows none of it, and outside of `keeping` its program is the same as if the blocks were called.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

ATTENTION = "attention"
"""Name of what attention over windows gives: large to compute, small to keep."""

Policy = Literal["none", "products", "attention", "blocks"]
"""From the fastest to the smallest: `none` computes nothing again, `products` all but matrix products with weights,
`attention` all but what attention gives, `blocks` everything from what enters a block."""

_POLICIES: dict[Policy, Callable[..., bool]] = {
    "products": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    "attention": jax.checkpoint_policies.save_only_these_names(ATTENTION),
    "blocks": jax.checkpoint_policies.nothing_saveable,
}


@dataclass(frozen=True)
class _Kept:
    policy: Policy
    between: jnp.dtype
    apart: bool


_kept: ContextVar[_Kept | None] = ContextVar("kept", default=None)


@contextmanager
def keeping(policy: Policy, between: jnp.dtype | str = "float32", apart: bool = False) -> Iterator[None]:
    """Say what gradients that are traced here keep of every block.

    Args:
        policy: Its name.
        between: Type in which what passes from block to block is kept, rounded to it where it is finer.
        apart: Whether each block is hidden from a compiler that would make one of what is to be computed twice.
    """
    token = _kept.set(_Kept(policy, jnp.dtype(between), apart))
    try:
        yield
    finally:
        _kept.reset(token)


def through(block: Callable[..., Array], x: Array, *others: Any) -> Array:
    """Return `block(x, *others)`, whose gradient keeps what is asked for.

    Args:
        block: Whatever weights it holds are not copied.
        x: What enters; for most policies the only activation that is kept.
        others: What else the block takes, such as a key.
    """
    kept = _kept.get()
    if kept is None or kept.policy == "none":
        return block(x, *others)

    between = min(x.dtype, kept.between, key=lambda dtype: dtype.itemsize)

    def rounded(stored: Array) -> Array:
        return block(stored.astype(x.dtype), *others).astype(between)

    again = jax.checkpoint(rounded, policy=_POLICIES[kept.policy], prevent_cse=not kept.apart)
    y: Array = (_hidden(again) if kept.apart else again)(x.astype(between))
    return y.astype(x.dtype)


def _hidden(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return a function in a branch that is always taken, though no compiler can know.

    Buffers of a branch live in it alone, and nothing is shared with what is outside. Where the first number is infinite
    or none, which nothing is made better by, the branch is not taken, and the number stays.
    """

    def hidden(x: Array) -> Array:
        shape = jax.eval_shape(function, x)
        is_number = x[(0,) * x.ndim] < jnp.inf
        chosen: Array = jax.lax.cond(is_number, function, lambda x: jnp.broadcast_to(x[(0,) * x.ndim], shape.shape), x)
        return chosen

    return hidden
