"""Many steps of a model, compiled once: a fixed batch of states advances chunk by chunk in constant memory."""

from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from weatherml.forecast.tendencies import Noise

CHUNK_BYTES = 64 * 2**20
"""Size of the outputs that leave the device at once: small against any memory, large against the cost of one call."""


def outputs_per_chunk(n_outputs: int, output_bytes: int) -> int:
    """Return how many outputs of `output_bytes` (all slots together) a chunk holds; chunks are nearly equal."""
    longest = max(1, CHUNK_BYTES // output_bytes)
    n_chunks = -(-n_outputs // longest)
    return -(-n_outputs // n_chunks)


@partial(jax.jit, static_argnames=("graph", "keep"), donate_argnames="states")
def advance(
    graph: nnx.GraphDef[tuple[nnx.Module, tuple[nnx.Module, ...]]],
    weights: Any,
    states: Array,
    forcing: Array,
    n_outputs: Array,
    keep: tuple[int, ...],
    noise: Noise,
) -> tuple[Array, Array]:
    """Advance a batch of members through one chunk.

    The number of outputs is an argument, not a shape: the last, shorter chunk runs the same program. A member whose
    state is no longer finite is NaN in every channel and cell from that step on; it cannot touch the others.

    Args:
        graph: The step and a tuple of diagnostics, from `nnx.split`.
        weights: Their parameters.
        states: `[batch, channel, lat, lon]`, normalised; the buffer is donated.
        forcing: At the time that each step starts from, `[output, step, batch, forcing, lat, lon]`.
        n_outputs: How many of the outputs to compute.
        keep: Positions of the channels that leave the device: first come the state's, then those of the diagnostics.
        noise: What perturbs every step, and its patterns `[output, step, batch, lat, lon]`; None where nothing does.

    Returns:
        The last states, and the kept channels of each output `[output, batch, channel, lat, lon]`, unset beyond
        `n_outputs`.
    """
    step, diagnostics = cast(Any, nnx.merge(graph, weights))
    tendencies, patterns = noise or (None, None)

    def one_step(states: Array, told: tuple[Array, Array | None]) -> tuple[Array, None]:
        forcing, pattern = told
        following = step(states, forcing)
        if tendencies is not None and pattern is not None:
            following = tendencies(states, following, pattern)
        finite = jnp.isfinite(following).all(axis=(1, 2, 3), keepdims=True)
        return jnp.where(finite, following, jnp.nan), None

    def one_output(position: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        states, outputs = carry
        told = jax.tree.map(lambda array: array[position], (forcing, patterns))
        states, _ = jax.lax.scan(one_step, states, told)
        fields = jnp.concatenate([states, *(diagnostic(states) for diagnostic in diagnostics)], axis=1)
        return states, outputs.at[position].set(fields[:, jnp.asarray(keep, jnp.int32)])

    shape = (len(forcing), len(states), len(keep), *states.shape[2:])
    last, outputs = jax.lax.fori_loop(0, n_outputs, one_output, (states, jnp.zeros(shape, states.dtype)))
    return last, outputs


@jax.jit
def to_physical(fields: Array, slots: Array, scale: Array, offset: Array, quantum: Array | None) -> Array:
    """Return the fields of some slots in SI units, `[output, slot, channel, lat, lon]`.

    Args:
        fields: As `advance` returns them, `[output, batch, channel, lat, lon]`.
        slots: Which of the batch, `[slot]`.
        scale: What one unit of a field is, SI units `[channel]`.
        offset: What a zero of a field is, SI units `[output, channel, lat, lon]`; may have fewer outputs than `fields`.
        quantum: Powers of two, SI units `[channel]`; values become multiples of them, so that they compress well. Where
            it is zero they stay as they are.
    """
    chosen = fields[: len(offset), slots]
    physical = chosen * scale[:, None, None] + offset[:, None]
    if quantum is None:
        return physical
    quantum = quantum[:, None, None]
    return jnp.where(quantum > 0, jnp.rint(physical / quantum) * quantum, physical)


def rounding_quantum(largest_error: np.ndarray) -> np.ndarray:
    """Return the power of two, float32, whose multiples come within `largest_error` of any value."""
    quantum: np.ndarray = np.exp2(np.floor(np.log2(2 * largest_error))).astype(np.float32)
    return quantum
