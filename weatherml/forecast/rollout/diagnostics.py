"""Fields that follow from the states of a forecast, such as precipitation: computed at the leads that are kept."""

from dataclasses import dataclass
from typing import Self

import jax.numpy as jnp
from flax import nnx
from jax import Array

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.normalization import Normalizer
from weatherml.forecast.rollout.rescaling import Affine, Rescaling, affine
from weatherml.state import Channel


class Renormalized(nnx.Module):
    """A diagnostic that is given states with more channels, or normalised by other statistics, than its own.

    Args:
        network: From its own normalised states to SI units, `[batch, output, lat, lon]`.
        channels: Positions of its channels in the states that it is given.
        to_own: From units of those states to its own.
    """

    def __init__(self, network: nnx.Module, channels: tuple[int, ...], to_own: Affine):
        self.network = network
        self.channels = channels
        self.to_own = Rescaling(to_own)

    def __call__(self, states: Array) -> Array:
        """Return SI units `[batch, output, lat, lon]` from states `[batch, channel, lat, lon]`."""
        fields: Array = self.network(self.to_own(states[:, jnp.asarray(self.channels)]))
        return fields


@dataclass(frozen=True, eq=False)
class Diagnostic:
    """A trained diagnostic, fitted to the states of one forecaster.

    Attributes:
        network: From the forecaster's normalised states `[batch, channel, lat, lon]` to SI units
            `[batch, output, lat, lon]`.
        outputs: What it gives.
        provenance: Where its weights come from.
    """

    network: nnx.Module
    outputs: tuple[Channel, ...]
    provenance: Provenance

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, normalizer: Normalizer) -> Self:
        """Fit a diagnostic to states that `normalizer` normalised.

        Raises:
            UserError: They lack a channel, lie on another grid, or refer to another climatology.
        """
        to_own = affine(normalizer, checkpoint.normalizer, "diagnostic")
        channels = tuple(normalizer.spec.channels.index(channel) for channel in checkpoint.spec.channels)
        network = Renormalized(checkpoint.build_diagnostic(), channels, to_own)
        return cls(network, checkpoint.outputs, checkpoint.provenance)
