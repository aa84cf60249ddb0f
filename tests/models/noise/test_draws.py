"""Random numbers drawn in one dimension are those that jax draws in more."""

from functools import partial

import jax
import numpy as np
import pytest
from flax import nnx

from weatherml.models.layers import small_normal
from weatherml.models.noise.draws import normal, uniform

SHAPE = (3, 2, 9)


WAYS = {
    "normal": (normal, jax.random.normal),
    # Not `numbers * 0.02`: compiled together with what draws them, that may round otherwise.
    "small_normal": (small_normal, nnx.initializers.normal(0.02)),
    "uniform": (partial(uniform, maximum=6.0), partial(jax.random.uniform, maxval=6.0)),
}


@pytest.mark.parametrize("name", WAYS)
def test_numbers_are_those_of_jax_bit_for_bit(name):
    keys = jax.random.split(jax.random.key(1), 2)
    shape = SHAPE[1:] if name == "uniform" else SHAPE  # three axes take seconds to compile
    ours, theirs = (jax.jit(jax.vmap(partial(draw, shape=shape)))(keys) for draw in WAYS[name])
    np.testing.assert_array_equal(ours, theirs)
