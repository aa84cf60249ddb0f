"""Random keys of members: from seed, initial time, number and step alone."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def hours_since_1970(times: np.ndarray | np.datetime64) -> np.ndarray:
    """Return whole hours, int64, of the shape of `times`."""
    return np.asarray(times).astype("datetime64[h]").astype(np.int64)


def member_keys(seed: int, init_times: np.ndarray, numbers: np.ndarray) -> Array:
    """Return a random key for each member: seed, initial time and number folded in, in that order.

    Of the initial time those are the hours since 1970 and, only where there are some, the nanoseconds beyond them.

    Args:
        seed: Below 2³².
        init_times: `datetime64` [batch].
        numbers: Of the members [batch].

    Returns:
        Typed keys [batch].
    """
    beyond = init_times - init_times.astype("datetime64[h]")
    words = _words(hours_since_1970(init_times)), _words(beyond.astype("timedelta64[ns]").astype(np.int64))
    keys: Array = _member_keys(np.uint32(seed), *words, numbers.astype(np.uint32))
    return keys


@jax.jit
def step_keys(members: Array, steps: Array) -> Array:
    """Return the keys of members `[batch]` for steps of any shape, `[*steps, batch]`; 0 is the initial state."""
    return jax.vmap(lambda step: _fold(members, step))(jnp.ravel(steps)).reshape(*jnp.shape(steps), *members.shape)


def _words(values: np.ndarray) -> np.ndarray:
    """Return int64 [batch] as pairs of uint32, the high ones first, `[2, batch]`."""
    return np.stack([values >> 32 & 0xFFFFFFFF, values & 0xFFFFFFFF]).astype(np.uint32)


@jax.jit
def _member_keys(seed: Array, hours: Array, beyond: Array, numbers: Array) -> Array:
    keys = jnp.broadcast_to(jax.random.key(seed), numbers.shape)
    keys = _fold(_fold(keys, hours[0]), hours[1])
    finer = _fold(_fold(keys, beyond[0]), beyond[1])
    return _fold(jnp.where(beyond.any(axis=0), finer, keys), numbers)


def _fold(keys: Array, words: Array) -> Array:
    """Fold a word, or one each, into keys [batch]."""
    return jax.vmap(jax.random.fold_in)(keys, jnp.broadcast_to(words, keys.shape))
