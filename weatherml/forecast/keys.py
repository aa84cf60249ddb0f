"""Random keys of members: from seed, initial time, number and step alone."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def hours_since_1970(times: np.ndarray | np.datetime64) -> np.ndarray:
    """Return whole hours, int64, of the shape of `times`."""
    return np.asarray(times).astype("datetime64[h]").astype(np.int64)


def member_keys(seed: int, init_times: np.ndarray, numbers: np.ndarray, step: int) -> Array:
    """Return a random key for each member: seed, initial time in hours, number and step folded in, in that order.

    Args:
        seed: Below 2³².
        init_times: `datetime64` [batch].
        numbers: Of the members [batch].
        step: Of the rollout; 0 is the initial state.

    Returns:
        Typed keys [batch].
    """
    hours = hours_since_1970(init_times)
    low, high = (hours & 0xFFFFFFFF).astype(np.uint32), (hours >> 32 & 0xFFFFFFFF).astype(np.uint32)
    words = np.stack([high, low, numbers.astype(np.uint32), np.full_like(high, step)])
    keys: Array = _fold(np.uint32(seed), words)
    return keys


@jax.jit
def _fold(seed: Array, words: Array) -> Array:
    """Fold `words` [word, batch] into keys [batch]."""
    keys = jnp.broadcast_to(jax.random.key(seed), words.shape[1:])
    for word in words:
        keys = jax.vmap(jax.random.fold_in)(keys, word)
    return keys
