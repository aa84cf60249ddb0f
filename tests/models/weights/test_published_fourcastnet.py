"""Weights by their published names: taken with or without prefix, refused when they are another network's."""

from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from weatherml.errors import UserError
from weatherml.models.fourcastnet import FourCastNet, FourCastNetConfig
from weatherml.models.weights.published_fourcastnet import load_published


@pytest.fixture
def weights():
    arrays = np.load(Path(__file__).resolve().parents[2] / "golden" / "afno_b_frac.npz")
    return {name.removeprefix("param/"): arrays[name] for name in arrays.files if name.startswith("param/")}


@pytest.fixture
def network():
    config = FourCastNetConfig(patch=4, width=32, depth=2, n_blocks=8)
    return nnx.eval_shape(lambda: FourCastNet(config, 5, 5, (24, 48), rngs=nnx.Rngs(0)))


def test_prefix_changes_nothing(network, weights):
    prefixed = nnx.clone(network)
    load_published(network, weights)
    load_published(prefixed, {f"module.{name}": array for name, array in weights.items()})
    jax.tree.map(np.testing.assert_array_equal, nnx.state(network), nnx.state(prefixed))


def test_missing_weight_is_named(network, weights):
    del weights["blocks.1.filter.b2"]
    with pytest.raises(UserError, match=r"blocks\.1\.filter\.b2"):
        load_published(network, weights)


def test_a_patch_that_lies_the_other_way_is_refused(network, weights):
    lying = weights["patch_embed.proj.weight"]
    weights["patch_embed.proj.weight"] = lying.reshape(*lying.shape[:2], 2, 8)
    with pytest.raises(UserError, match=r"has patches of \(2, 8\), this network of \(4, 4\)"):
        load_published(network, weights)


def test_weight_of_a_deeper_network_is_named(network, weights):
    weights["blocks.2.filter.b2"] = weights["blocks.1.filter.b2"]
    with pytest.raises(UserError, match=r"blocks\.2\.filter\.b2"):
        load_published(network, weights)


def test_weight_of_another_size_is_named_and_nothing_is_changed(network, weights):
    load_published(network, weights)
    before = jax.tree.map(np.asarray, nnx.state(network))
    weights = {name: array + 1 for name, array in weights.items()}
    weights["head.weight"] = weights["head.weight"][:16]
    with pytest.raises(UserError, match=r"head\.weight.*\(32, 16\).*\(32, 80\)"):
        load_published(network, weights)
    jax.tree.map(np.testing.assert_array_equal, nnx.state(network), before)
