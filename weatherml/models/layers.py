"""Layers that several networks share; tokens are `[batch, lat, lon, embed]`."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

small_normal = nnx.initializers.normal(0.02)


def patchify(field: Array, patch: int) -> Array:
    """Cut a field into square patches.

    Args:
        field: `[batch, channel, lat, lon]`, both sizes multiples of `patch`.
        patch: edge of a patch in grid points.

    Returns:
        `[batch, lat/patch, lon/patch, patch*patch*channel]`, the channel fastest.
    """
    batch, channel, lat, lon = field.shape
    pieces = field.reshape(batch, channel, lat // patch, patch, lon // patch, patch)
    return pieces.transpose(0, 2, 4, 3, 5, 1).reshape(batch, lat // patch, lon // patch, -1)


def unpatchify(tokens: Array, patch: int) -> Array:
    """Put patches back together: the inverse of `patchify`."""
    batch, rows, columns, features = tokens.shape
    channel = features // patch**2
    pieces = tokens.reshape(batch, rows, columns, patch, patch, channel)
    return pieces.transpose(0, 5, 1, 3, 2, 4).reshape(batch, channel, rows * patch, columns * patch)


class LayerNorm(nnx.Module):
    """Layer normalisation over the last axis, in float32 whatever comes in."""

    def __init__(self, width: int, epsilon: float):
        self.scale = nnx.Param(jnp.ones(width))
        self.bias = nnx.Param(jnp.zeros(width))
        self.epsilon = epsilon

    def __call__(self, x: Array) -> Array:
        """Return `x` normalised, scaled and shifted."""
        x = x.astype(jnp.float32)
        x = x - x.mean(-1, keepdims=True)
        variance = jnp.square(x).mean(-1, keepdims=True)
        return x * jax.lax.rsqrt(variance + self.epsilon) * self.scale[...] + self.bias[...]


class Mlp(nnx.Module):
    """Two linear layers with an exact GELU between, pointwise over tokens."""

    def __init__(self, width: int, hidden: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.expand = nnx.Linear(width, hidden, kernel_init=small_normal, dtype=dtype, rngs=rngs)
        self.contract = nnx.Linear(hidden, width, kernel_init=small_normal, dtype=dtype, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Return tokens of the same width."""
        return self.contract(jax.nn.gelu(self.expand(x), approximate=False))
