"""Ten optimiser steps of a network on a mesh, and what its program takes of each device."""

import jax
import numpy as np
import optax

from weatherml.parallel import Layout
from weatherml.parallel.compiled import collectives_of, memory_of
from weatherml.parallel.rules import rules_of
from weatherml.training.update.step import Draws, build_update, initial_state

SAMPLES = 8


def ten_steps(name, problem, mesh, n_devices):
    """Return losses, gradient norms, weights, the memory of a device (bytes) and what devices exchange."""
    layout = Layout(mesh.build(jax.devices()[:n_devices]), rules_of(name))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3, b2=0.99))
    step, weights, loss, batch = problem.parts(SAMPLES)
    update = build_update(step, loss, optimizer, 0.9, layout, Draws(3, problem.maps))
    state = layout.placed(initial_state(layout.placed(weights), optimizer))
    batch = layout.place_batch(batch)
    program, outcomes = update.lower(state, batch).compile(), []
    for _ in range(10):
        state, outcome = program(state, update.told, batch)
        outcomes.append(outcome)
    memory = memory_of(program)
    return {
        "losses": np.array([one.loss for one in outcomes]),
        "norms": np.array([one.gradient_norm for one in outcomes]),
        "weights": np.concatenate([array.ravel() for array in layout.fetch(state.weights).values()]),
        "state": memory.outputs,
        "activations": memory.temporary,
        "exchanges": collectives_of(program.as_text()),
    }


def differences(ours, alone):
    """Return how far losses, gradient norms and weights are from those of one device, relative."""
    return {
        "losses": float(np.abs(ours["losses"] / alone["losses"] - 1).max()),
        "norms": float(np.abs(ours["norms"] / alone["norms"] - 1).max()),
        "weights": float(np.linalg.norm(ours["weights"] - alone["weights"]) / np.linalg.norm(alone["weights"])),
    }
