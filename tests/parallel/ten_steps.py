"""Ten optimiser steps of a network on a mesh, and what its program takes of each device."""

import jax
import numpy as np
import optax

from weatherml.parallel import Layout
from weatherml.parallel.layouts.rules import rules_of
from weatherml.parallel.programs.compiled import collectives_of, memory_of
from weatherml.training.update.device_memory import DeviceMemoryConfig
from weatherml.training.update.step import Draws, build_update, initial_state

SAMPLES = 8


def ten_steps(name, problem, mesh, n_devices=1, devices=None):
    """Return losses, the first gradient, weights, the memory of a device (bytes) and what devices exchange."""
    layout = Layout(mesh.build(devices or jax.devices()[:n_devices]), rules_of(name))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3, b2=0.99))
    step, weights, loss, batch = problem.parts(SAMPLES)
    update = build_update(step, loss, optimizer, 0.9, layout, Draws(3, problem.maps))
    state = layout.placed(initial_state(layout.placed(weights), optimizer))
    batch = layout.place_batch(batch)
    program, losses, gradient = update.lower(state, batch).compile(), [], None
    for _ in range(10):
        state, outcome = program(state, update.told, batch)
        losses.append(outcome.loss)
        # The moment after one step is the gradient, scaled.
        gradient = gradient or layout.fetch(optax.tree.get(state.optimizer, "mu"))
    memory = memory_of(program)
    return {
        "losses": np.array(losses),
        "gradient": gradient,
        "weights": np.concatenate([array.ravel() for array in layout.fetch(state.weights).values()]),
        "state": memory.outputs,
        "activations": memory.temporary,
        "exchanges": collectives_of(program.as_text()),
    }


def memory_in_parts(problem, mesh, n_devices, accumulate):
    """Return the temporary memory of a device (bytes) over that of all weights, where a batch is computed in parts."""
    layout = Layout(mesh.build(jax.devices()[:n_devices]))
    step, weights, loss, batch = problem.parts(SAMPLES * accumulate)
    optimizer, memory = optax.adamw(1e-3), DeviceMemoryConfig(accumulate=accumulate)
    update = build_update(step, loss, optimizer, 0.9, layout, Draws(3, problem.maps), memory)
    state = layout.placed(initial_state(layout.placed(weights), optimizer))
    compiled = update.lower(state, layout.place_batch(batch)).compile()
    return memory_of(compiled).temporary / sum(array.nbytes for array in weights.values())


def differences(ours, alone):
    """Return how far losses, the gradient and weights are from those of one device, relative."""
    slopes = [(ours["gradient"][name], slope) for name, slope in alone["gradient"].items()]
    return {
        "losses": float(np.abs(ours["losses"] / alone["losses"] - 1).max()),
        "gradient": float(max(np.abs(own - slope).max() / np.abs(slope).max() for own, slope in slopes)),
        "weights": float(np.linalg.norm(ours["weights"] - alone["weights"]) / np.linalg.norm(alone["weights"])),
    }
