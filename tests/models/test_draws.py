"""Random numbers drawn in one dimension are those that jax draws in more."""

import jax
import numpy as np

from weatherml.models.draws import normal, uniform
from weatherml.models.layers import small_normal

SHAPE = (3, 2, 9)


@jax.jit
@jax.vmap
def draws(key):
    """Ours and jax's; over three axes once only, since that takes seconds to compile."""
    numbers = jax.random.normal(key, SHAPE)
    ours = normal(key, SHAPE), small_normal(key, SHAPE), uniform(key, (3, 9), 6.0)
    return ours, (numbers, numbers * 0.02, jax.random.uniform(key, (3, 9), maxval=6.0))


def test_numbers_are_those_of_jax_bit_for_bit():
    for ours, theirs in zip(*draws(jax.random.split(jax.random.key(1), 2)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
