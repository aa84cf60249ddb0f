"""Trained networks, fitted to the states of a suite: steps, and diagnostics of fields that follow from a state."""

from dataclasses import dataclass
from typing import Self

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.forecast.guards.units import Affine, Rescaling, affine
from weatherml.forecast.perturbation.noise_conditioned import ConditionedStep, Draws
from weatherml.state import Channel


@dataclass(frozen=True, eq=False)
class Model:
    """A step between states of a forecaster.

    Attributes:
        step: From `state [batch, channel, lat, lon]`, normalised by the forecaster's statistics, and
            `forcing [batch, forcing, lat, lon]` of the same time, to the next state. Where it is told random maps,
            `Draws` may follow.
        time_step: From one state to the next, `timedelta64[ns]`.
        forcings: What the step is told.
        provenance: Where its weights come from.
        is_told_maps: Whether it was trained to be told random maps.
    """

    step: nnx.Module
    time_step: np.timedelta64
    forcings: Forcings
    provenance: Provenance
    is_told_maps: bool = False

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, normalizer: Normalizer) -> Self:
        """Build the step of a checkpoint for states that `normalizer` has normalised.

        Raises:
            UserError: The checkpoint's channels, grid or climatology are others.
        """
        step: nnx.Module = checkpoint.build_step()
        maps = checkpoint.build_noise()
        if maps is not None:
            step = ConditionedStep(step, maps)
        if checkpoint.normalizer is not normalizer:
            who = f"model of {format_duration(checkpoint.time_step)} steps"
            _require_same_channels(checkpoint.normalizer, normalizer, who)
            to_own = affine(normalizer, checkpoint.normalizer, who)
            step = step if to_own.is_identity else RescaledStep(step, Rescaling(to_own))
        return cls(step, checkpoint.time_step, checkpoint.forcings, checkpoint.provenance, maps is not None)


class RescaledStep(nnx.Module):
    """A step among models that were normalised by other statistics."""

    def __init__(self, step: nnx.Module, to_own: Rescaling) -> None:
        self.step, self.to_own = step, to_own

    def __call__(self, state: Array, forcing: Array, *draws: Draws) -> Array:
        """Return the next state; both in the forecaster's units, `[batch, channel, lat, lon]`."""
        return self.to_own.inverse(self.step(self.to_own(state), forcing, *draws))


def _require_same_channels(own: Normalizer, given: Normalizer, who: str) -> None:
    for position, (ours, theirs) in enumerate(zip(own.spec.names, given.spec.names, strict=False)):
        if ours != theirs:
            raise UserError(f"the {who} has {ours!r} as channel {position}, the others {theirs!r}; models must agree")
    if own.spec.n_channels != given.spec.n_channels:
        more = max(own.spec.names, given.spec.names, key=len)[min(own.spec.n_channels, given.spec.n_channels)]
        raise UserError(f"the {who} and the others do not agree on channel {more!r}, which only one of them has")


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
