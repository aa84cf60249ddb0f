"""Many steps of a model, compiled once: a fixed batch of states advances chunk by chunk in constant memory."""

from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.forecast.guards.bounds import Guards, Members
from weatherml.forecast.guards.units import Units
from weatherml.forecast.perturbation.noise_conditioned import Draws
from weatherml.forecast.perturbation.sppt import StochasticTendencies

CHUNK_BYTES = 16 * 2**20
"""Size of the outputs that leave the device at once.

So small that writing overlaps with computing, and that the heap does not fall to pieces; large against the cost of one
call (benchmarks/rollout_vs_torch.md).
"""


def outputs_per_chunk(n_outputs: int, output_bytes: int) -> int:
    """Return how many outputs of `output_bytes` (all slots together) a chunk holds; chunks are nearly equal."""
    longest = max(1, CHUNK_BYTES // output_bytes)
    n_chunks = -(-n_outputs // longest)
    return -(-n_outputs // n_chunks)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Rules:
    """What acts on every step beside the model.

    Attributes:
        guards: What keeps members physical.
        tendencies: What perturbs the change over a step; None where nothing does.
    """

    guards: Guards
    tendencies: StochasticTendencies | None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Told:
    """What the calls of a chunk are told; all begin with `[output, call]`.

    Attributes:
        forcing: At the time that each call starts from, `[..., batch, forcing, lat, lon]`.
        terms: Of the reference at the time where it ends, `[..., batch, term]`.
        ticks: That time in ticks of the plan, int32 `[...]`.
        remaining: Share of the departure from the reference that relaxation leaves, `[...]`.
        patterns: Of tendencies, as coefficients `[..., batch, 2, order, degree]`; None where nothing perturbs them.
        draws: Of random maps; None where a model is told none.
    """

    forcing: Array | np.ndarray
    terms: Array | np.ndarray
    ticks: Array | np.ndarray
    remaining: Array | np.ndarray
    patterns: Array | None
    draws: Draws | None


@partial(jax.jit, static_argnames=("graph", "keep"), donate_argnames="members")
def advance(
    graph: nnx.GraphDef[tuple[nnx.Module, tuple[nnx.Module, ...]]],
    weights: Any,
    rules: Rules,
    members: Members,
    told: Told,
    n_outputs: Array,
    keep: tuple[int, ...],
) -> tuple[Members, Array]:
    """Advance a batch of members through one chunk.

    The number of outputs is an argument, not a shape: the last, shorter chunk runs the same program. A member that the
    guards stop is NaN in every channel and cell from that step on; it cannot touch the others.

    Args:
        graph: The step and a tuple of diagnostics, from `nnx.split`.
        weights: Their parameters.
        rules: What else acts on every step.
        members: Where they are; the buffers are donated.
        told: What the calls are told.
        n_outputs: How many of the outputs to compute.
        keep: Positions of the channels that leave the device: first come the state's, then those of the diagnostics.

    Returns:
        Where the members are then, and the kept channels of each output `[output, batch, channel, lat, lon]`, unset
        beyond `n_outputs`.
    """
    step, diagnostics = cast(Any, nnx.merge(graph, weights))

    def one_step(members: Members, told: Told) -> tuple[Members, None]:
        following = step(members.states, told.forcing, *(() if told.draws is None else (told.draws,)))
        if rules.tendencies is not None and told.patterns is not None:
            following = rules.tendencies(members.states, following, told.patterns)
        return rules.guards(members, following * told.remaining, told.terms, told.ticks), None

    def one_output(position: Array, carry: tuple[Members, Array]) -> tuple[Members, Array]:
        members, outputs = carry
        members, _ = jax.lax.scan(one_step, members, jax.tree.map(lambda array: array[position], told))
        states = members.states
        fields = jnp.concatenate([states, *(diagnostic(states) for diagnostic in diagnostics)], axis=1)
        return members, outputs.at[position].set(fields[:, jnp.asarray(keep, jnp.int32)])

    n_slots, _, *grid = members.states.shape
    outputs = jnp.zeros((len(told.ticks), n_slots, len(keep), *grid), members.states.dtype)
    last, outputs = jax.lax.fori_loop(0, n_outputs, one_output, (members, outputs))
    return last, outputs


@jax.jit
def to_physical(fields: Array, slots: Array, units: Units, terms: Array, floor: Array, quantum: Array | None) -> Array:
    """Return the fields of some slots in SI units, `[output, slot, channel, lat, lon]`.

    Args:
        fields: As `advance` returns them, `[output, batch, channel, lat, lon]`.
        slots: Which of the batch, `[slot]`.
        units: Of their channels; cells that are not valid become NaN.
        terms: Of the reference, `[output, term]`; may have fewer outputs than `fields`.
        floor: Least values, SI units `[channel]`; -inf for none.
        quantum: Powers of two, SI units `[channel]`; values become multiples of them, so that they compress well. Where
            it is zero they stay as they are.
    """
    physical = units.physical(fields[: len(terms), slots], units.reference(terms)[:, None])
    if quantum is not None:
        step = quantum[:, None, None]
        physical = jnp.where(step > 0, jnp.rint(physical / step) * step, physical)
    return jnp.where(units.valid, jnp.maximum(physical, floor[:, None, None]), jnp.nan)


def rounding_quantum(largest_error: np.ndarray) -> np.ndarray:
    """Return the power of two, float32, whose multiples come within `largest_error` of any value."""
    quantum: np.ndarray = np.exp2(np.floor(np.log2(2 * largest_error))).astype(np.float32)
    return quantum
