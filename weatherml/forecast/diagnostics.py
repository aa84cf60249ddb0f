"""Fields that follow from the states of a forecast, such as precipitation: computed at the leads that are kept."""

from dataclasses import dataclass
from typing import Self

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.models.step import Constant
from weatherml.state import Channel


class Renormalized(nnx.Module):
    """A diagnostic that is given states with more channels, or normalised by other statistics, than its own.

    Args:
        network: From its own normalised states to SI units, `[batch, output, lat, lon]`.
        channels: Positions of its channels in the states that it is given.
        scale: What one unit of such a state is in its own, `[channel]`.
        offset: What a zero of such a state is in its own, `[channel]`.
        valid: `[channel, lat, lon]`, true where both have values; the others are zero, as in training.
    """

    def __init__(
        self, network: nnx.Module, channels: tuple[int, ...], scale: np.ndarray, offset: np.ndarray, valid: np.ndarray
    ):
        self.network = network
        self.channels = channels
        self.scale, self.offset = (Constant(jnp.asarray(a, jnp.float32)[:, None, None]) for a in (scale, offset))
        self.valid = Constant(jnp.asarray(valid, bool))

    def __call__(self, states: Array) -> Array:
        """Return SI units `[batch, output, lat, lon]` from states `[batch, channel, lat, lon]`."""
        own = states[:, jnp.asarray(self.channels)] * self.scale[...] + self.offset[...]
        fields: Array = self.network(jnp.where(self.valid[...], own, 0))
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
            UserError: They lack a channel, lie on another grid, or either of the two refers to a climatology.
        """
        network = checkpoint.build_diagnostic()
        fitted = _renormalized(network, checkpoint.normalizer, normalizer)
        return cls(fitted, checkpoint.outputs, checkpoint.provenance)


def _renormalized(network: nnx.Module, own: Normalizer, given: Normalizer) -> Renormalized:
    _require_fitting(own, given)
    channels = [given.spec.channels.index(channel) for channel in own.spec.channels]
    mean, std = (a[channels].astype(np.float64) for a in (given.statistics.mean, given.statistics.std))
    own_mean, own_std = (a.astype(np.float64) for a in (own.statistics.mean, own.statistics.std))
    valid = given.statistics.valid[channels] & own.statistics.valid
    return Renormalized(network, tuple(channels), std / own_std, (mean - own_mean) / own_std, valid)


def _require_fitting(own: Normalizer, given: Normalizer) -> None:
    missing = [str(channel) for channel in own.spec.channels if channel not in given.spec.channels]
    if missing:
        raise UserError(f"the diagnostic needs channel {missing[0]!r}, which the model lacks; use a model that has it")
    if own.spec.grid != given.spec.grid:
        ours, theirs = (" x ".join(map(str, normalizer.spec.grid.shape)) for normalizer in (own, given))
        raise UserError(
            f"the diagnostic's grid, {ours}, is not the model's, {theirs}, point for point; use two of one grid"
        )
    if own.climatology is not None or given.climatology is not None:
        whose = "diagnostic" if own.climatology is not None else "model"
        raise UserError(f"the {whose} refers to a climatology; a diagnostic needs both to refer to means of channels")
