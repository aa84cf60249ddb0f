"""Precipitation from a state of the atmosphere: FourCastNet with one channel out, smoothed and never negative.

Pathak et al. 2022 (arXiv 2202.11214). Precipitation is predicted as `log(1 + depth / EPSILON)`. The
value at a lead is the accumulation over the six hours that end at it, as ECMWF's software labels the published
weights; a comment in the original code would have them six hours later.
"""

from typing import ClassVar, Literal, Self

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from pydantic import model_validator

from weatherml.models.diagnostic import DiagnosticConfig
from weatherml.models.fourcastnet import FourCastNet, FourCastNetConfig
from weatherml.state import StateSpec

EPSILON = 1e-5
"""Depth in metres below which the logarithm turns linear."""


class PrecipitationConfig(DiagnosticConfig):
    """Sizes of a precipitation diagnostic; the defaults are the published network's.

    Attributes:
        name: The key in the registry.
        backbone: Sizes of the FourCastNet inside.
    """

    outputs: ClassVar[tuple[str, ...]] = ("total_precipitation_6hr",)

    name: Literal["precipitation"] = "precipitation"
    backbone: FourCastNetConfig = FourCastNetConfig()

    @model_validator(mode="after")
    def _is_told_no_noise(self) -> Self:
        if self.backbone.noise is not None:
            raise ValueError("backbone.noise: a diagnostic is told no random maps; remove them")
        return self

    def uncut(self, grid: tuple[int, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return what the backbone must hold whole."""
        return self.backbone.uncut(grid)

    def build(self, spec: StateSpec, rngs: nnx.Rngs) -> "Precipitation":
        """Build the network; the backbone's patches must divide the grid."""
        return Precipitation(FourCastNet(self.backbone, spec.n_channels, 1, spec.grid.shape, rngs=rngs), rngs=rngs)

    def compress(self, values: Array) -> Array:
        """Return `log(1 + depth / EPSILON)`; what is below zero, as packed data have it, is none."""
        return jnp.log1p(jnp.maximum(values, 0) / EPSILON)


class Precipitation(nnx.Module):
    """The backbone, a 3 x 3 convolution that meets itself in longitude, and a ReLU.

    Args:
        backbone: `[batch, channel, lat, lon]` to `[batch, 1, lat, lon]`.
        rngs: Draws the kernel.
    """

    def __init__(self, backbone: nnx.Module, *, rngs: nnx.Rngs):
        self.backbone = backbone
        self.conv = nnx.Conv(1, 1, (3, 3), padding="VALID", precision=jax.lax.Precision.HIGHEST, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Return metres of water `[batch, 1, lat, lon]` from a normalised state `[batch, channel, lat, lon]`."""
        return EPSILON * jnp.expm1(self.logarithm(x))

    def logarithm(self, x: Array) -> Array:
        """Return `log(1 + depth / EPSILON)`, `[batch, 1, lat, lon]`."""
        raw = jnp.moveaxis(self.backbone(x), 1, -1)
        wrapped = jnp.pad(raw, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="wrap")
        padded = jnp.pad(wrapped, ((0, 0), (1, 1), (0, 0), (0, 0)))
        return jnp.moveaxis(jax.nn.relu(self.conv(padded)), -1, 1)
