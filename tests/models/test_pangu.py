"""Pangu-Weather against the original code's numbers, its specification in float64, and its refusals."""

import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden_pangu import (
    N_UPPER,
    WINDOW,
    input_of,
    joined,
    loaded,
    network_of,
    parameters,
    relative_error,
    sizes_of,
)
from numpy_pangu import NumpyPangu

from weatherml.grid import LatLonGrid
from weatherml.models import PanguConfig, load_published_pangu
from weatherml.models.layers.windows import Windows
from weatherml.models.pangu import Block, Down, Up
from weatherml.models.weights.published_pangu import published_name
from weatherml.state import StateSpec, parse_channels
from weatherml.variables import PRESETS

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@nnx.jit
def run(network, x):
    return network(x)


@pytest.mark.parametrize(("name", "tolerance"), [("pangu_mini", 2e-5), ("pangu_a", 2e-5), ("pangu_onnx_a", 3e-4)])
def test_forward_agrees_with_the_original(name, tolerance, shared):
    golden = np.load(shared(f"golden/{name}.npz"))
    output = np.asarray(run(network_of(golden), input_of(golden)))
    upper, surface = golden["output_upper_normalised"], golden["output_surface_normalised"]
    assert relative_error(output[:, :N_UPPER].reshape(upper.shape), upper) < tolerance
    assert relative_error(output[:, N_UPPER:], surface) < tolerance


def published_loss(network, x, target):
    """Mean absolute error with the published weight of each variable."""
    upper = np.repeat([3.0, 0.6, 1.5, 0.77, 0.54], 13)
    error = jnp.abs(network(x) - target).mean((0, 2, 3))
    surface = np.array([1.5, 0.77, 0.66, 3.0])
    return (error[:N_UPPER] * upper).mean() + 0.25 * (error[N_UPPER:] * surface).mean()


def test_every_gradient_agrees_with_the_original(shared):
    golden = np.load(shared("golden/pangu_a.npz"))
    network = network_of(golden)
    target = joined(golden["target_upper_normalised"], golden["target_surface_normalised"])
    loss, gradient = nnx.jit(nnx.value_and_grad(published_loss))(network, input_of(golden), target)
    np.testing.assert_allclose(loss, golden["loss"], rtol=1e-5)
    reference, maps = nnx.clone(network), {name: golden[name] for name in ("constant_maps", "const_h")}
    load_published_pangu(reference, parameters(golden, "grad/") | maps)  # which it has no gradients of
    ours = dict(nnx.to_flat_state(gradient))
    for path, expected in nnx.to_flat_state(nnx.state(reference, nnx.Param)):
        if path[-1] != "maps":
            assert relative_error(ours[path][...], expected[...]) < 1e-4, published_name(path)


@pytest.mark.parametrize("shifted", [False, True])
def test_block_agrees_with_the_original(shifted):
    golden = np.load(GOLDEN / "earth_block_a.npz")
    sizes = sizes_of(golden)
    windows = Windows(tuple(sizes["zhw"]), WINDOW, shifted)
    block = loaded(
        lambda: Block(PanguConfig(), sizes["dim"], sizes["heads"], windows, rngs=nnx.Rngs(0)), parameters(golden)
    )
    x = golden["input"].reshape(sizes["batch"], *sizes["zhw"], -1)
    output = np.asarray(run(block, x)).reshape(golden["input"].shape)
    assert relative_error(output, golden[f"output_roll{int(shifted)}"]) < 1e-5


def test_down_and_up_agree_with_the_original():
    golden = np.load(GOLDEN / "pangu_resample_a.npz")
    sizes = sizes_of(golden)
    down = loaded(
        lambda: Down(sizes["dim"], dtype=jnp.float32, rngs=nnx.Rngs(0)), parameters(golden, "param/downsample.")
    )
    up = loaded(lambda: Up(sizes["dim"], dtype=jnp.float32, rngs=nnx.Rngs(0)), parameters(golden, "param/upsample."))
    coarse = down(golden["input"].reshape(2, *sizes["zhw"], -1))
    assert relative_error(coarse.reshape(golden["down"].shape), golden["down"]) < 1e-5
    fine = up(coarse, sizes["zhw"])
    assert relative_error(fine.reshape(golden["up"].shape), golden["up"]) < 1e-5


MIXED = ("t850", "msl", "z300", "t300", "t2m", "z850", "z500", "t500")
"""Channels in no order: upper air t at 0, 7, 3 and z at 5, 6, 2 by falling pressure; surface at 1, 4."""

CASES = {
    "odd rows and levels, windows that tile all columns": (
        PanguConfig(patch=(2, 2, 2), width=8, depths=(2, 1, 2, 1), heads=(1, 2, 4, 2), window=(2, 3, 4)),
        (7, 16),
    ),
    "nothing tiled, odd windows, no learned fields": (
        PanguConfig(
            patch=(1, 2, 3),
            width=6,
            depths=(1, 2, 1, 2),
            heads=(3, 4, 2, 1),
            window=(3, 1, 3),
            mlp_ratio=1.5,
            n_surface_maps=0,
            height_map=False,
        ),
        (10, 13),
    ),
}


