"""What lies on the mesh of a stage for as long as that is trained, and what is compiled for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import jax
import optax

from weatherml.checkpoint import Checkpoint
from weatherml.models.weights import weights_of
from weatherml.parallel import Layout
from weatherml.parallel.layouts.placing import outlined
from weatherml.training.config import TrainingConfig
from weatherml.training.objective.objective import build_objective
from weatherml.training.update.device_memory import Offloaded
from weatherml.training.update.step import Draws, TrainingState, Update, brought, build_update, initial_state, offloaded
from weatherml.training.update.told import shared
from weatherml.training.update.trainable import freeze_others
from weatherml.training.validation.given import Given
from weatherml.training.validation.glimpse import Glimpse, build_look
from weatherml.training.validation.loss import build_validate


@dataclass(frozen=True, eq=False)
class Laid:
    """The programs of all stages that share a mesh, and where their arrays lie.

    Attributes:
        layout: Of arrays.
        update: The optimiser step.
        validate: The loss of given weights on a batch.
        look: What is seen of a batch; None of what makes no forecasts.
        outline: The state without values: how it lies between steps.
        optimizer: Of the update.
        offload: What of the state lies in memory of the host between steps.
    """

    layout: Layout
    update: Update
    validate: Given[jax.Array]
    look: Given[Glimpse] | None
    outline: TrainingState
    optimizer: optax.GradientTransformation
    offload: Sequence[Offloaded]

    @classmethod
    def of(cls, config: TrainingConfig, start: Checkpoint, model: Checkpoint | None, layout: Layout) -> Self:
        """Bring what no step changes to the devices, and build what computes with it.

        Args:
            config: Of the training.
            start: What is trained.
            model: Of whose forecasts a diagnostic is trained.
            layout: Of the mesh.

        Raises:
            UserError: The loss does not suit what is trained.
        """
        bare = start if config.trainable else replace(start, weights=outlined(start.weights))  # the state has them
        step, loss = build_objective(config.loss, bare, model)
        freeze_others(step, config.trainable)
        memory, optimizer = config.device_memory, config.optimizer.build(config.stages, config.device_memory.moments)
        outline = jax.eval_shape(lambda weights: initial_state(weights, optimizer), weights_of(step))
        step, loss, maps = shared(step, loss, start.build_noise(), layout)
        judged = step, loss, layout, Draws(config.seed, maps)
        return cls(
            layout,
            build_update(step, loss, optimizer, config.average_decay, layout, judged[-1], memory),
            build_validate(*judged, memory.accumulate),
            build_look(*judged, memory.accumulate),
            offloaded(layout.placed(outline), memory.offload),
            optimizer,
            memory.offload,
        )

    def begin(self, start: Checkpoint) -> TrainingState:
        """Return the state before the first optimiser step."""
        weights = self.layout.placed({name: start.weights[name] for name in self.outline.weights})
        return offloaded(self.layout.placed(initial_state(weights, self.optimizer)), self.offload)

    def take_over(self, state: TrainingState) -> TrainingState:
        """Return a state, which is consumed, from where it lay for another mesh of the same devices."""
        return offloaded(self.layout.moved(brought(state, self.offload)), self.offload)
