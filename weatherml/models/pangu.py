"""Pangu-Weather: a three-dimensional transformer in windows, with a bias for each place on Earth.

Bi et al. 2022 (arXiv 2211.02556). The arithmetic is that of the published weights, which is not always that of the
published pseudocode. Tokens are a volume `[batch, level, lat, lon, embed]`: the surface first, then upwards.
"""

import math
from typing import Literal

import jax.numpy as jnp
from flax import nnx
from jax import Array
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from weatherml.axes import lay
from weatherml.models.layers import (
    LayerNorm,
    Mlp,
    drop_path,
    drop_path_rates,
    over_tokens,
    small_normal,
    subkey,
)
from weatherml.models.layers.air import Air
from weatherml.models.layers.earth_attention import VOLUME, EarthAttention, EarthBias, ExpandedEarthBias
from weatherml.models.layers.patches import from_patches, to_patches, volume_of
from weatherml.models.layers.remat import through
from weatherml.models.layers.windows import Extent, Windows
from weatherml.models.network import NetworkConfig
from weatherml.state import StateSpec

EPSILON = 1e-5


class PanguConfig(NetworkConfig):
    """Sizes of a Pangu-Weather; the defaults are the published network's.

    Two layers of blocks work on the volume of patches, the first and the last; the two between on one of half as many
    rows and columns, twice as wide. Nothing needs to be tiled: patches and windows are filled up with zeros at the top,
    in the south and in the east. Only where they do tile all columns, at both resolutions, is there no seam at the
    meridian where the grid begins.

    Attributes:
        name: the key of this network in the registry.
        patch: levels, rows and columns of a patch in grid points.
        width: channels of a token in the outer layers, half of those in the inner.
        depths: blocks of each layer.
        heads: attention heads of each layer; must divide its width.
        window: levels, rows and columns of a window in tokens. Every second block shifts windows by half of it.
        mlp_ratio: hidden width of the token MLP over the width of a token.
        n_surface_maps: learned maps beside the surface variables; the published weights have three.
        height_map: whether there is a learned field beside the upper-air variables; the published weights have one.
        expanded_bias: whether the bias is kept for each pair of tokens, for weights in which it depends on longitude;
            with the published window that is six times the memory.
        drop_path: probability that the last block passes a sample on unchanged in training, attention and MLP each; it
            rises linearly from 0 at the first block of the network.
        dtype: of the matrix products; softmax, norms and the sum of the blocks are float32.
    """

    name: Literal["pangu"] = "pangu"
    patch: tuple[PositiveInt, PositiveInt, PositiveInt] = (2, 4, 4)
    width: PositiveInt = 192
    depths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (2, 6, 6, 2)
    heads: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (6, 12, 12, 6)
    window: tuple[PositiveInt, PositiveInt, PositiveInt] = (2, 6, 12)
    mlp_ratio: PositiveFloat = 4.0
    n_surface_maps: NonNegativeInt = 3
    height_map: bool = True
    expanded_bias: bool = False
    drop_path: float = Field(default=0.2, ge=0, lt=1)
    dtype: Literal["float32", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _heads_divide_widths(self) -> "PanguConfig":
        for heads, width in zip(self.heads, self.widths, strict=True):
            if width % heads:
                raise ValueError(f"{heads} heads do not divide the width {width} of their layer")
        return self

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Channels of a token in each layer."""
        return self.width, 2 * self.width, 2 * self.width, self.width

    def uncut(self, grid: tuple[int, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return the rows and columns of windows at the coarser resolution."""
        return self._windows("rows", grid[0], 1), self._windows("columns", grid[1], 2)

    def _windows(self, what: str, size: int, axis: int) -> dict[str, int]:
        """Return how many windows at the coarser resolution lie along an axis, one if they do not tile it."""
        points = 2 * self.patch[axis] * self.window[axis]
        if size % points:
            return {f"{size} {what}, which windows tile only in multiples of 2 x patch x window = {points}": 1}
        return {f"{what} of windows at the coarser resolution": size // points}

    def build(self, spec: StateSpec, n_forcings: int, rngs: nnx.Rngs) -> "Pangu":
        """Build the network; the state needs surface and upper-air variables, the latter on one set of levels."""
        return Pangu(self, Air.of(spec), n_forcings, spec.grid.shape, rngs=rngs)


class Block(nnx.Module):
    """Attention in windows, then an MLP; each normalised before it is added."""

    def __init__(self, config: PanguConfig, width: int, n_heads: int, windows: Windows, *, rngs: nnx.Rngs):
        dtype = jnp.dtype(config.dtype)
        bias = ExpandedEarthBias if config.expanded_bias else EarthBias
        self.attention = EarthAttention(width, n_heads, windows, bias, dtype=dtype, rngs=rngs)
        self.norm1 = LayerNorm(width, EPSILON)
        self.mlp = Mlp(width, int(width * config.mlp_ratio), dtype=dtype, rngs=rngs)
        self.norm2 = LayerNorm(width, EPSILON)

    def __call__(self, x: Array, drop_rate: float = 0.0, key: Array | None = None) -> Array:
        """Return tokens of the same shape; `key` draws the samples that skip an addition, at `drop_rate`."""
        x = x + drop_path(self.norm1(self.attention(x)), drop_rate, subkey(key, 0))
        return x + drop_path(self.norm2(over_tokens(self.mlp, x)), drop_rate, subkey(key, 1))


class Layer(nnx.Module):
    """Blocks on a volume of one size, every second with shifted windows."""

    def __init__(self, config: PanguConfig, index: int, volume: Extent, *, rngs: nnx.Rngs):
        width, n_heads = config.widths[index], config.heads[index]
        before, after = sum(config.depths[:index]), sum(config.depths[: index + 1])
        self.drop_rates = drop_path_rates(config.drop_path, sum(config.depths))[before:after]
        windows = [Windows(volume, config.window, shifted=block % 2 == 1) for block in range(config.depths[index])]
        self.blocks = nnx.List([Block(config, width, n_heads, each, rngs=rngs) for each in windows])

    def __call__(self, x: Array, key: Array | None = None) -> Array:
        """Return tokens of the same shape."""
        for index, (block, rate) in enumerate(zip(self.blocks, self.drop_rates, strict=True)):
            x = lay(through(block, x, rate, subkey(key, index)), *VOLUME, None)
        return x


class Down(nnx.Module):
    """Four neighbours to one token of twice the width; zeros where there are fewer."""

    def __init__(self, width: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.norm = LayerNorm(4 * width, EPSILON)
        self.merge = _linear(4 * width, 2 * width, dtype, rngs)

    def __call__(self, x: Array) -> Array:
        """Return `[batch, level, lat/2, lon/2, 2*embed]` of `x [batch, level, lat, lon, embed]`."""
        batch, level, lat, lon, embed = x.shape
        x = jnp.pad(x, [(0, 0), (0, 0), (0, lat % 2), (0, lon % 2), (0, 0)])
        x = x.reshape(batch, level, -(-lat // 2), 2, -(-lon // 2), 2, embed).transpose(0, 1, 2, 4, 3, 5, 6)
        return over_tokens(self.merge, self.norm(x.reshape(*x.shape[:4], -1)))


class Up(nnx.Module):
    """One token to four neighbours of half the width: the way back of `Down`."""

    def __init__(self, width: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.split = _linear(2 * width, 4 * width, dtype, rngs)
        self.norm = LayerNorm(width, EPSILON)
        self.mix = _linear(width, width, dtype, rngs)

    def __call__(self, x: Array, volume: Extent) -> Array:
        """Return tokens of a finer volume, `[batch, level, lat, lon, embed]`."""
        batch, level, lat, lon, embed = x.shape
        x = over_tokens(self.split, x).reshape(batch, level, lat, lon, 2, 2, embed // 2)
        x = x.transpose(0, 1, 2, 4, 3, 5, 6).reshape(batch, level, 2 * lat, 2 * lon, embed // 2)
        return over_tokens(self.mix, self.norm(x[:, :, : volume[1], : volume[2]]))


class PatchEmbedding(nnx.Module):
    """Patches of fields, and of learned maps beside them, to tokens."""

    def __init__(
        self, n_fields: int, maps: tuple[int, int, int, int], patch: Extent, config: PanguConfig, *, rngs: nnx.Rngs
    ):
        """Take the shape of the maps as (map, level, lat, lon); there may be none."""
        self.maps = nnx.Param(small_normal(rngs.params(), maps)) if maps[0] else None
        self.linear = nnx.Linear(
            math.prod(patch) * (n_fields + maps[0]),
            config.width,
            kernel_init=nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
            dtype=jnp.dtype(config.dtype),
            rngs=rngs,
        )
        self.patch = patch

    def __call__(self, fields: Array) -> Array:
        """Return a volume of tokens from `[batch, channel, level, lat, lon]`."""
        patches = to_patches(fields, self.patch)
        if self.maps is not None:
            maps = to_patches(self.maps[...][None], self.patch)
            patches = jnp.concatenate([patches, jnp.broadcast_to(maps, (*patches.shape[:4], maps.shape[4]))], axis=-1)
        return over_tokens(self.linear, patches)


class PatchRecovery(nnx.Module):
    """Tokens to the patches of fields, with a bias for each point of a patch."""

    def __init__(self, n_fields: int, patch: Extent, config: PanguConfig, *, rngs: nnx.Rngs):
        n_features = math.prod(patch) * n_fields
        dtype = jnp.dtype(config.dtype)
        self.linear = nnx.Linear(2 * config.width, n_features, kernel_init=small_normal, dtype=dtype, rngs=rngs)
        self.patch = patch

    def __call__(self, tokens: Array, space: Extent) -> Array:
        """Return `[batch, channel, level, lat, lon]` of a volume of tokens."""
        return from_patches(over_tokens(self.linear, tokens).astype(jnp.float32), self.patch, space)


class Pangu(nnx.Module):
    """The network: embeddings of surface and upper air, four layers in two resolutions, recoveries."""

    def __init__(self, config: PanguConfig, air: Air, n_forcings: int, grid: tuple[int, int], *, rngs: nnx.Rngs):
        upper_space = (air.n_levels, *grid)
        level, lat, lon = volume_of(upper_space, config.patch)
        self.volume = (level + 1, lat, lon)
        coarse = (level + 1, -(-lat // 2), -(-lon // 2))
        surface_patch = (1, *config.patch[1:])
        n_surface, n_upper = len(air.surface), len(air.upper)
        surface_maps = (config.n_surface_maps, 1, lat * config.patch[1], lon * config.patch[2])
        height_map = (int(config.height_map), *upper_space)
        dtype = jnp.dtype(config.dtype)
        self.embed_surface = PatchEmbedding(n_surface + n_forcings, surface_maps, surface_patch, config, rngs=rngs)
        self.embed_upper = PatchEmbedding(n_upper, height_map, config.patch, config, rngs=rngs)
        volumes = (self.volume, coarse, coarse, self.volume)
        self.layers = nnx.List([Layer(config, index, volume, rngs=rngs) for index, volume in enumerate(volumes)])
        self.down = Down(config.width, dtype=dtype, rngs=rngs)
        self.up = Up(config.width, dtype=dtype, rngs=rngs)
        self.recover_surface = PatchRecovery(n_surface, surface_patch, config, rngs=rngs)
        self.recover_upper = PatchRecovery(n_upper, config.patch, config, rngs=rngs)
        self.air = air

    def __call__(self, x: Array, key: Array | None = None) -> Array:
        """Return `[batch, channel, lat, lon]` from `[batch, channel + forcing, lat, lon]`.

        Args:
            x: the state's channels, then the forcings.
            key: draws which samples skip which additions; none does when None.
        """
        first, second, third, fourth = self.layers
        surface, upper = self.air.split(x)
        tokens = jnp.concatenate([self.embed_surface(surface[:, :, None]), self.embed_upper(upper)], axis=1)
        skip = first(tokens.astype(jnp.float32), subkey(key, 0))
        tokens = third(second(self.down(skip), subkey(key, 1)), subkey(key, 2))
        tokens = fourth(self.up(tokens, self.volume), subkey(key, 3))
        tokens = jnp.concatenate([skip, tokens], axis=-1)
        _, _, lat, lon = x.shape
        surface = self.recover_surface(tokens[:, :1], (1, lat, lon))
        upper = self.recover_upper(tokens[:, 1:], (self.air.n_levels, lat, lon))
        return self.air.join(surface[:, :, 0], upper)


def _linear(n_in: int, n_out: int, dtype: jnp.dtype, rngs: nnx.Rngs) -> nnx.Linear:
    return nnx.Linear(n_in, n_out, use_bias=False, kernel_init=small_normal, dtype=dtype, rngs=rngs)