def spec_of(names, shape):
    return StateSpec(parse_channels(names), LatLonGrid.regular(*shape))


def random_weights(network):
    """Arrays by published name, none of them dead: norms are not one, biases not zero."""
    rng = np.random.default_rng(0)
    weights = {}
    for path, parameter in nnx.to_flat_state(nnx.state(network, nnx.Param)):
        name, shape = published_name(path), parameter.shape
        if path[-1] == "table":
            types, heads, level, lat, *_, offsets = shape
            name, shape = f"{name}_table", (offsets * (level * lat) ** 2, types, heads)
        if path[-1] == "maps":
            shape = (1, *[size for size in shape if size > 1]) if name == "const_h" else (1, shape[0], *shape[2:])
        if path[-1] == "kernel" and "contract" not in path:
            shape = shape[::-1]
        weights[name] = rng.normal(scale=0.3, size=shape).astype(np.float32) + (path[-1] == "scale")
    return weights


@pytest.mark.parametrize("case", CASES)
def test_network_follows_its_specification_at_other_sizes(case):
    config, shape = CASES[case]
    network = nnx.eval_shape(lambda: config.build(spec_of(MIXED, shape), 1, nnx.Rngs(0)))
    weights = random_weights(network)
    load_published_pangu(network, weights)
    x = np.random.default_rng(1).normal(size=(2, len(MIXED) + 1, *shape)).astype(np.float32)
    expected = np.empty((2, len(MIXED), *shape))
    by_definition = NumpyPangu(weights, config.patch, config.window, config.depths, config.heads)
    upper, surface = np.array([[0, 7, 3], [5, 6, 2]]), np.array([1, 4])
    for sample in range(2):
        answer = by_definition(x[sample, upper].astype(float), x[sample, [1, 4, 8]].astype(float))
        expected[sample, upper], expected[sample, surface] = answer
    assert relative_error(run(network, x), expected) < 2e-5


def rolled(network, points):
    """The network with its learned fields moved eastwards by `points`."""
    moved = nnx.clone(network)
    for embedding in (moved.embed_surface, moved.embed_upper):
        embedding.maps[...] = jnp.roll(embedding.maps[...], points, -1)
    return moved


def test_rolling_by_one_coarse_window_rolls_the_output_exactly_and_by_half_does_not():
    config = PanguConfig(patch=(2, 4, 4), width=12, depths=(2, 2, 1, 2), heads=(1, 2, 2, 1), window=(2, 3, 6))
    shape, window = (13, 96), 2 * 4 * 6
    network = nnx.eval_shape(lambda: config.build(spec_of(MIXED, shape), 0, nnx.Rngs(0)))
    load_published_pangu(network, random_weights(network))
    x = jnp.asarray(np.random.default_rng(2).normal(size=(1, len(MIXED), *shape)), jnp.float32)
    output = run(network, x)
    whole, half = (run(rolled(network, step), jnp.roll(x, step, -1)) for step in (window, window // 2))
    np.testing.assert_array_equal(whole, jnp.roll(output, window, -1))
    assert relative_error(half, np.roll(output, window // 2, -1)) > 1e-3


def count(config):
    """Parameters of the network at 0.25 degrees, without and in learned fields."""
    spec = spec_of(PRESETS["pangu"], (721, 1440))
    network = nnx.eval_shape(lambda: config.build(spec, 0, nnx.Rngs(0)))
    sizes = [(path[-1] == "maps", math.prod(p.shape)) for path, p in nnx.to_flat_state(nnx.state(network, nnx.Param))]
    return tuple(sum(size for is_map, size in sizes if is_map == maps) for maps in (False, True))


def test_default_sizes_have_the_published_number_of_parameters():
    maps = 3 * 724 * 1440 + 13 * 721 * 1440
    assert count(PanguConfig()) == (64_226_528, maps)
    assert count(PanguConfig(expanded_bias=True)) == (276_659_936, maps)


def test_the_lite_network_is_built_with_patches_of_eight():
    assert count(PanguConfig(patch=(2, 8, 8)))[1] == 3 * 728 * 1440 + 13 * 721 * 1440


def test_rates_of_stochastic_depth_rise_over_the_whole_network():
    config = PanguConfig(patch=(2, 2, 2), width=4, depths=(2, 1, 2, 1), heads=(1, 1, 1, 1), window=(1, 1, 1))
    network = nnx.eval_shape(lambda: config.build(spec_of(MIXED, (4, 4)), 0, nnx.Rngs(0)))
    rates = [rate for layer in network.layers for rate in layer.drop_rates]
    np.testing.assert_allclose(rates, np.linspace(0, 0.2, 6))


def test_refuses_heads_that_do_not_divide_the_width_of_their_layer():
    with pytest.raises(ValueError, match="5 heads do not divide the width 16 of their layer"):
        PanguConfig(width=8, heads=(2, 5, 4, 2))
