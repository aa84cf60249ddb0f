"""FourCastNet against the original code's numbers, its own definition in float64, and its refusals."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy_weights import drawn

from weatherml.errors import UserError
from weatherml.models.fourcastnet import Block, FourCastNet, FourCastNetConfig, SpectralFilter, kept_modes
from weatherml.models.weights.published_fourcastnet import load_published, published_name

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TOLERANCE = 1e-5


@pytest.fixture(params=["afno_b_frac", "afno_a"])
def golden(request, shared):
    """A whole network of the original code: the larger one lies beside the checkout."""
    path = GOLDEN / f"{request.param}.npz"
    return np.load(path if path.exists() else shared(f"golden/{request.param}.npz"))


def relative_error(ours, reference):
    return np.abs(np.asarray(ours) - reference).max() / np.abs(reference).max()


def parameters(arrays):
    return {name.removeprefix("param/"): arrays[name] for name in arrays.files if name.startswith("param/")}


def loaded(build, weights):
    """Build without drawing the random weights that `weights` replace: less to compile."""
    module = nnx.eval_shape(build)
    load_published(module, weights)
    return module


def network_of(arrays):
    sizes = json.loads(str(arrays["config_json"]))
    config = FourCastNetConfig(
        patch=sizes["patch_size"],
        width=sizes["embed_dim"],
        depth=sizes["depth"],
        n_blocks=sizes["num_blocks"],
        mlp_ratio=sizes["mlp_ratio"],
        sparsity_threshold=sizes["sparsity_threshold"],
        hard_thresholding_fraction=sizes["hard_thresholding_fraction"],
    )
    return loaded(
        lambda: FourCastNet(config, sizes["in_chans"], sizes["out_chans"], tuple(sizes["img_size"]), rngs=nnx.Rngs(0)),
        parameters(arrays),
    )


def filter_of(arrays):
    sizes = json.loads(str(arrays["config_json"]))
    config = FourCastNetConfig(
        width=sizes["hidden_size"],
        n_blocks=sizes["num_blocks"],
        sparsity_threshold=sizes["sparsity_threshold"],
        hard_thresholding_fraction=sizes["hard_thresholding_fraction"],
        hidden_size_factor=sizes["hidden_size_factor"],
    )
    return loaded(lambda: SpectralFilter(config, rngs=nnx.Rngs(0)), parameters(arrays))


@nnx.jit
def run(network, x):
    return network(x)


def relative_l2(network, x, target):
    def norms(y):
        return jnp.linalg.norm(y.reshape(len(y), -1), axis=1)

    return (norms(network(x) - target) / norms(target)).mean()


def test_forward_agrees_with_the_original(golden):
    assert relative_error(run(network_of(golden), golden["input"]), golden["output"]) < TOLERANCE


def test_two_steps_agree_with_the_original(golden):
    network = network_of(golden)
    assert relative_error(run(network, run(network, golden["input"])), golden["output_step2"]) < TOLERANCE


def test_every_gradient_agrees_with_the_original(golden):
    network = network_of(golden)
    loss, gradient = nnx.jit(nnx.value_and_grad(relative_l2))(network, golden["input"], golden["target"])
    np.testing.assert_allclose(loss, golden["loss"], rtol=TOLERANCE)
    reference = {name.removeprefix("grad/"): golden[name] for name in golden.files if name.startswith("grad/")}
    filled = nnx.clone(network)
    load_published(filled, reference)
    for path, expected in nnx.to_flat_state(nnx.state(filled, nnx.Param)):
        ours = nnx.to_pure_dict(gradient)
        for part in path:
            ours = ours[part]
        assert relative_error(ours, expected[...]) < TOLERANCE, published_name(path)


@pytest.mark.parametrize("name", ["afno2d_a", "afno2d_b_frac"])
def test_filter_agrees_with_the_original(name):
    golden = np.load(GOLDEN / f"{name}.npz")
    assert relative_error(run(filter_of(golden), golden["input"]), golden["output"]) < TOLERANCE


def test_block_with_one_skip_agrees_with_the_original():
    golden = np.load(GOLDEN / "afno_block_noskip.npz")
    sizes = json.loads(str(golden["config_json"]))
    config = FourCastNetConfig(
        width=sizes["dim"], n_blocks=sizes["num_blocks"], mlp_ratio=sizes["mlp_ratio"], double_skip=False
    )
    block = loaded(lambda: Block(config, rngs=nnx.Rngs(0)), parameters(golden))
    assert relative_error(run(block, golden["input"]), golden["output"]) < TOLERANCE


def brute_force_filter(x, weights, threshold, kept):
    """The filter from its definition: full complex spectra in float64, one wavenumber at a time."""
    _, _, columns, width = x.shape
    n_blocks = weights["b2"].shape[1]
    spectrum = np.fft.rfft2(x, axes=(1, 2), norm="ortho")
    result = np.zeros_like(spectrum)
    for row in kept[0]:
        for column in kept[1]:
            mode = spectrum[:, row, column].reshape(-1, n_blocks, width // n_blocks)
            for layer in ("1", "2"):
                w, b = weights["w" + layer], weights["b" + layer]
                mode = np.einsum("bni,nio->bno", mode, w[0] + 1j * w[1]) + b[0] + 1j * b[1]
                if layer == "1":
                    mode = np.maximum(mode.real, 0) + 1j * np.maximum(mode.imag, 0)
            parts = [np.sign(p) * np.maximum(np.abs(p) - threshold, 0) for p in (mode.real, mode.imag)]
            result[:, row, column] = (parts[0] + 1j * parts[1]).reshape(-1, width)
    result = np.fft.ifft(result, axis=1, norm="ortho")
    return x + np.fft.irfft(result, columns, axis=2, norm="ortho")


@pytest.mark.parametrize("shape", [(5, 14), (6, 7), (13, 8), (2, 6), (9, 3)])
@pytest.mark.parametrize("fraction", [1.0, 0.6])
def test_filter_follows_its_definition_on_odd_and_tall_grids(shape, fraction):
    config = FourCastNetConfig(
        width=12,
        n_blocks=3,
        hidden_size_factor=2,
        sparsity_threshold=0.02,
        hard_thresholding_fraction=fraction,
    )
    rng = np.random.default_rng(2)
    shapes = {"w1": (2, 3, 4, 8), "b1": (2, 3, 8), "w2": (2, 3, 8, 4), "b2": (2, 3, 4)}
    weights = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    spectral_filter = loaded(lambda: SpectralFilter(config, rngs=nnx.Rngs(1)), weights)
    x = rng.normal(size=(2, *shape, 12))
    expected = brute_force_filter(x, weights, 0.02, kept_modes(shape, fraction))
    assert relative_error(run(spectral_filter, jnp.asarray(x, jnp.float32)), expected) < TOLERANCE


def test_a_filter_that_keeps_no_mode_adds_nothing():
    config = FourCastNetConfig(width=8, n_blocks=2, hard_thresholding_fraction=0.1)
    x = jnp.asarray(np.random.default_rng(5).normal(size=(2, 6, 10, 8)), jnp.float32)
    np.testing.assert_array_equal(run(drawn(lambda: SpectralFilter(config, rngs=nnx.Rngs(0))), x), x)


def test_a_hidden_width_that_is_no_multiple_survives_its_ratio():
    config = FourCastNetConfig(patch=2, width=22, depth=1, n_blocks=2, mlp_ratio=30 / 22)
    network = nnx.eval_shape(lambda: FourCastNet(config, 3, 3, (4, 6), rngs=nnx.Rngs(0)))
    assert network.blocks[0].mlp.expand.kernel.shape == (22, 30)


@pytest.mark.parametrize(
    ("shape", "fraction", "rows", "columns"),
    [
        ((90, 180), 1.0, range(90), range(46)),  # the published grid: half of the zonal wavenumbers
        ((12, 16), 0.6, range(3, 11), range(4)),
        ((13, 6), 1.0, range(13), range(4)),  # taller than wide: every column
    ],
)
def test_kept_modes_are_the_published_ones(shape, fraction, rows, columns):
    assert kept_modes(shape, fraction) == (rows, columns)


def test_default_sizes_have_the_published_number_of_parameters():
    network = nnx.eval_shape(lambda: FourCastNet(FourCastNetConfig(), 20, 20, (720, 1440), rngs=nnx.Rngs(0)))
    never_applied = 2 * 768  # norm.weight and norm.bias, stored in the published files only
    leaves = jax.tree.leaves(nnx.state(network, nnx.Param))
    assert sum(np.prod(leaf.shape) for leaf in leaves) == 74_691_840 - never_applied


def test_bfloat16_stays_near_float32():
    x = np.random.default_rng(3).normal(size=(2, 3, 8, 12)).astype(np.float32)
    sizes = {"patch": 2, "width": 16, "depth": 1, "n_blocks": 2}
    exact, rounded = (
        drawn(lambda dtype=dtype: FourCastNet(FourCastNetConfig(**sizes, dtype=dtype), 3, 5, (8, 12), rngs=nnx.Rngs(0)))
        for dtype in ("float32", "bfloat16")
    )
    assert run(rounded, x).dtype == jnp.float32
    assert 1e-4 < relative_error(run(rounded, x), run(exact, x)) < 3e-2


def test_refuses_a_grid_that_patches_do_not_tile():
    with pytest.raises(UserError, match="patch 8 x 8 does not divide the 721 x 1440 grid"):
        FourCastNet(FourCastNetConfig(), 20, 20, (721, 1440), rngs=nnx.Rngs(0))


def test_refuses_a_width_that_blocks_do_not_divide():
    with pytest.raises(ValueError, match="width 20 is not a multiple of n_blocks 8"):
        FourCastNetConfig(width=20)
