"""Weights by their published names: biases in either form, refused when they are another network's."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden_pangu import WINDOW, parameters

from weatherml.errors import UserError
from weatherml.models import PanguConfig, load_published_pangu
from weatherml.models.layers.windows import Windows
from weatherml.models.pangu import Block
from weatherml.models.weights.published_pangu import compact_bias

TABLE = "attention.earth_specific_bias_table"
EXPANDED = "attention.earth_specific_bias"


@pytest.fixture
def weights():
    return parameters(np.load(Path(__file__).resolve().parents[2] / "golden" / "earth_block_a.npz"))


def block(**sizes):
    config = PanguConfig(**sizes)
    return nnx.eval_shape(lambda: Block(config, 16, 2, Windows((4, 7, 24), WINDOW, False), rngs=nnx.Rngs(0)))


def expanded(table):
    """The bias `[1, type, head, query, key]` by the published index."""
    level, lat, lon = WINDOW
    z, h, w = np.indices(WINDOW).reshape(3, -1)
    rows = (z[:, None] + level * z) * lat**2 + h[:, None] + lat * h
    return table[rows * (2 * lon - 1) + w[:, None] - w + lon - 1].transpose(2, 3, 0, 1)[None]


def with_expanded(weights):
    return {EXPANDED: expanded(weights[TABLE])} | {name: array for name, array in weights.items() if name != TABLE}


def test_a_bias_for_each_pair_is_compacted_exactly(weights):
    from_table, from_pairs = block(), block()
    load_published_pangu(from_table, weights)
    load_published_pangu(from_pairs, with_expanded(weights))
    jax.tree.map(np.testing.assert_array_equal, nnx.state(from_table), nnx.state(from_pairs))


def test_a_bias_that_depends_on_longitude_is_refused_with_the_remedy_and_then_kept(weights):
    weights = with_expanded(weights)
    weights[EXPANDED][0, 3, 1, 5, 100] += 0.5
    assert compact_bias(weights[EXPANDED][0], WINDOW) is None
    with pytest.raises(UserError, match="depends on longitude; build the network with expanded_bias: true"):
        load_published_pangu(block(), weights)
    kept = block(expanded_bias=True)
    load_published_pangu(kept, weights)
    np.testing.assert_array_equal(kept.attention.bias.table[...], weights[EXPANDED][0])


def test_a_bias_for_each_pair_gives_what_its_table_gives(weights):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 4, 7, 24, 16)), jnp.float32)
    compact, pairs = block(), block(expanded_bias=True)
    load_published_pangu(compact, weights)
    load_published_pangu(pairs, with_expanded(weights))
    outputs = [nnx.jit(lambda module, x: module(x))(module, x) for module in (compact, pairs)]
    np.testing.assert_array_equal(*outputs)


def test_missing_weight_is_named(weights):
    del weights["linear.linear1.bias"]
    with pytest.raises(UserError, match=r"weights lack 'linear\.linear1\.bias'"):
        load_published_pangu(block(), weights)


def test_weight_of_another_network_is_named(weights):
    weights["attention.linear3.weight"] = weights["attention.linear2.weight"]
    with pytest.raises(UserError, match=r"hold 'attention\.linear3\.weight', unknown to this network"):
        load_published_pangu(block(), weights)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("norm2.bias", (8,)), (TABLE, (3312, 8, 1)), ("attention.linear1.weight", (16, 48))],
)
def test_weight_of_another_size_is_named_and_nothing_is_changed(weights, name, shape):
    module = block()
    load_published_pangu(module, weights)
    before = jax.tree.map(np.asarray, nnx.state(module))
    weights = {key: array + 1 for key, array in weights.items()}
    weights[name] = np.ones(shape, np.float32)
    with pytest.raises(UserError, match=f"'{name}' has shape .* where this network needs"):
        load_published_pangu(module, weights)
    jax.tree.map(np.testing.assert_array_equal, nnx.state(module), before)
