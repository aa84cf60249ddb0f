"""The compiled parts of training: one optimiser step, and one validation batch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.sharding import Mesh

from weatherml.data.loader import Batch
from weatherml.models import Step
from weatherml.models.layers import subkey
from weatherml.models.weights import Weights, split_weights
from weatherml.parallel import replicate
from weatherml.training.losses import Loss
from weatherml.training.optimizer import update_average


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


Update = Callable[[TrainingState, Batch], tuple[TrainingState, Outcome]]
Validate = Callable[[Weights, Batch], Array]


def initial_state(weights: Weights, optimizer: optax.GradientTransformation) -> TrainingState:
    """Return the state before the first optimiser step; arrays are copies, because updates consume them."""
    weights = {name: jnp.array(array) for name, array in weights.items()}
    average = {name: jnp.array(array) for name, array in weights.items()}
    return TrainingState(weights, average, optimizer.init(weights), jnp.int32(0))


def rollout_loss(step: Step, loss: Loss, batch: Batch, key: Array | None = None) -> Array:
    """Return the loss of a forecast from the batch's first state, averaged over as many steps as the batch holds.

    The gradient flows through every step. Forcings are those at the start of each step. `key` draws what is random in
    training; nothing is random when None.
    """
    states, forcings = jnp.asarray(batch.state), jnp.asarray(batch.forcing)
    state, n_steps = states[:, 0], states.shape[1] - 1
    total: Array = jnp.float32(0)
    # Not lax.scan: two steps of the demo's AFNO and their gradient took 21 % more processor time and 35 % more memory.
    for k in range(n_steps):
        state = step(state, forcings[:, k], subkey(key, k))
        total += loss(state, states[:, k + 1])
    return total / n_steps


def build_update(
    step: Step, loss: Loss, optimizer: optax.GradientTransformation, average_decay: float, mesh: Mesh, seed: int = 0
) -> Update:
    """Build the compiled optimiser step; it consumes (donates) its first argument, compiles once a rollout length.

    What is random in a step is drawn from `seed` and the number of the step.
    """
    rebuild, constants = split_weights(step)
    # Constants and the loss are arguments, not closures: captured arrays are copied into every compiled program.
    constants, loss = replicate((constants, loss), mesh)

    @partial(jax.jit, donate_argnums=0)
    def update(state: TrainingState, constants: object, loss: Loss, batch: Batch) -> tuple[TrainingState, Outcome]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)

        def objective(weights: Weights) -> Array:
            return rollout_loss(rebuild(weights, constants), loss, batch, key)

        value, gradient = jax.value_and_grad(objective)(state.weights)
        changes, moments = optimizer.update(gradient, state.optimizer, state.weights)
        weights = optax.apply_updates(state.weights, changes)
        average = update_average(state.average, weights, state.step, average_decay)
        outcome = Outcome(value, optax.tree.norm(gradient))
        return TrainingState(weights, average, moments, state.step + 1), outcome

    return lambda state, batch: update(state, constants, loss, batch)


def build_validate(step: Step, loss: Loss, mesh: Mesh) -> Validate:
    """Build the compiled loss of given weights on a batch."""
    rebuild, constants = split_weights(step)
    constants, loss = replicate((constants, loss), mesh)

    @jax.jit
    def validate(weights: Weights, constants: object, loss: Loss, batch: Batch) -> Array:
        return rollout_loss(rebuild(weights, constants), loss, batch)

    return lambda weights, batch: validate(weights, constants, loss, batch)
