"""FourCastNet: a vision transformer whose tokens mix in Fourier space (AFNO).

Pathak et al. 2022 (arXiv 2202.11214), Guibas et al. 2021 (arXiv 2111.13587). The arithmetic follows the
published code, including what look like accidents, because published weights depend on it. The original's final
norm is stored in its files but never applied, so it is not a part of this network.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from weatherml.axes import lay, locally, n_parts
from weatherml.errors import UserError
from weatherml.models.layers import (
    LayerNorm,
    Mlp,
    drop_path,
    drop_path_rates,
    over_tokens,
    patchify,
    small_normal,
    subkey,
    unpatchify,
)
from weatherml.models.layers.fourier import PartialFourier
from weatherml.models.layers.remat import through
from weatherml.models.network import NetworkConfig
from weatherml.state import StateSpec

EPSILON = 1e-6


class FourCastNetConfig(NetworkConfig):
    """Sizes of a FourCastNet; the defaults are the published network's.

    Attributes:
        name: the key of this network in the registry.
        patch: rows and columns of a patch in grid points, or the edge of a square one; must divide the grid. The filter
            keeps as many zonal wavenumbers as there are rows of patches over two, so on a grid of 1:2 patches of 1:2
            keep them all, square ones half.
        width: channels of a token, a multiple of `n_blocks`.
        depth: number of blocks.
        n_blocks: diagonal blocks of the spectral weights.
        mlp_ratio: hidden width of the token MLP over `width`.
        hidden_size_factor: hidden width of the spectral MLP over its block size.
        sparsity_threshold: soft-shrink threshold on the spectrum.
        hard_thresholding_fraction: fraction of the modes that is kept.
        double_skip: whether the filter has its own skip connection.
        drop_path: probability that the last block passes a sample's tokens on unchanged by its MLP in training; it
            rises linearly from 0 at the first block.
        dtype: of the matrix products outside the filter; everything else is float32.
    """

    name: Literal["fourcastnet"] = "fourcastnet"
    patch: PositiveInt | tuple[PositiveInt, PositiveInt] = 8
    width: PositiveInt = 768
    depth: PositiveInt = 12
    n_blocks: PositiveInt = 8
    mlp_ratio: PositiveFloat = 4.0
    hidden_size_factor: PositiveInt = 1
    sparsity_threshold: float = Field(default=0.01, ge=0)
    hard_thresholding_fraction: float = Field(default=1.0, gt=0, le=1)
    double_skip: bool = True
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    dtype: Literal["float32", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _blocks_divide_width(self) -> "FourCastNetConfig":
        if self.width % self.n_blocks:
            raise ValueError(f"width {self.width} is not a multiple of n_blocks {self.n_blocks}")
        return self

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Rows and columns of a patch."""
        return self.patch if isinstance(self.patch, tuple) else (self.patch, self.patch)

    def uncut(self, grid: tuple[int, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return the rows and columns of patches, and the blocks of the filter, which lie where longitude is whole."""
        rows, columns = _token_grid(grid, self.patch_shape)
        return {"rows of patches": rows}, {"columns of patches": columns, "n_blocks": self.n_blocks}

    def build(self, spec: StateSpec, n_forcings: int, rngs: nnx.Rngs) -> "FourCastNet":
        """Build the network; its patches must divide the grid."""
        return FourCastNet(self, spec.n_channels + n_forcings, spec.n_channels, spec.grid.shape, rngs=rngs)


def kept_modes(shape: tuple[int, int], fraction: float) -> tuple[range, range]:
    """Return the rows and columns of the unshifted half spectrum that the filter keeps.

    Both are counted from the number of *rows*, as the published code does: on a grid of 90 x 180 only 46 of
    91 zonal wavenumbers survive at fraction 1, and below 1 the rows around the Nyquist wavenumber stay, not
    the large scales.
    """
    rows, columns = shape
    total = rows // 2 + 1
    kept = int(total * fraction)
    return range(total - kept, min(total + kept, rows)), range(min(kept, columns // 2 + 1))


class SpectralFilter(nnx.Module):
    """Mixes tokens by a shared two-layer complex MLP on each wavenumber, and adds its own input.

    Weights are pairs: index 0 is the real part, 1 the imaginary. ReLU acts on the parts separately.
    """

    def __init__(self, config: FourCastNetConfig, *, rngs: nnx.Rngs):
        size = config.width // config.n_blocks
        hidden = size * config.hidden_size_factor
        self.w1 = nnx.Param(small_normal(rngs.params(), (2, config.n_blocks, size, hidden)))
        self.b1 = nnx.Param(small_normal(rngs.params(), (2, config.n_blocks, hidden)))
        self.w2 = nnx.Param(small_normal(rngs.params(), (2, config.n_blocks, hidden, size)))
        self.b2 = nnx.Param(small_normal(rngs.params(), (2, config.n_blocks, size)))
        self.threshold = config.sparsity_threshold
        self.fraction = config.hard_thresholding_fraction

    def __call__(self, x: Array) -> Array:
        """Return `x` and its mixture, `[batch, lat, lon, embed]`."""
        grid = x.shape[1], x.shape[2]
        rows, columns = kept_modes(grid, self.fraction)
        if not rows or not columns:  # few rows and a small fraction: the published filter then adds nothing
            return x
        fourier = PartialFourier(grid, rows, columns)

        def filtered(x: Array, *weights: Array) -> Array:
            return fourier.inverse(self.mix(fourier.forward(x), *weights))

        is_divided = self.b2.shape[1] % n_parts("block") == 0
        channel, block = ("channel", "block") if is_divided else (None, "zonal_block")
        field = ("batch", "lat", "lon", channel)
        return x + locally(filtered, (field, *4 * [(None, block)]), field)(x, *self.weights)

    @property
    def weights(self) -> tuple[Array, Array, Array, Array]:
        """Weights and biases of the two layers, `[part, block, ...]`."""
        return self.w1[...], self.b1[...], self.w2[...], self.b2[...]

    def mix(self, modes: Array, w1: Array, b1: Array, w2: Array, b2: Array) -> Array:
        """Return the complex MLP and soft-shrink of `[batch, row, part, column, embed]`; of some blocks as well."""
        x = modes.reshape(*modes.shape[:-1], b2.shape[1], -1)
        x = jnp.einsum("brpkni,npiqo->nbrkqo", x, _real_form(w1))
        x = jax.nn.relu(x + _per_block(b1))
        x = jnp.einsum("nbrkpi,npiqo->brqkno", x, _real_form(w2)) + b2[:, None]
        # Soft-shrink: towards zero by the threshold, zero within it.
        x = x - jnp.clip(x, -self.threshold, self.threshold)
        return x.reshape(modes.shape)


def _real_form(weight: Array) -> Array:
    """Write complex block weights `[part, block, in, out]` as real ones `[block, part, in, part, out]`."""
    real, imag = weight
    return jnp.stack([jnp.stack([real, imag], 2), jnp.stack([-imag, real], 2)], 1)


def _per_block(bias: Array) -> Array:
    """Lay `[part, block, out]` out as `[block, batch, row, column, part, out]`."""
    return bias.transpose(1, 0, 2)[:, None, None, None]


class Block(nnx.Module):
    """Norm, spectral filter, norm, MLP; with one skip connection or two."""

    def __init__(self, config: FourCastNetConfig, drop_path: float = 0.0, *, rngs: nnx.Rngs):
        hidden = int(config.width * config.mlp_ratio + 1e-6)  # 22 * (30 / 22) is less than 30
        self.norm1 = LayerNorm(config.width, EPSILON)
        self.filter = SpectralFilter(config, rngs=rngs)
        self.norm2 = LayerNorm(config.width, EPSILON)
        self.mlp = Mlp(config.width, hidden, dtype=jnp.dtype(config.dtype), rngs=rngs)
        self.double_skip = config.double_skip
        self.drop_path = drop_path

    def __call__(self, x: Array, key: Array | None = None) -> Array:
        """Return tokens of the same shape, `[batch, lat, lon, embed]`."""
        y = self.filter(self.norm1(x))
        if self.double_skip:
            x = y = y + x
        return drop_path(over_tokens(self.mlp, self.norm2(y)), self.drop_path, key) + x


class FourCastNet(nnx.Module):
    """The network: patch embedding, positions, blocks, a linear head."""

    def __init__(self, config: FourCastNetConfig, n_in: int, n_out: int, shape: tuple[int, int], *, rngs: nnx.Rngs):
        rows, columns = _token_grid(shape, config.patch_shape)
        n_points = math.prod(config.patch_shape)
        dtype = jnp.dtype(config.dtype)
        uniform = nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
        self.embed = nnx.Linear(n_points * n_in, config.width, kernel_init=uniform, dtype=dtype, rngs=rngs)
        self.position = nnx.Param(small_normal(rngs.params(), (rows, columns, config.width)))
        rates = drop_path_rates(config.drop_path, config.depth)
        self.blocks = nnx.List([Block(config, rate, rngs=rngs) for rate in rates])
        self.head = nnx.Linear(
            config.width, n_points * n_out, use_bias=False, kernel_init=small_normal, dtype=dtype, rngs=rngs
        )
        self.patch = config.patch_shape

    def __call__(self, x: Array, key: Array | None = None) -> Array:
        """Return `[batch, n_out, lat, lon]` from `[batch, n_in, lat, lon]`; `key` draws which paths to drop."""
        tokens = over_tokens(self.embed, patchify(x, self.patch)) + self.position[...]
        for index, block in enumerate(self.blocks):
            tokens = lay(through(block, tokens, subkey(key, index)), "batch", "lat", "lon", None)
        return unpatchify(over_tokens(self.head, tokens).astype(jnp.float32), self.patch)


def _token_grid(shape: tuple[int, int], patch: tuple[int, int]) -> tuple[int, int]:
    (lat, lon), (rows, columns) = shape, patch
    if lat % rows or lon % columns:
        raise UserError(f"patch {rows} x {columns} does not divide the {lat} x {lon} grid; choose one that does")
    return lat // rows, lon // columns
