"""The compiled optimiser step."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from weatherml.data.loading.samples import Batch
from weatherml.models import NoiseMaps
from weatherml.models.weights import Weights, split_weights
from weatherml.parallel import Layout
from weatherml.training.objective.objective import AnyLoss, evaluate
from weatherml.training.objective.rollout import Noise
from weatherml.training.update.finite import unless_finite_as_before
from weatherml.training.update.optimizer import update_average


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

_Told = tuple[object, AnyLoss, NoiseMaps | None]


@dataclass(frozen=True, eq=False)
class Update:
    """The compiled optimiser step; it consumes (donates) the state, and compiles once a rollout length.

    Attributes:
        program: What is compiled.
        told: What it is told that no step changes.
    """

    program: Any
    told: _Told

    def __call__(self, state: TrainingState, batch: Batch) -> tuple[TrainingState, Outcome]:
        """Return the state after one step, and what is reported of it."""
        updated: tuple[TrainingState, Outcome] = self.program(state, self.told, batch)
        return updated

    def lower(self, state: TrainingState, batch: Batch) -> Any:
        """Return the program for such a state and batch, to be compiled; shapes and shardings of both will do."""
        return self.program.lower(state, self.told, batch)


def initial_state(weights: Weights, optimizer: optax.GradientTransformation) -> TrainingState:
    """Return the state before the first optimiser step; arrays are copies, because updates consume them."""
    weights = {name: jnp.array(array) for name, array in weights.items()}
    average = {name: jnp.array(array) for name, array in weights.items()}
    return TrainingState(weights, average, optimizer.init(weights), jnp.int32(0))


def build_update(
    step: nnx.Module,
    loss: AnyLoss,
    optimizer: optax.GradientTransformation,
    average_decay: float,
    layout: Layout,
    seed: int = 0,
    maps: NoiseMaps | None = None,
) -> Update:
    """Build the compiled optimiser step.

    Step, loss and maps may be abstract where it is only lowered. What is random in a step is drawn from `seed` and the
    number of the step; `maps` draws what the model is told.
    """
    rebuild, constants = split_weights(step)
    # These are arguments, not closures: captured arrays are copied into every compiled program.
    told = layout.place_maps((constants, loss, maps), loss.grid)

    @partial(jax.jit, donate_argnums=0)
    def update(state: TrainingState, told: _Told, batch: Batch) -> tuple[TrainingState, Outcome]:
        constants, loss, maps = told
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        noise = None if maps is None else Noise(maps, jax.random.fold_in(key, _MAPS))

        def objective(weights: Weights) -> Array:
            return evaluate(rebuild(layout.used(weights), constants), loss, batch, key, noise)

        with layout.naming():
            value, gradient = jax.value_and_grad(objective)(state.weights)
        gradient = layout.keep(gradient)
        changes, moments = optimizer.update(gradient, state.optimizer, state.weights)
        weights = optax.apply_updates(state.weights, changes)
        average = update_average(state.average, weights, state.step, average_decay)
        outcome = Outcome(value, optax.tree.norm(gradient))
        updated = TrainingState(weights, average, moments, state.step + 1)
        kept = unless_finite_as_before(state, updated, outcome.loss, outcome.gradient_norm)
        return layout.keep(kept), outcome

    return Update(update, told)
