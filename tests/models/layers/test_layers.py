"""Shared layers against their definitions in float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from weatherml.models.layers import LayerNorm, gelu, patchify, unpatchify


def test_patches_hold_their_own_points_with_the_channel_fastest():
    field = np.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6)
    tokens = np.asarray(patchify(jnp.asarray(field), (2, 2)))
    for row in range(2):
        for column in range(3):
            patch = field[1, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            np.testing.assert_array_equal(tokens[1, row, column].reshape(2, 2, 3), patch.transpose(1, 2, 0))


def test_unpatchify_is_the_inverse_of_patchify():
    field = jnp.arange(2.0 * 3 * 6 * 9).reshape(2, 3, 6, 9)
    np.testing.assert_array_equal(unpatchify(patchify(field, (2, 3)), (2, 3)), field)


def test_gelu_and_its_slope_are_exact():
    x = np.linspace(-6, 6, 41)
    normal_cdf = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])
    slope = normal_cdf + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(gelu(jnp.asarray(x, jnp.float32)), x * normal_cdf, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(gelu))(jnp.asarray(x, jnp.float32)), slope, atol=1e-6)


def test_layer_norm_is_normal_even_far_from_zero():
    rng = np.random.default_rng(0)
    x = 1000 + rng.normal(size=(2, 3, 5, 16))
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(LayerNorm(16, 1e-6)(jnp.asarray(x, jnp.float32)), expected, atol=1e-3)


def test_layer_norm_gradients_equal_those_of_its_definition():
    rng = np.random.default_rng(1)
    x, weight = (jnp.asarray(rng.normal(size=(2, 3, 5, 8)), jnp.float32) for _ in range(2))
    norm = LayerNorm(8, 1e-2)
    norm.scale[...] = jnp.asarray(rng.normal(size=8), jnp.float32)
    norm.bias[...] = jnp.asarray(rng.normal(size=8), jnp.float32)

    def definition(scale, bias, x):
        normal = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-2)
        return (jnp.tanh(normal * scale + bias) * weight).sum()

    expected = jax.grad(definition, argnums=(0, 1, 2))(norm.scale[...], norm.bias[...], x)
    of_norm, of_x = nnx.grad(lambda norm, x: (jnp.tanh(norm(x)) * weight).sum(), argnums=(0, 1))(norm, x)
    for ours, reference in zip((of_norm.scale[...], of_norm.bias[...], of_x), expected, strict=True):
        np.testing.assert_allclose(ours, reference, atol=2e-5)
