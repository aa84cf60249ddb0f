"""Layers that several networks share; tokens are `[batch, lat, lon, embed]`."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from weatherml.axes import n_parts

_small_normal = nnx.initializers.normal(0.02)


def small_normal(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    """Return normal weights of deviation 0.02, drawn in one dimension: see `weatherml.models.noise.draws`."""
    return _small_normal(key, (math.prod(shape),), dtype).reshape(shape)


def patchify(field: Array, patch: tuple[int, int]) -> Array:
    """Cut a field into rectangular patches.

    Args:
        field: `[batch, channel, lat, lon]`, whose sizes are multiples of the patch's.
        patch: rows and columns of a patch.

    Returns:
        `[batch, lat/rows, lon/columns, rows*columns*channel]`, the channel fastest.
    """
    batch, channel, lat, lon = field.shape
    rows, columns = patch
    pieces = field.reshape(batch, channel, lat // rows, rows, lon // columns, columns)
    return pieces.transpose(0, 2, 4, 3, 5, 1).reshape(batch, lat // rows, lon // columns, -1)


def unpatchify(tokens: Array, patch: tuple[int, int]) -> Array:
    """Put patches back together: the inverse of `patchify`."""
    batch, lat, lon, features = tokens.shape
    rows, columns = patch
    channel = features // (rows * columns)
    pieces = tokens.reshape(batch, lat, lon, rows, columns, channel)
    return pieces.transpose(0, 5, 1, 3, 2, 4).reshape(batch, channel, lat * rows, lon * columns)


def over_tokens(layer: Callable[[Array], Array], x: Array, names: Sequence[str] = ("batch", "lat", "lon")) -> Array:
    """Apply a linear layer, or several, to `x [..., embed]` as one matrix `[token, embed]`.

    The result is the same without, but XLA on a CPU takes up to twice the time for gradients over several axes. Axes
    of which one but the first is cut cannot become one: each device would have to have all of them.

    Args:
        layer: Acts on the last axis.
        x: Tokens.
        names: Of axes of `x` that may be cut, in order, see `weatherml.axes`.
    """
    if n_parts(*names[1:]) > 1:
        return layer(x)
    return layer(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)


def subkey(key: Array | None, index: int | Array) -> Array | None:
    """Return the keys `[batch]` of part `index`, or None where nothing is random."""
    return None if key is None else jax.vmap(jax.random.fold_in, (0, None))(key, index)


def drop_path_rates(last: float, n_blocks: int) -> tuple[float, ...]:
    """Return the rates of stochastic depth of a stack of blocks: they rise linearly from 0 to `last`."""
    return tuple(last * block / max(1, n_blocks - 1) for block in range(n_blocks))


def drop_path(x: Array, rate: float, key: Array | None) -> Array:
    """Zero a branch for some samples of the batch, and scale it up for the others (Huang et al. 2016).

    Args:
        x: `[batch, ...]`, what a residual connection is about to add.
        rate: Probability that a sample is dropped.
        key: Draws them, `[batch]`, one a sample; None drops nothing.
    """
    if key is None or rate == 0:
        return x
    kept = jax.vmap(lambda own: jax.random.bernoulli(own, 1 - rate))(key).reshape(-1, *(1,) * (x.ndim - 1))
    return jnp.where(kept, x / (1 - rate), 0)


class LayerNorm(nnx.Module):
    """Layer normalisation over the last axis, in float32 whatever comes in."""

    def __init__(self, width: int, epsilon: float):
        self.scale = nnx.Param(jnp.ones(width))
        self.bias = nnx.Param(jnp.zeros(width))
        self.epsilon = epsilon

    def __call__(self, x: Array) -> Array:
        """Return `x` normalised, scaled and shifted."""
        return _layer_norm(x.astype(jnp.float32), self.scale[...], self.bias[...], self.epsilon)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _layer_norm(x: Array, scale: Array, bias: Array, epsilon: float) -> Array:
    return _layer_norm_forward(x, scale, bias, epsilon)[0]


def _layer_norm_forward(x: Array, scale: Array, bias: Array, epsilon: float) -> tuple[Array, Any]:
    x = x - _mean(x)
    inverse_deviation = jax.lax.rsqrt(_mean(jnp.square(x)) + epsilon)
    normal = x * inverse_deviation
    return normal * scale + bias, (normal, inverse_deviation, scale)


def _layer_norm_backward(_: float, residuals: Any, cotangent: Array) -> tuple[Array, Array, Array]:
    normal, inverse_deviation, scale = residuals
    slope = cotangent * scale
    slope = inverse_deviation * (slope - _mean(slope) - normal * _mean(slope * normal))
    tokens = tuple(range(cotangent.ndim - 1))
    return slope, (cotangent * normal).sum(tokens), cotangent.sum(tokens)


_layer_norm.defvjp(_layer_norm_forward, _layer_norm_backward)


def _mean(x: Array) -> Array:
    """Return the mean over the last axis as a matrix product, three times as fast as a sum on a CPU."""
    weights = jnp.full((x.shape[-1], 1), 1 / x.shape[-1], x.dtype)
    return jnp.matmul(x, weights, precision=jax.lax.Precision.HIGHEST)


@jax.checkpoint  # its gradient needs nothing but its input
def gelu(x: Array) -> Array:
    """Return the exact GELU; through erf, which is a third of the work of the library's erfc."""
    return x * (0.5 + 0.5 * jax.lax.erf(x * math.sqrt(0.5)))


class Contraction(nnx.Module):
    """A linear layer to fewer features; its kernel is `[out, in]`.

    Gradients of a kernel whose smaller size comes first need no transposition of activations.
    """

    def __init__(self, n_in: int, n_out: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.kernel = nnx.Param(small_normal(rngs.params(), (n_out, n_in)))
        self.bias = nnx.Param(jnp.zeros(n_out))
        self.dtype = dtype

    def __call__(self, x: Array) -> Array:
        """Return `[..., out]` from `[..., in]`."""
        x, kernel, bias = (a.astype(self.dtype) for a in (x, self.kernel[...], self.bias[...]))
        return jnp.einsum("...i,oi->...o", x, kernel) + bias


class Mlp(nnx.Module):
    """Two linear layers with an exact GELU between, pointwise over tokens `[token, embed]`."""

    def __init__(self, width: int, hidden: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.expand = nnx.Linear(width, hidden, kernel_init=small_normal, dtype=dtype, rngs=rngs)
        self.contract = Contraction(hidden, width, dtype=dtype, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Return tokens of the same width."""
        return self.contract(gelu(self.expand(x)))
