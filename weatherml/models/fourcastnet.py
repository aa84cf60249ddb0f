"""FourCastNet: a vision transformer whose tokens mix in Fourier space (AFNO).

Pathak et al. 2022 (arXiv 2202.11214), Guibas et al. 2021 (arXiv 2111.13587). The arithmetic follows the
published code, including what look like accidents, because published weights depend on it. The original's final
norm is stored in its files but never applied, so it is not a part of this network.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from weatherml.config import Config
from weatherml.errors import UserError
from weatherml.models.layers import LayerNorm, Mlp, patchify, small_normal, unpatchify

EPSILON = 1e-6


class FourCastNetConfig(Config):
    """Sizes of a FourCastNet; the defaults are the published network's.

    Attributes:
        name: the key of this network in the registry.
        patch: edge of a patch in grid points; must divide both sizes of the grid.
        width: channels of a token, a multiple of `n_blocks`.
        depth: number of blocks.
        n_blocks: diagonal blocks of the spectral weights.
        mlp_ratio: hidden width of the token MLP over `width`.
        hidden_size_factor: hidden width of the spectral MLP over its block size.
        sparsity_threshold: soft-shrink threshold on the spectrum.
        hard_thresholding_fraction: fraction of the modes that is kept.
        double_skip: whether the filter has its own skip connection.
        dtype: of the matrix products outside the filter; everything else is float32.
    """

    name: Literal["fourcastnet"] = "fourcastnet"
    patch: PositiveInt = 8
    width: PositiveInt = 768
    depth: PositiveInt = 12
    n_blocks: PositiveInt = 8
    mlp_ratio: PositiveFloat = 4.0
    hidden_size_factor: PositiveInt = 1
    sparsity_threshold: float = Field(default=0.01, ge=0)
    hard_thresholding_fraction: float = Field(default=1.0, gt=0, le=1)
    double_skip: bool = True
    dtype: Literal["float32", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _blocks_divide_width(self) -> "FourCastNetConfig":
        if self.width % self.n_blocks:
            raise ValueError(f"width {self.width} is not a multiple of n_blocks {self.n_blocks}")
        return self

    def build(self, n_in: int, n_out: int, shape: tuple[int, int], rngs: nnx.Rngs) -> "FourCastNet":
        """Build the network for `n_in` to `n_out` channels on a grid of `shape` (lat, lon)."""
        return FourCastNet(self, n_in, n_out, shape, rngs=rngs)


def kept_modes(shape: tuple[int, int], fraction: float) -> tuple[slice, slice]:
    """Return the rows and columns of the unshifted half spectrum that the filter keeps.

    Both are counted from the number of *rows*, as the published code does: on a grid of 90 x 180 only 46 of
    91 zonal wavenumbers survive at fraction 1, and below 1 the rows around the Nyquist wavenumber stay, not
    the large scales.
    """
    rows, columns = shape
    total = rows // 2 + 1
    kept = int(total * fraction)
    return slice(total - kept, min(total + kept, rows)), slice(0, min(kept, columns // 2 + 1))


def _complex_linear(real: Array, imag: Array, weight: Array, bias: Array) -> tuple[Array, Array]:
    def product(x: Array, w: Array) -> Array:
        return jnp.einsum("...ni,nio->...no", x, w)

    return (
        product(real, weight[0]) - product(imag, weight[1]) + bias[0],
        product(imag, weight[0]) + product(real, weight[1]) + bias[1],
    )


def _soft_shrink(x: Array, threshold: float) -> Array:
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - threshold, 0)


class SpectralFilter(nnx.Module):
    """Mixes tokens by a shared two-layer complex MLP on each wavenumber, and adds its own input.

    Weights are pairs: index 0 is the real part, 1 the imaginary. ReLU acts on the parts separately.
    """

    def __init__(self, config: FourCastNetConfig, *, rngs: nnx.Rngs):
        size = config.width // config.n_blocks
        hidden = size * config.hidden_size_factor
        draw = nnx.initializers.normal(0.02)
        self.w1 = nnx.Param(draw(rngs.params(), (2, config.n_blocks, size, hidden)))
        self.b1 = nnx.Param(draw(rngs.params(), (2, config.n_blocks, hidden)))
        self.w2 = nnx.Param(draw(rngs.params(), (2, config.n_blocks, hidden, size)))
        self.b2 = nnx.Param(draw(rngs.params(), (2, config.n_blocks, size)))
        self.threshold = config.sparsity_threshold
        self.fraction = config.hard_thresholding_fraction

    def __call__(self, x: Array) -> Array:
        """Return `x` and its mixture, `[batch, lat, lon, embed]`."""
        rows, columns = x.shape[1:3]
        kept = kept_modes((rows, columns), self.fraction)
        spectrum = jnp.fft.rfft2(x, axes=(1, 2), norm="ortho")
        mixed = self.mix(spectrum[:, *kept])
        spectrum = jnp.zeros_like(spectrum).at[:, *kept].set(mixed)
        # Not irfft2: the MLP breaks the spectrum's symmetry, and libraries differ in what they then ignore.
        spectrum = jnp.fft.ifft(spectrum, axis=1, norm="ortho")
        return x + jnp.fft.irfft(spectrum, columns, axis=2, norm="ortho")

    def mix(self, spectrum: Array) -> Array:
        """Return the complex MLP and soft-shrink of `[batch, mode, mode, embed]`."""
        blocks = spectrum.reshape(*spectrum.shape[:-1], self.b2.shape[1], -1)
        real, imag = _complex_linear(blocks.real, blocks.imag, self.w1[...], self.b1[...])
        real, imag = jax.nn.relu(real), jax.nn.relu(imag)
        real, imag = _complex_linear(real, imag, self.w2[...], self.b2[...])
        mixed = jax.lax.complex(_soft_shrink(real, self.threshold), _soft_shrink(imag, self.threshold))
        return mixed.reshape(spectrum.shape)


class Block(nnx.Module):
    """Norm, spectral filter, norm, MLP; with one skip connection or two."""

    def __init__(self, config: FourCastNetConfig, *, rngs: nnx.Rngs):
        hidden = int(config.width * config.mlp_ratio)
        self.norm1 = LayerNorm(config.width, EPSILON)
        self.filter = SpectralFilter(config, rngs=rngs)
        self.norm2 = LayerNorm(config.width, EPSILON)
        self.mlp = Mlp(config.width, hidden, dtype=jnp.dtype(config.dtype), rngs=rngs)
        self.double_skip = config.double_skip

    def __call__(self, x: Array) -> Array:
        """Return tokens of the same shape, `[batch, lat, lon, embed]`."""
        y = self.filter(self.norm1(x))
        if self.double_skip:
            x = y = y + x
        return self.mlp(self.norm2(y)) + x


class FourCastNet(nnx.Module):
    """The network: patch embedding, positions, blocks, a linear head."""

    def __init__(self, config: FourCastNetConfig, n_in: int, n_out: int, shape: tuple[int, int], *, rngs: nnx.Rngs):
        rows, columns = _token_grid(shape, config.patch)
        n_points = config.patch**2
        dtype = jnp.dtype(config.dtype)
        uniform = nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
        self.embed = nnx.Linear(n_points * n_in, config.width, kernel_init=uniform, dtype=dtype, rngs=rngs)
        self.position = nnx.Param(small_normal(rngs.params(), (rows, columns, config.width)))
        self.blocks = nnx.List([Block(config, rngs=rngs) for _ in range(config.depth)])
        self.head = nnx.Linear(
            config.width, n_points * n_out, use_bias=False, kernel_init=small_normal, dtype=dtype, rngs=rngs
        )
        self.patch = config.patch

    def __call__(self, x: Array) -> Array:
        """Return `[batch, n_out, lat, lon]` from `[batch, n_in, lat, lon]`."""
        tokens = self.embed(patchify(x, self.patch)) + self.position[...]
        for block in self.blocks:
            tokens = block(tokens)
        return unpatchify(self.head(tokens).astype(jnp.float32), self.patch)


def _token_grid(shape: tuple[int, int], patch: int) -> tuple[int, int]:
    lat, lon = shape
    if lat % patch or lon % patch:
        raise UserError(f"patch {patch} does not divide the {lat} x {lon} grid; choose a patch that divides both sizes")
    return lat // patch, lon // patch
