"""Forecasts of as many steps as a batch holds, and what they miss of the truth."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from weatherml.data.loading.samples import Batch
from weatherml.models import NoiseMaps, Step
from weatherml.models.layers import subkey
from weatherml.training.objective.losses import Loss

N_KEPT = 2
"""The longest rollout, in model steps, of which all activations are kept for the way back."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Noise:
    """What tells a model random maps.

    Attributes:
        maps: Draws them.
        key: Keys `[batch]`, one a sample.
    """

    maps: NoiseMaps
    key: Array

    def keys(self, n_members: int, n_steps: int) -> Array:
        """Return a key for every step of every forecast, `[batch * member, step]`."""
        return split_each(self.key, n_members * n_steps).reshape(-1, n_steps)


def rollout_loss(
    step: Step,
    loss: Loss,
    batch: Batch,
    key: Array | None = None,
    noise: Noise | None = None,
    n_kept: int = N_KEPT,
) -> Array:
    """Return the loss of forecasts from the batch's first state, averaged over as many steps as the batch holds.

    Every sample is forecast by as many members as the loss judges; side by side, so that they stay on the device of
    their sample. The gradient flows through every step. Forcings are those at the start of each step.

    Args:
        step: One step.
        loss: Of all members.
        batch: Where forecasts start, and the truth.
        key: Keys `[batch]` that draw what is random in training; nothing is when None.
        noise: Tells the model random maps; they are zero when None.
        n_kept: The longest rollout of which all activations are kept. Of a longer one only the states are, and its
            activations are computed again, step by step, on the way back.
    """
    states, forcings = jnp.asarray(batch.state), jnp.asarray(batch.forcing)
    state, n_steps = jnp.repeat(states[:, 0], loss.members, axis=0), states.shape[1] - 1
    keys = None if noise is None else noise.keys(loss.members, n_steps)
    key = None if key is None else split_each(key, loss.members)

    def advance(state: Array, k: Array | int) -> tuple[Array, Array]:
        """Return the state after step `k`, and its loss."""
        told = None if noise is None or keys is None else noise.maps.draw(_at(keys, k))
        forcing = jnp.repeat(_at(forcings, k), loss.members, axis=0)
        state = step(state, forcing, subkey(key, k), told)
        return state, loss(state, _at(states, k + 1))

    run = _keep_everything if n_steps <= n_kept else _keep_states
    return run(advance, state, n_steps) / n_steps


def split_each(keys: Array, n: int) -> Array:
    """Return `n` keys of each, side by side: what is drawn for a sample does not depend on the batch around it."""
    return jax.vmap(lambda key: jax.random.split(key, n))(keys).reshape(-1)


_Advance = Callable[[Array, Array | int], tuple[Array, Array]]


def _at(array: Array, k: Array | int) -> Array:
    """Return `[batch, ...]` of `[batch, step, ...]`, taken where it is used: a scan over steps would copy it all."""
    chosen: Array = jax.lax.dynamic_index_in_dim(array, k, axis=1, keepdims=False)
    return chosen


def _keep_everything(advance: _Advance, state: Array, n_steps: int) -> Array:
    """Return the sum of the losses of all steps.

    Not lax.scan: two steps of the demo's AFNO and their gradient took 21 % more processor time and 35 % more memory.
    """
    total: Array = jnp.float32(0)
    for k in range(n_steps):
        state, missed = advance(state, k)
        total += missed
    return total


def _keep_states(advance: _Advance, state: Array, n_steps: int) -> Array:
    """Return the sum of the losses of all steps, in the memory of one step and all states."""
    # A scan's iterations are not merged by the compiler, so its barrier against that is not needed.
    again = jax.checkpoint(advance, prevent_cse=False)
    _, missed = jax.lax.scan(again, state, jnp.arange(n_steps))
    return jnp.sum(missed)
