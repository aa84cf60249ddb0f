"""The precipitation diagnostic against the original code's numbers, and its edges."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig, Precipitation, PrecipitationConfig, diagnostics, load_published
from weatherml.models.precipitation import EPSILON
from weatherml.state import StateSpec, parse_channels
from weatherml.variables import PRESETS

GOLDEN = np.load(Path(__file__).resolve().parents[1] / "golden" / "precip_a.npz")
WEIGHTS = {name.removeprefix("param/"): GOLDEN[name] for name in GOLDEN.files if name.startswith("param/")}
TOLERANCE = 1e-5


class Nothing(nnx.Module):
    """A backbone whose output is its first channel."""

    def __call__(self, x, key=None):
        return x[:, :1]


@pytest.fixture(scope="module")
def original():
    sizes = json.loads(str(GOLDEN["config_json"]))
    backbone = FourCastNetConfig(
        patch=sizes["patch_size"], width=sizes["embed_dim"], depth=sizes["depth"], n_blocks=sizes["num_blocks"]
    )
    channels = parse_channels(PRESETS["fourcastnet"][: sizes["in_chans"]])
    spec = StateSpec(channels, LatLonGrid.regular(*sizes["img_size"]))
    network = nnx.eval_shape(lambda: PrecipitationConfig(backbone=backbone).build(spec, nnx.Rngs(0)))
    load_published(network, WEIGHTS)
    return network


def smoothed(field, kernel, bias=0.0):
    """The part after the backbone, `[lat, lon]`."""
    network = Precipitation(Nothing(), rngs=nnx.Rngs(0))
    network.conv.kernel[...] = jnp.asarray(kernel, jnp.float32)[:, :, None, None]
    network.conv.bias[...] = jnp.full(1, bias, jnp.float32)
    return np.asarray(network.logarithm(jnp.asarray(field, jnp.float32)[None, None]))[0, 0]


def relative_error(ours, reference):
    return np.abs(np.asarray(ours) - reference).max() / np.abs(reference).max()


def test_logarithm_agrees_with_the_original(original):
    assert relative_error(nnx.jit(Precipitation.logarithm)(original, GOLDEN["input"]), GOLDEN["output"]) < TOLERANCE


def test_depth_agrees_with_the_original(original):
    assert relative_error(nnx.jit(lambda n, x: n(x))(original, GOLDEN["input"]), GOLDEN["precip_metres"]) < TOLERANCE


def test_depth_is_the_inverse_of_the_logarithm_and_exact_for_drizzle():
    depth = np.array([[0, 1e-9, 1e-5, 3e-3, 0.2]])
    identity = np.zeros((3, 3))
    identity[1, 1] = 1
    network = Precipitation(Nothing(), rngs=nnx.Rngs(0))
    network.conv.kernel[...] = jnp.asarray(identity, jnp.float32)[:, :, None, None]
    logarithm = jnp.asarray(np.log1p(depth / EPSILON), jnp.float32)
    np.testing.assert_allclose(network(logarithm[None, None])[0, 0], depth, rtol=1e-6)


def test_neighbours_wrap_in_longitude_and_are_zero_beyond_the_poles():
    field = np.random.default_rng(0).uniform(1, 2, (4, 7))
    kernel = np.random.default_rng(1).uniform(0, 1, (3, 3))
    expected = np.zeros((4, 7))
    for row in range(4):
        for column in range(7):
            for north, east in np.ndindex(3, 3):
                if 0 <= row + north - 1 < 4:
                    expected[row, column] += kernel[north, east] * field[row + north - 1, (column + east - 1) % 7]
    np.testing.assert_allclose(smoothed(field, kernel), expected, rtol=1e-6)


def test_depth_is_never_negative():
    field = np.random.default_rng(2).normal(size=(5, 6))
    dry = smoothed(field, np.ones((3, 3)), bias=-1.0)
    assert dry.min() == 0 and dry.max() > 0


def test_default_sizes_have_the_published_number_of_parameters():
    spec = StateSpec(parse_channels(PRESETS["fourcastnet"]), LatLonGrid.regular(720, 1440, poles=False))
    network = nnx.eval_shape(lambda: PrecipitationConfig().build(spec, nnx.Rngs(0)))
    leaves = [variable for _, variable in nnx.to_flat_state(nnx.state(network, nnx.Param))]
    never_applied = 2 * 768  # norm.weight and norm.bias, stored in the published files only
    assert sum(np.prod(leaf.shape) for leaf in leaves) == 73_757_962 - never_applied


def test_weights_of_a_plain_fourcastnet_are_refused(original):
    plain = {name.removeprefix("backbone."): array for name, array in WEIGHTS.items() if "conv" not in name}
    with pytest.raises(UserError, match=r"weights lack '.*'"):
        load_published(nnx.clone(original), plain)


def test_an_unknown_diagnostic_suggests_the_near_one():
    with pytest.raises(UserError, match="unknown diagnostic 'percipitation'; did you mean 'precipitation'"):
        diagnostics["percipitation"]


def test_a_diagnostic_is_told_no_random_maps():
    with pytest.raises(UserError, match=r"backbone.noise: a diagnostic is told no random maps"):
        from_mapping(PrecipitationConfig, {"name": "precipitation", "backbone": {"noise": {"lengths": [500]}}})
