"""Attention in windows against the original code's numbers and against its definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden_pangu import WINDOW, loaded, parameters, relative_error, sizes_of

from weatherml.models.layers.earth_attention import EarthAttention, EarthBias, attention
from weatherml.models.layers.windows import Windows

TOLERANCE = 1e-5


@pytest.fixture
def golden(shared):
    return np.load(shared("golden/earth_attention_a.npz"))


def attention_of(arrays, shifted):
    sizes = sizes_of(arrays)
    windows = Windows((4, 12, 24), WINDOW, shifted)
    assert windows.n_types == sizes["windows_z"] * sizes["windows_h"]

    def build():
        return EarthAttention(sizes["dim"], sizes["heads"], windows, dtype=jnp.float32, rngs=nnx.Rngs(0))

    return loaded(build, parameters(arrays))


@pytest.mark.parametrize(("shifted", "output"), [(False, "output_nomask"), (True, "output_mask")])
def test_attention_agrees_with_the_original(golden, shifted, output):
    module = attention_of(golden, shifted)
    as_windows = [golden[name].transpose(2, 0, 1, 3, 4).reshape(4, -1, 144, 16) for name in ("input", output)]
    x, expected = map(module.windows.merge, as_windows)
    assert relative_error(nnx.jit(lambda module, x: module(x))(module, x), np.asarray(expected)) < TOLERANCE


@pytest.mark.timeout(120, method="thread")  # no signal ends a compiler; some took over five minutes
def test_the_published_window_compiles_in_bounded_time():
    windows, x = Windows((4, 12, 24), WINDOW, shifted=False), jax.ShapeDtypeStruct((2, 4, 12, 24, 16), jnp.float32)
    module = nnx.eval_shape(lambda: EarthAttention(16, 2, windows, dtype=jnp.float32, rngs=nnx.Rngs(0)))
    graph, weights = nnx.split(module)
    gradient = jax.grad(lambda weights, x: nnx.merge(graph, weights)(x).sum())
    assert jax.jit(gradient).lower(weights, x).compile().cost_analysis()["flops"] > 0


def test_a_table_expands_to_the_originals_bias(golden):
    table = attention_of(golden, shifted=False).bias.table[...]
    ours = jnp.stack([EarthBias.expand(one) for one in table])
    np.testing.assert_array_equal(ours, golden["param_expanded/earth_specific_bias"][0])


def test_a_bias_is_absolute_in_level_and_latitude_and_relative_in_longitude():
    table = np.random.default_rng(0).normal(size=(3, 2, 4, 2, 4, 9))  # [head, level, lat, level, lat, offset]
    bias = np.asarray(EarthBias.expand(jnp.asarray(table, jnp.float32))).reshape(3, 2, 4, 5, 2, 4, 5)
    for index in np.ndindex(bias.shape):
        head, level, lat, lon, key_level, key_lat, key_lon = index
        np.testing.assert_allclose(bias[index], table[head, level, lat, key_level, key_lat, key_lon - lon + 4], 1e-6)


def plain_attention(query, key, value, bias):
    scores = jnp.einsum("whdq,whdk->whqk", query, key) / query.shape[-2] ** 0.5 + bias
    return jnp.einsum("whdk,whqk->whdq", value, jax.nn.softmax(scores, axis=-1))


def test_attention_and_its_gradients_follow_their_definition():
    rng = np.random.default_rng(1)
    tensors = [jnp.asarray(rng.normal(size=(2, 3, 4, 7)), jnp.float32) for _ in range(4)]
    bias = jnp.asarray(20 * rng.normal(size=(3, 7, 7)), jnp.float32)
    ours, theirs = (jax.vjp(f, *tensors[:3], bias) for f in (attention, plain_attention))
    for mine, expected in zip((ours[0], *ours[1](tensors[3])), (theirs[0], *theirs[1](tensors[3])), strict=True):
        assert relative_error(mine, expected) < TOLERANCE


def test_scores_that_would_overflow_do_not():
    query = jnp.full((1, 1, 2, 3), 30.0)
    value = jnp.arange(6.0).reshape(1, 1, 2, 3)
    mixed = attention(query, query, value, jnp.zeros((1, 3, 3)))
    np.testing.assert_allclose(mixed, np.broadcast_to(value.mean(-1, keepdims=True), value.shape), rtol=1e-6)
