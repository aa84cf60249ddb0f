"""Precipitation from a state of the atmosphere: FourCastNet with one channel out, smoothed and never negative.

Pathak et al. 2022 (arXiv 2202.11214). Precipitation is predicted as `log(1 + depth / epsilon)`. The
value at a time is the accumulation over the hours that end at it: six, as ECMWF's software labels the published
weights (a comment in the original code would have them six hours later), or as many as a configuration says.
"""

from typing import Literal, Self

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from pydantic import PositiveFloat, model_validator

from weatherml.models.diagnostic import DiagnosticConfig
from weatherml.models.fourcastnet import FourCastNet, FourCastNetConfig
from weatherml.state import StateSpec

EPSILON = 1e-5
"""Depth in metres below which the logarithm turns linear, as published."""

ACCUMULATED = {
    "1h": "total_precipitation",
    "6h": "total_precipitation_6hr",
    "12h": "total_precipitation_12hr",
    "24h": "total_precipitation_24hr",
}
"""Precipitation over the hours that end at a time, by how many these are."""


class PrecipitationConfig(DiagnosticConfig):
    """Sizes of a precipitation diagnostic; the defaults are the published network's.

    Attributes:
        name: The key in the registry.
        accumulation: How long the time is that ends at the state's valid time, and whose precipitation is given.
        epsilon: Depth in metres below which the logarithm turns linear. Losses are of the logarithm, where an error is
            a factor of depths beyond: a larger one weighs heavy rain more, as errors in metres do.
        backbone: Sizes of the FourCastNet inside.
    """

    name: Literal["precipitation"] = "precipitation"
    accumulation: Literal["1h", "6h", "12h", "24h"] = "6h"
    epsilon: PositiveFloat = EPSILON
    backbone: FourCastNetConfig = FourCastNetConfig()

    @model_validator(mode="after")
    def _is_told_no_noise(self) -> Self:
        if self.backbone.noise is not None:
            raise ValueError("backbone.noise: a diagnostic is told no random maps; remove them")
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the name of the precipitation."""
        return (ACCUMULATED[self.accumulation],)

    def uncut(self, grid: tuple[int, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return what the backbone must hold whole."""
        return self.backbone.uncut(grid)

    def build(self, spec: StateSpec, rngs: nnx.Rngs) -> "Precipitation":
        """Build the network; the backbone's patches must divide the grid."""
        backbone = FourCastNet(self.backbone, spec.n_channels, 1, spec.grid.shape, rngs=rngs)
        return Precipitation(backbone, self.epsilon, rngs=rngs)

    def compress(self, values: Array) -> Array:
        """Return `log(1 + depth / epsilon)`; what is below zero, as packed data have it, is none."""
        return jnp.log1p(jnp.maximum(values, 0) / self.epsilon)


class Precipitation(nnx.Module):
    """The backbone, a 3 x 3 convolution that meets itself in longitude, and a ReLU.

    Args:
        backbone: `[batch, channel, lat, lon]` to `[batch, 1, lat, lon]`.
        epsilon: Depth in metres below which the logarithm turns linear.
        rngs: Draws the kernel.
    """

    def __init__(self, backbone: nnx.Module, epsilon: float = EPSILON, *, rngs: nnx.Rngs):
        self.backbone, self.epsilon = backbone, epsilon
        self.conv = nnx.Conv(1, 1, (3, 3), padding="VALID", precision=jax.lax.Precision.HIGHEST, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Return metres of water `[batch, 1, lat, lon]` from a normalised state `[batch, channel, lat, lon]`."""
        return self.epsilon * jnp.expm1(self.logarithm(x))

    def logarithm(self, x: Array) -> Array:
        """Return `log(1 + depth / epsilon)`, `[batch, 1, lat, lon]`."""
        raw = jnp.moveaxis(self.backbone(x), 1, -1)
        wrapped = jnp.pad(raw, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="wrap")
        padded = jnp.pad(wrapped, ((0, 0), (1, 1), (0, 0), (0, 0)))
        return jnp.moveaxis(jax.nn.relu(self.conv(padded)), -1, 1)
