"""Many steps of a model, compiled once: a fixed batch of states advances segment by segment in constant memory."""

from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.forecast.guards.step_modifiers import Members, StepInputs, StepModifiers
from weatherml.forecast.guards.units import Units

Graph = nnx.GraphDef[tuple[nnx.Module, tuple[nnx.Module, ...]]]


@partial(jax.jit, static_argnames=("graph", "n_outputs", "keep"), donate_argnames="members")
def advance(
    graph: Graph,
    weights: tuple[Any, StepModifiers],
    members: Members,
    inputs: StepInputs,
    n_calls: Array,
    n_outputs: int,
    keep: tuple[int, ...],
) -> tuple[Members, Array]:
    """Advance a batch of members through the calls of a segment.

    The number of calls, and which of them are kept, are arguments, not shapes: all segments of a model run the same
    program, so that no member depends on which leads are asked for. A member that is stopped is NaN in every channel
    and cell from that step on; it cannot touch the others.

    Args:
        graph: The step and a tuple of diagnostics, from `nnx.split`.
        weights: Their parameters, and what else acts on every step.
        members: Where they are; the buffers are donated.
        inputs: Of the calls, with room for more.
        n_calls: How many calls to make.
        n_outputs: Room for outputs.
        keep: Positions of the channels that leave the device: first come the state's, then those of the diagnostics.

    Returns:
        Where the members are then, and the kept channels of each output `[output, batch, channel, lat, lon]`, unset
        beyond those that the segment has.
    """
    parameters, modifiers = weights
    step, diagnostics = cast(Any, nnx.merge(graph, parameters))

    def one_call(call: Array, carry: tuple[Members, Array]) -> tuple[Members, Array]:
        members, outputs = carry
        now = inputs.at(call)
        following = step(members.states, now.forcing, *(() if now.draws is None else (now.draws,)))
        members = modifiers(members, following, now)
        derived = _derived(diagnostics, members.states, jnp.less(now.place, n_outputs))
        fields = jnp.concatenate([members.states, *derived], axis=1)
        return members, outputs.at[now.place].set(fields[:, jnp.asarray(keep, jnp.int32)], mode="drop")

    n_slots, _, *grid = members.states.shape
    outputs = jnp.zeros((n_outputs, n_slots, len(keep), *grid), members.states.dtype)
    last, outputs = jax.lax.fori_loop(0, n_calls, one_call, (members, outputs))
    return last, outputs


def _derived(diagnostics: tuple[Any, ...], states: Array, is_kept: Array) -> list[Array]:
    """Return what diagnostics make of states, computed only where it is kept."""
    shapes = [jax.eval_shape(diagnostic, states) for diagnostic in diagnostics]
    nothing = [jnp.zeros(shape.shape, shape.dtype) for shape in shapes]
    if not diagnostics:
        return nothing
    fields: list[Array] = jax.lax.cond(is_kept, lambda: [own(states) for own in diagnostics], lambda: nothing)
    return fields


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
