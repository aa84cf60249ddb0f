"""The compiled optimiser step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from weatherml.data.loading.samples import Batch
from weatherml.models import NoiseMaps
from weatherml.models.layers.remat import keeping
from weatherml.models.weights import Weights, split_weights
from weatherml.parallel import Laying, Layout, computes_once, to_device, to_host
from weatherml.training.objective.objective import AnyLoss, evaluate
from weatherml.training.objective.rollout import Noise
from weatherml.training.update.accumulation import mean_over_parts
from weatherml.training.update.device_memory import AS_IT_COMES, DeviceMemoryConfig, Offloaded
from weatherml.training.update.finite import unless_finite_as_before
from weatherml.training.update.optimizer import update_average
from weatherml.training.update.told import Told


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainingState:
    """Everything that an optimiser step changes.

    Attributes:
        weights: What is trained.
        average: Running average of `weights`, which validation and forecasts use.
        optimizer: Moments and counts.
        step: Completed optimiser steps, scalar int32. What is random in a step is folded from the seed and this number,
            so no key needs to be kept.
    """

    weights: Weights
    average: Weights
    optimizer: optax.OptState
    step: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Outcome:
    """What one optimiser step reports, scalars on the device.

    Attributes:
        loss: Before the step.
        gradient_norm: Global, before clipping.
    """

    loss: Array
    gradient_norm: Array


# Of the random maps among what is folded into the key of an optimiser step: no rollout has as many steps.
_MAPS = 2**31


@dataclass(frozen=True, eq=False)
class Update:
    """The compiled optimiser step; it consumes (donates) the state, and compiles once a rollout length.

    Attributes:
        program: What is compiled.
        told: What it is told that no step changes.
    """

    program: Any
    told: Told

    def __call__(self, state: TrainingState, batch: Batch) -> tuple[TrainingState, Outcome]:
        """Return the state after one step, and what is reported of it."""
        updated: tuple[TrainingState, Outcome] = self.program(state, self.told, batch)
        return updated

    def lower(self, state: TrainingState, batch: Batch) -> Any:
        """Return the program for such a state and batch, to be compiled; shapes and shardings of both will do."""
        return self.program.lower(state, self.told, batch)


@dataclass(frozen=True)
class Draws:
    """What is random in a training.

    Attributes:
        seed: What is drawn follows from it and from the number of the step.
        maps: Draws what the model is told, where it is told random maps.
    """

    seed: int = 0
    maps: NoiseMaps | None = None


NOTHING_TOLD = Draws()
"""Draws of a model that is told no random maps."""


class _Part(NamedTuple):
    """Samples, with the keys `[batch]` of what is random in the step and of the maps that it is told."""

    batch: Batch
    keys: Array
    of_maps: Array


def initial_state(weights: Weights, optimizer: optax.GradientTransformation) -> TrainingState:
    """Return the state before the first optimiser step; arrays are copies, because updates consume them."""
    weights = {name: jnp.array(array) for name, array in weights.items()}
    average = {name: jnp.array(array) for name, array in weights.items()}
    return TrainingState(weights, average, optimizer.init(weights), jnp.int32(0))


def offloaded(state: TrainingState, what: Sequence[Offloaded]) -> TrainingState:
    """Return the state as it lies between steps, some of it in memory of the host."""
    return _moved(state, what, to_host)


def brought(state: TrainingState, what: Sequence[Offloaded]) -> TrainingState:
    """Return the state as a step takes it, all of it in memory of the devices."""
    return _moved(state, what, to_device)


def _moved(state: TrainingState, what: Sequence[Offloaded], move: Callable[[Any], Any]) -> TrainingState:
    average = move(state.average) if "average" in what else state.average
    optimizer = state.optimizer
    if "moments" in what:  # counts are on the device, where they are needed first
        optimizer = jax.tree.map(lambda array: move(array) if array.ndim else array, optimizer)
    return replace(state, average=average, optimizer=optimizer)


def build_update(
    step: nnx.Module,
    loss: AnyLoss,
    optimizer: optax.GradientTransformation,
    average_decay: float,
    layout: Layout,
    draws: Draws = NOTHING_TOLD,
    device_memory: DeviceMemoryConfig = AS_IT_COMES,
) -> Update:
    """Build the compiled optimiser step.

    Step, loss and maps may be abstract where it is only lowered. What is random is drawn sample by sample, so that a
    step is the same in however many parts it is computed.
    """
    rebuild, constants = split_weights(step)
    told = Told.placed(constants, loss, draws.maps, layout)

    keep = partial(keeping, device_memory.remat, device_memory.between_blocks, computes_once())

    @partial(jax.jit, donate_argnums=0)
    def update(state: TrainingState, told: Told, batch: Batch) -> tuple[TrainingState, Outcome]:
        state = brought(state, device_memory.offload)

        def differentiate(laying: Laying, weights: Weights, told: Told, part: _Part) -> tuple[Array, Weights]:
            if device_memory.accumulate > 1:
                # Or compilers would take out of the loop what all parts do alike: whole weights, and their transposes.
                weights, part = jax.lax.optimization_barrier((weights, part))  # type: ignore[no-untyped-call]
            noise = None if told.maps is None else Noise(told.maps, part.of_maps)

            def objective(weights: Weights) -> Array:
                module = rebuild(laying.used(weights), told.used(laying))
                return evaluate(module, told.loss, part.batch, part.keys, noise)

            value, gradient = jax.value_and_grad(objective)(weights)
            return value, laying.keep(gradient)

        def in_parts(laying: Laying, weights: Weights, told: Told, samples: _Part) -> tuple[Array, Weights]:
            return mean_over_parts(partial(differentiate, laying, weights, told), samples, device_memory.accumulate)

        key = jax.random.fold_in(jax.random.key(draws.seed), state.step)
        keys, of_maps = (jax.random.split(own, len(batch.state)) for own in (key, jax.random.fold_in(key, _MAPS)))
        with keep():
            value, gradient = layout.mean(in_parts, state.weights, told, _Part(batch, keys, of_maps))
        changes, moments = optimizer.update(gradient, state.optimizer, state.weights)
        weights = optax.apply_updates(state.weights, changes)
        average = update_average(state.average, weights, state.step, average_decay)
        outcome = Outcome(value, optax.tree.norm(gradient))
        updated = TrainingState(weights, average, moments, state.step + 1)
        kept = unless_finite_as_before(state, updated, outcome.loss, outcome.gradient_norm)
        kept = replace(kept, step=updated.step)  # what is random is another in the next step
        return offloaded(layout.keep(kept), device_memory.offload), outcome

    return Update(update, told)
