"""One trained step among those that a forecaster chooses from."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from flax import nnx
from jax import Array

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.forcings import Forcings
from weatherml.data.normalization import Normalizer
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.forecast.perturbation.noise_conditioned import ConditionedStep, Draws
from weatherml.forecast.rollout.rescaling import Rescaling, affine


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
