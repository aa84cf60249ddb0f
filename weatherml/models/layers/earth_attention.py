"""Attention in windows with a bias for each place on Earth (Bi et al. 2022, arXiv 2211.02556).

Scores of a whole volume would be the largest array by far: 1.85 GB a block of the published network. Types of windows
are therefore computed one after another, each in the cache, and once more for the gradient.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.ad_checkpoint import checkpoint_name

from weatherml.axes import locally, n_parts
from weatherml.models.layers import over_tokens, small_normal
from weatherml.models.layers.remat import ATTENTION
from weatherml.models.layers.windows import Extent, Windows

_APART = -100.0
"""Added to the scores of tokens that are not neighbours, as published."""

VOLUME = ("batch", None, "lat", "lon")
"""Names of the axes of tokens but the last."""


class EarthBias(nnx.Module):
    """What is added to the scores of a type of window: absolute in level and latitude, relative in longitude.

    The table is `[type, head, level, lat, level, lat, offset]`: first the query's place in the window, then the key's;
    offset counts the tokens by which the key lies east of the query, from the farthest west to the farthest east.
    """

    def __init__(self, n_types: int, n_heads: int, window: Extent, *, rngs: nnx.Rngs):
        level, lat, lon = window
        shape = (n_types, n_heads, level, lat, level, lat, 2 * lon - 1)
        self.table = nnx.Param(small_normal(rngs.params(), shape))

    @staticmethod
    def expand(table: Array) -> Array:
        """Return the bias `[head, query, key]` between tokens from the table of one type."""
        head, level, lat, *_, offsets = table.shape
        lon = (offsets + 1) // 2
        columns = [table[..., lon - 1 - query : offsets - query] for query in range(lon)]
        return jnp.stack(columns, axis=3).reshape(head, level * lat * lon, level * lat * lon)


class ExpandedEarthBias(nnx.Module):
    """A bias `[type, head, query, key]` for every pair of tokens, for published tables that depend on more."""

    def __init__(self, n_types: int, n_heads: int, window: Extent, *, rngs: nnx.Rngs):
        size = math.prod(window)
        self.table = nnx.Param(small_normal(rngs.params(), (n_types, n_heads, size, size)))

    @staticmethod
    def expand(table: Array) -> Array:
        """Return the table of one type itself."""
        return table


class EarthAttention(nnx.Module):
    """Multi-head attention among the tokens of each window."""

    def __init__(
        self,
        width: int,
        n_heads: int,
        windows: Windows,
        bias: type[EarthBias] | type[ExpandedEarthBias] = EarthBias,
        *,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        self.qkv = nnx.Linear(width, 3 * width, use_bias=False, kernel_init=small_normal, dtype=dtype, rngs=rngs)
        self.qkv_bias = nnx.Param(jnp.zeros(3 * width))
        self.project = nnx.Linear(width, width, kernel_init=small_normal, dtype=dtype, rngs=rngs)
        self.bias = bias(windows.n_types, n_heads, windows.window, rngs=rngs)
        self.windows = windows
        self.n_heads = n_heads

    def __call__(self, x: Array) -> Array:
        """Return tokens of the same shape, `[batch, level, lat, lon, embed]`."""
        width = x.shape[-1]
        features = over_tokens(self.qkv, x).reshape(*x.shape[:-1], 3, self.n_heads, -1)
        bias = self.qkv_bias[...].reshape(3, self.n_heads, -1)
        table, apart = (self._by_latitude(each) for each in (self.bias.table[...], self._apart()))
        head = "head" if self.n_heads % n_parts("head") == 0 else None
        inputs = (*VOLUME, None, head), (None, head), (None, "lat", head), (None, "lat")
        mixed = locally(self._mix, inputs, (*VOLUME, head))(features, bias, table, apart)
        return over_tokens(self.project, mixed.reshape(*x.shape[:-1], width))

    def _apart(self) -> Array:
        """Return what is added to the scores of every head, `[type, query, key]`."""
        regions = self.windows.regions()
        return jnp.where(regions[:, :, None] == regions[:, None], 0.0, _APART)

    def _by_latitude(self, by_type: Array) -> Array:
        """Return `[level, lat, ...]` of `[type, ...]`."""
        return by_type.reshape(*self.windows.counts[:2], *by_type.shape[1:])

    def _mix(self, features: Array, bias: Array, table: Array, apart: Array) -> Array:
        """Return what each token sees of those in its window, `[batch, level, lat, lon, head, embed]`.

        Args:
            features: `[batch, level, lat, lon, 3, head, embed]`, query, key and value without their bias.
            bias: `[3, head, embed]`.
            table: The bias of places on Earth, `[level, lat, head, ...]`, of types of windows.
            apart: `[level, lat, query, key]`, added to the scores of every head.
        """
        n_heads = features.shape[-2]
        # Padded tokens have no features but the bias, so that products before and after see none of them.
        windows = self.windows.partition(features.reshape(*features.shape[:4], -1))
        by_type = windows, table.reshape(-1, *table.shape[2:]), apart.reshape(-1, *apart.shape[2:])
        keep = jax.checkpoint_policies.save_only_these_names(ATTENTION)
        mixed = jax.lax.map(jax.checkpoint(lambda one: self.attend(bias, *one), policy=keep), by_type)
        merged = self.windows.merge(mixed)
        return merged.reshape(*merged.shape[:4], n_heads, -1)

    def attend(self, bias: Array, features: Array, table: Array, apart: Array) -> Array:
        """Return what each token of windows of one type sees of those in its window, `[window, token, embed]`.

        Args:
            bias: `[3, head, embed]`, of query, key and value.
            features: `[window, token, 3*embed]`, query, key and value without their bias.
            table: The bias of this type.
            apart: `[query, key]`, added to the scores of every head.
        """
        window, token, _ = features.shape
        features = features + bias.reshape(-1).astype(features.dtype)
        query, key, value = features.reshape(window, token, *bias.shape).transpose(2, 0, 3, 4, 1)
        mixed = attention(query, key, value, self.bias.expand(table) + apart)
        return mixed.astype(features.dtype).transpose(0, 3, 1, 2).reshape(window, token, -1)


@jax.custom_vjp
def attention(query: Array, key: Array, value: Array, bias: Array) -> Array:
    """Return softmax(query key^T / sqrt(embed) + bias) value, the softmax in float32.

    Args:
        query: `[window, head, embed, token]`, and so `key` and `value`; a gradient in this order of axes takes a
            quarter less time on a CPU than with tokens before embed.
        key: What queries are compared with.
        value: What is averaged.
        bias: `[head, query, key]`.
    """
    return _attention_forward(query, key, value, bias)[0]


def _attention_forward(query: Array, key: Array, value: Array, bias: Array) -> tuple[Array, Any]:
    scores = _scores(query, key, bias)
    highest = scores.max(-1, keepdims=True)
    # Dividing the average rather than each weight saves a pass over the scores, as large as all else together.
    weights = jnp.exp(scores - highest)
    total = weights.sum(-1, keepdims=True)
    average = _product("whek,whqk->wheq", value, weights) / total.swapaxes(-1, -2)
    average, log_total = checkpoint_name((average, highest + jnp.log(total)), ATTENTION)  # type: ignore[no-untyped-call]
    return average, (query, key, value, bias, average, log_total)


def _attention_backward(residuals: Any, cotangent: Array) -> tuple[Array, Array, Array, Array]:
    query, key, value, bias, average, log_total = residuals
    weights = jnp.exp(_scores(query, key, bias) - log_total)
    along = (cotangent * average).sum(-2)[..., None]
    slope = weights * (_product("wheq,whek->whqk", cotangent, value) - along)
    scale = _scale(query)
    to_query = scale * _product("whek,whqk->wheq", key, slope)
    to_key = scale * _product("wheq,whqk->whek", query, slope)
    to_value = _product("wheq,whqk->whek", cotangent, weights)
    return to_query.astype(query.dtype), to_key.astype(key.dtype), to_value.astype(value.dtype), slope.sum(0)


attention.defvjp(_attention_forward, _attention_backward)


def _scores(query: Array, key: Array, bias: Array) -> Array:
    return _product("wheq,whek->whqk", query, key) * _scale(query) + bias


def _scale(query: Array) -> float:
    return 1 / math.sqrt(query.shape[-2])


def _product(axes: str, features: Array, other: Array) -> Array:
    """Multiply in the precision of the first, and add up in float32."""
    product: Array = jnp.einsum(axes, features, other.astype(features.dtype), preferred_element_type=jnp.float32)
    return product
