"""Where weights lie, asked of meshes without devices."""

import numpy as np
import pytest
from jax.sharding import AbstractMesh

from weatherml.errors import UserError
from weatherml.parallel import Layout, MeshConfig, Portion
from weatherml.parallel.layouts.mesh import AXES
from weatherml.parallel.layouts.portion import Part
from weatherml.parallel.layouts.rules import rules_of


def layout_of(n_devices, network="user's own", **sizes):
    return Layout(AbstractMesh(MeshConfig(**sizes).shape(n_devices), AXES), rules_of(network))


def part(layout, name, shape):
    return layout.weight(name, shape).shard_shape(shape)


def test_the_longest_axis_that_can_be_cut_is():
    layout = layout_of(6, fsdp=6)
    assert part(layout, "a.kernel", (12, 18)) == (12, 3)
    assert part(layout, "a.kernel", (12, 20)) == (2, 20)


def test_parts_are_made_of_several_axes_where_none_can_be_cut_into_all():
    assert part(layout_of(8, fsdp=8), "table", (124, 6, 2, 6, 2, 6, 23)) == (31, 3, 2, 6, 2, 6, 23)
    assert part(layout_of(12, fsdp=12), "a.kernel", (9, 10)) == (3, 5)


def test_vectors_and_what_nothing_divides_lie_whole():
    layout = layout_of(8, fsdp=8)
    assert part(layout, "a.bias", (64,)) == (64,)
    assert part(layout, "a.kernel", (5, 7)) == (5, 7)


def test_rules_say_what_tensor_splits_and_fsdp_takes_the_rest():
    layout = layout_of(8, "pangu", fsdp=2, tensor=4)
    assert part(layout, "network.layers.0.blocks.1.mlp.expand.kernel", (24, 96)) == (12, 24)
    assert part(layout, "network.layers.0.blocks.1.attention.bias.table", (5, 12, 2, 2, 5)) == (5, 3, 1, 2, 5)
    assert part(layout, "network.layers.0.blocks.1.attention.bias.table", (5, 6, 2, 2, 5)) == (5, 3, 2, 2, 5)


def test_tensor_must_divide_something():
    weights = {"blocks.0.mlp.expand.kernel": np.zeros((24, 36)), "head.kernel": np.zeros((24, 16))}
    layout_of(4, "fourcastnet", tensor=4).require_split(weights)
    layout_of(8, fsdp=8).require_split(weights)
    with pytest.raises(UserError, match=r"tensor 8 of the mesh divides no part .* choose 2, 3, 4, 6, 9, 12, 18, 36"):
        layout_of(8, "fourcastnet", tensor=8).require_split(weights)


def test_a_network_without_rules_is_not_split():
    with pytest.raises(UserError, match=r"no rules say how the weights of 'own' are split over tensor, got tensor 2"):
        Layout.of(MeshConfig(tensor=2), "own")


@pytest.mark.parametrize(
    ("n_devices", "sizes", "samples", "rows"),
    [
        (16, {}, Part(0, 2), Part()),
        (16, {"fsdp": 2, "tensor": 4}, Part(0, 2), Part()),
        (16, {"tensor": 16}, Part(), Part()),
        (16, {"spatial": (2, 8)}, Part(), Part(0, 2)),
        (16, {"spatial": (1, 16)}, Part(), Part()),
    ],
)
def test_what_a_process_makes_of_batches_is_known_without_its_devices(n_devices, sizes, samples, rows):
    assert Portion.outline(layout_of(n_devices, **sizes).batch, 2) == Portion(samples, rows)


def test_a_process_that_would_hold_no_whole_part_of_a_batch_is_told():
    with pytest.raises(UserError, match=r"no whole part of a batch; .* divide the 6 devices of a process"):
        Portion.outline(layout_of(12, tensor=4).batch, 2)
