"""The real optimiser step of a training, traced for shapes alone on the devices of this process."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from weatherml.data.loading.samples import Batch
from weatherml.models.weights import weights_of
from weatherml.parallel import Layout
from weatherml.parallel.layouts.placing import outlined, place
from weatherml.plan.problem import Problem
from weatherml.training.objective.objective import AnyLoss, build_objective
from weatherml.training.update.step import Draws, TrainingState, Update, build_update, initial_state
from weatherml.training.update.trainable import freeze_others
from weatherml.training.validation.loss import build_validate


@dataclass(frozen=True, eq=False)
class Program:
    """An optimiser step that has no values.

    Attributes:
        problem: What is trained.
    """

    problem: Problem

    @cached_property
    def layout(self) -> Layout:
        """Where its arrays lie, in all stages alike."""
        config = self.problem.config
        (layout,) = set(config.training.lay_out(config.model, self.problem.spec.grid.shape))
        return layout

    @cached_property
    def update(self) -> Update:
        """The step."""
        training, decay = self.problem.config.training, self.problem.config.training.average_decay
        module, loss = self._objective
        return build_update(module, loss, self._optimizer, decay, self.layout, self._draws, training.device_memory)

    @cached_property
    def state(self) -> TrainingState:
        """What it changes, and how that lies."""
        weights = weights_of(self._objective[0])
        state: TrainingState = jax.eval_shape(lambda drawn: initial_state(drawn, self._optimizer), weights)
        return self.layout.placed(state)

    def batch(self, stage: int) -> Batch:
        """Return what it takes of the data in one step of a stage."""
        return self._batch(self.problem.batch_sizes[stage], self.problem.config.training.stages[stage].rollout)

    @cached_property
    def validated(self) -> Batch:
        """A batch of validations."""
        return self._batch(self.problem.config.training.batch_size, self.problem.longest_rollout)

    def _batch(self, n_samples: int, rollout: int) -> Batch:
        spec, forcings = self.problem.sampled, self.problem.forcings
        leading = (n_samples, rollout + 1)
        sizes = ((*leading, *spec.shape), (*leading, forcings.n_maps, *spec.grid.shape))
        abstract: Any = Batch(*(jax.ShapeDtypeStruct(size, jnp.float32) for size in sizes))  # type: ignore[no-untyped-call, arg-type]
        placed: Batch = place(abstract, jax.tree.map(lambda _: self.layout.batch, abstract))
        return placed

    def trace(self, stage: int) -> Any:
        """Return the traced program of a stage (`jax.stages.Traced`)."""
        return self.update.program.trace(self.state, self.update.told, self.batch(stage))

    def trace_validation(self) -> Any:
        """Return the traced program of a batch of validations."""
        module, loss = self._objective
        training = self.problem.config.training
        accumulate = training.device_memory.accumulate
        validate = build_validate(module, loss, self.layout, self._draws, accumulate)
        return validate.program.trace(self.state.average, validate.told, self.validated)

    @cached_property
    def _draws(self) -> Draws:
        return Draws(self.problem.config.training.seed, outlined(self.problem.outline.build_noise()))

    @cached_property
    def _objective(self) -> tuple[nnx.Module, AnyLoss]:
        training = self.problem.config.training
        module, loss = build_objective(training.loss, self.problem.outline, self.problem.stepper)
        freeze_others(module, training.trainable)
        return outlined(module), outlined(loss)

    @cached_property
    def _optimizer(self) -> Any:
        training = self.problem.config.training
        return training.optimizer.build(training.stages, training.device_memory.moments)


def parameters_by_part(weights: Mapping[str, Any]) -> dict[str, int]:
    """Return how many parameters each part of a network has, such as `embed`, `blocks`, `head`."""
    parts: dict[str, int] = {}
    for name, weight in weights.items():
        part = name.removeprefix("network.").split(".")[0]
        parts[part] = parts.get(part, 0) + math.prod(weight.shape)
    return parts


def device_bytes(tree: Any) -> int:
    """Return the bytes of one device's share of abstract arrays that say where they lie."""
    arrays = jax.tree.leaves(tree)
    return sum(math.prod(array.sharding.shard_shape(array.shape)) * array.dtype.itemsize for array in arrays)
