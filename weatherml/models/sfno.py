"""SFNO: a spherical Fourier neural operator, whose filters act on spherical harmonics instead of plane waves.

Bonev et al. 2023 (arXiv 2306.03838), in the linear form of its authors' later code: each filter multiplies the
coefficients of a degree by one complex matrix, the same for all orders. Nothing in the network knows where it is,
unless a forcing or a learned position tells, so it turns with its input about the axis of the Earth; filters whose
weights are real turn with it about any axis.

Inside, arrays are `[lon, lat, batch, embed]`, float32: the order in which transforms are single large products.
"""

import functools
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from pydantic import Field, PositiveFloat, PositiveInt

from weatherml.axes import lay, locally, own, padded, total
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.models.layers import drop_path, drop_path_rates, gelu, over_tokens, small_normal, subkey
from weatherml.models.layers.remat import through
from weatherml.models.layers.spherical_harmonics import FIELD, SphericalHarmonics
from weatherml.models.network import NetworkConfig
from weatherml.sphere import exact_degree
from weatherml.state import StateSpec

EPSILON = 1e-6

keep_variance = functools.partial(nnx.initializers.variance_scaling, mode="fan_in", distribution="uniform")

Transforms = tuple[SphericalHarmonics, SphericalHarmonics]
"""Of the grids before and after, to the same degree."""


class SFNOConfig(NetworkConfig):
    """Sizes of an SFNO.

    Attributes:
        name: the key of this network in the registry.
        scale_factor: rows of the data's grid over those of the Gaussian grid between the first filter and the last.
        truncation: highest degree of the filters; where None, all that both grids hold exactly.
        width: channels inside.
        depth: number of blocks.
        mlp_ratio: hidden width of a block's MLP over `width`.
        diffusion_order: of the `Hyperdiffusion` that a predicted tendency contains; none where None.
        position: whether a learned field is added to the encoded input; the network then depends on longitude.
        drop_path: probability that the last block passes a sample on unchanged in training; it rises linearly from 0
            at the first block.
        dtype: of the pointwise products; transforms and filters are float32.
    """

    name: Literal["sfno"] = "sfno"
    scale_factor: PositiveFloat = 3.0
    truncation: PositiveInt | None = None
    width: PositiveInt = 384
    depth: PositiveInt = 8
    mlp_ratio: PositiveFloat = 2.0
    diffusion_order: PositiveInt | None = None
    position: bool = False
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    dtype: Literal["float32", "bfloat16"] = "float32"

    def uncut(self, grid: tuple[int, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return the rows and columns of the grid inside."""
        rows, columns = internal_shape(grid, self.scale_factor)
        scaled = f"inside, where scale_factor is {self.scale_factor:g}"
        return {f"rows {scaled}": rows}, {f"columns {scaled}": columns}

    def build(self, spec: StateSpec, n_forcings: int, rngs: nnx.Rngs) -> "SFNO":
        """Build the network; its grid must be global, and Gaussian or equally spaced."""
        return SFNO(self, spec.n_channels + n_forcings, spec.n_channels, spec.grid, rngs=rngs)


def internal_grid(grid: LatLonGrid, scale_factor: float) -> LatLonGrid:
    """Return the Gaussian grid with fewer rows and columns than `grid` by a factor; `grid` itself if it is that one."""
    return LatLonGrid.gaussian(*internal_shape(grid.shape, scale_factor))


def internal_shape(shape: tuple[int, int], scale_factor: float) -> tuple[int, int]:
    """Return the rows and columns of the internal grid."""
    rows, columns = (max(2, round(size / scale_factor)) for size in shape)
    return rows, columns


class Mlp(nnx.Module):
    """Two linear layers with an exact GELU between, pointwise; weights keep the variance of what comes in.

    Before a norm, `is_centred`, the output has no bias: the norm would take it away.
    """

    def __init__(
        self, n_in: int, n_hidden: int, n_out: int, is_centred: bool = False, *, dtype: jnp.dtype, rngs: nnx.Rngs
    ):
        linear = functools.partial(nnx.Linear, dtype=dtype, rngs=rngs)
        self.expand = linear(n_in, n_hidden, kernel_init=keep_variance(2.0))
        self.contract = linear(n_hidden, n_out, kernel_init=keep_variance(1.0), use_bias=not is_centred)

    def __call__(self, x: Array) -> Array:
        """Return `[..., n_out]` from `[..., n_in]`, float32."""
        return over_tokens(lambda tokens: self.contract(gelu(self.expand(tokens))), x, FIELD).astype(jnp.float32)


class SphericalNorm(nnx.Module):
    """Mean 0 and variance 1 over the sphere for every channel of every sample, then a scale and a shift."""

    def __init__(self, grid: LatLonGrid, width: int):
        self.scale = nnx.Param(jnp.ones(width))
        self.bias = nnx.Param(jnp.zeros(width))
        self.grid = grid

    def __call__(self, x: Array) -> Array:
        """Return `x [lon, lat, batch, embed]` normalised."""
        x = x - self._mean(x)
        return x * (jax.lax.rsqrt(self._mean(jnp.square(x)) + EPSILON) * self.scale[...]) + self.bias[...]

    def _mean(self, x: Array) -> Array:
        return locally(self._share_of_mean, [FIELD], ("batch",))(x)

    def _share_of_mean(self, x: Array) -> Array:
        # As a matrix product, which is faster than a sum on a CPU.
        share = np.broadcast_to(self.grid.area_weights().T, self.grid.shape[::-1]) / math.prod(self.grid.shape)
        weights = own(own(share, 0, "lon"), 1, "lat").reshape(1, -1)
        points = x.reshape(weights.size, -1)
        mean = jnp.matmul(weights, points, precision=jax.lax.Precision.HIGHEST).reshape(x.shape[2:])
        return total(mean, "lat", "lon")


class SpectralFilter(nnx.Module):
    """Multiplies the coefficients of every degree by a complex matrix: a convolution with a zonal kernel.

    Weights are `[part, degree, in, out]`, real and imaginary. The imaginary part shifts all waves along a circle of
    latitude by the same phase, which tells east from west.
    """

    def __init__(self, degree: int, width: int, *, rngs: nnx.Rngs):
        # In two dimensions: see `weatherml.models.noise.draws`.
        weight = keep_variance(0.5)(rngs.params(), (width, 2 * (degree + 1) * width))
        self.weight = nnx.Param(weight.reshape(2, degree + 1, width, width))

    def __call__(self, spectrum: Array) -> Array:
        """Return the filtered `spectrum [part, order, degree, batch, embed]`."""
        part, weight = (None, "order", "filter_degree", "batch"), padded(self.weight[...], 1, "filter_degree")
        return locally(self._filtered, [part, (None, "filter_degree")], part)(spectrum, weight)

    @staticmethod
    def _filtered(spectrum: Array, weight: Array) -> Array:
        # Orders and samples side by side: one product a degree. An einsum over the axes as they are is slower.
        part, order, degree, batch, embed = spectrum.shape
        x = spectrum.transpose(2, 1, 3, 0, 4).reshape(degree, order * batch, part * embed)
        x = jnp.matmul(x, _real_form(weight), precision=jax.lax.Precision.HIGHEST)
        return x.reshape(degree, order, batch, part, embed).transpose(3, 1, 0, 2, 4)


def _real_form(weight: Array) -> Array:
    """Write complex matrices `[part, degree, in, out]` as real ones `[degree, part * in, part * out]`."""
    real, imag = weight
    return jnp.concatenate([jnp.concatenate([real, imag], 2), jnp.concatenate([-imag, real], 2)], 1)


class Block(nnx.Module):
    """Filter, norm, skip, GELU, MLP, norm, skip; the filter may lead from one grid to another."""

    def __init__(self, config: SFNOConfig, transforms: Transforms, drop_path: float = 0.0, *, rngs: nnx.Rngs):
        width, dtype = config.width, jnp.dtype(config.dtype)
        self.analysis, self.synthesis = transforms
        self.filter = SpectralFilter(self.analysis.degree, width, rngs=rngs)
        self.norm1 = SphericalNorm(self.synthesis.grid, width)
        self.skip = nnx.Linear(width, width, kernel_init=keep_variance(1.0), dtype=dtype, rngs=rngs)
        self.mlp = Mlp(width, int(width * config.mlp_ratio), width, is_centred=True, dtype=dtype, rngs=rngs)
        self.norm2 = SphericalNorm(self.synthesis.grid, width)
        self.drop_path = drop_path

    def __call__(self, x: Array, key: Array | None = None) -> Array:
        """Return `[lon, lat, batch, embed]` on the grid of the synthesis."""
        spectrum = self.analysis.forward(x)
        if self.synthesis != self.analysis:
            x = self.synthesis.inverse(spectrum)
        y = self.norm1(self.synthesis.inverse(self.filter(spectrum)))
        y = self.norm2(self.mlp(gelu(y + over_tokens(self.skip, x, FIELD).astype(jnp.float32))))
        return x + y * drop_path(jnp.ones((x.shape[2], 1)), self.drop_path, key)


@dataclass(frozen=True)
class Hyperdiffusion:
    """Damps the small scales of a state by its tendency, as spectral models of the atmosphere do.

    One-step errors are dominated by large scales, so training hardly sees the smallest, which then grow in a long
    forecast. In units of the tendency, degree l of the state is taken away with the share
    `(l (l + 1) / (L (L + 1))) ** order`, where L is the highest degree of the filters, and what lies beyond altogether.

    Attributes:
        transform: Between the grid and the degrees of the filters.
        order: Of the power of the Laplacian.
    """

    transform: SphericalHarmonics
    order: int

    def __call__(self, tendency: Array, state: Array) -> Array:
        """Return the tendency of a damped state, both `[lon, lat, batch, channel]`."""
        eigenvalues = np.arange(self.transform.degree + 1) * np.arange(1, self.transform.degree + 2)
        kept = jnp.asarray(1 - (eigenvalues / eigenvalues[-1]) ** self.order, jnp.float32)
        spectrum = self.transform.forward(tendency)
        spectrum += self.transform.forward(state) * padded(kept, 0, "filter_degree")[:, None, None]
        return self.transform.inverse(spectrum) - state


class SFNO(nnx.Module):
    """The network: pointwise encoder, blocks on a Gaussian grid, pointwise decoder."""

    def __init__(self, config: SFNOConfig, n_in: int, n_out: int, grid: LatLonGrid, *, rngs: nnx.Rngs):
        width, dtype = config.width, jnp.dtype(config.dtype)
        outside, inside = _transforms(grid, internal_grid(grid, config.scale_factor), config.truncation)
        stations = [outside, *[inside] * (config.depth - 1), outside]
        rates = drop_path_rates(config.drop_path, config.depth)
        self.encoder = Mlp(n_in, width, width, dtype=dtype, rngs=rngs)
        self.position = (
            nnx.Param(small_normal(rngs.params(), (grid.n_lon, grid.n_lat, 1, width))) if config.position else None
        )
        self.blocks = nnx.List(
            [Block(config, ends, rate, rngs=rngs) for ends, rate in zip(pairwise(stations), rates, strict=True)]
        )
        self.decoder = Mlp(width + n_in, width, n_out, dtype=dtype, rngs=rngs)
        self.diffusion = None if config.diffusion_order is None else Hyperdiffusion(outside, config.diffusion_order)
        self.n_out = n_out

    def __call__(self, x: Array, key: Array | None = None) -> Array:
        """Return `[batch, n_out, lat, lon]` from `[batch, n_in, lat, lon]`; `key` draws which paths to drop."""
        x = x.transpose(3, 2, 0, 1)
        y = self.encoder(x)
        if self.position is not None:
            y = y + self.position[...]
        for index, block in enumerate(self.blocks):
            y = lay(through(block, y, subkey(key, index)), *FIELD, None)
        y = self.decoder(jnp.concatenate([y, x], -1))
        if self.diffusion is not None:
            y = self.diffusion(y, x[..., : self.n_out])
        return y.transpose(2, 3, 1, 0)


def _transforms(outside: LatLonGrid, inside: LatLonGrid, truncation: int | None) -> Transforms:
    degree = min(exact_degree(outside), exact_degree(inside))
    if truncation is not None and truncation > degree:
        raise UserError(
            f"truncation {truncation} is beyond degree {degree}, the highest that grids of {outside.n_lat} x"
            f" {outside.n_lon} and {inside.n_lat} x {inside.n_lon} hold; lower truncation or scale_factor"
        )
    degree = truncation or degree
    return SphericalHarmonics(outside, degree), SphericalHarmonics(inside, degree)
