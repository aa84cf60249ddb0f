"""What a snapshot costs the loop: of all steps between two snapshots the time beyond as many undisturbed ones.

    python benchmarks/snapshot_cost.py

Snapshots that are written while training goes on, and those that it waits for, take turns in one training. Results:
killed_training.md
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import optax

from weatherml.data.loading.samples import Batch
from weatherml.grid import LatLonGrid
from weatherml.models import registry
from weatherml.state import Channel, StateSpec
from weatherml.training.recovery.snapshots import Cursor, Snapshots
from weatherml.training.update.optimizer import update_average
from weatherml.training.update.step import TrainingState, initial_state


def fourcastnet(width: int, depth: int) -> tuple[TrainingState, object, object]:
    """Return state, compiled update and batch of a network on 48 x 96 cells, with as many weights as are asked for."""
    from flax import nnx

    channels = tuple(Channel.parse(f"z{level}") for level in (250, 500, 700, 850, 925, 1000))
    spec = StateSpec(channels, LatLonGrid.regular(48, 96, poles=False))
    network = registry["fourcastnet"](width=width, depth=depth, patch=(4, 4)).build(spec, 0, nnx.Rngs(0))
    graph, weights = nnx.split(network, nnx.Param)
    flat = {str(number): leaf for number, leaf in enumerate(jax.tree.leaves(weights))}
    structure = jax.tree.structure(weights)
    optimizer = optax.adamw(1e-4)
    state = initial_state(flat, optimizer)
    x = np.random.default_rng(0).standard_normal((4, len(channels), 48, 96)).astype(np.float32)

    def loss(weights: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        leaves = [weights[str(number)] for number in range(len(weights))]
        return ((nnx.merge(graph, jax.tree.unflatten(structure, leaves))(x) - x) ** 2).mean()

    def update(state: TrainingState, x: jax.Array) -> TrainingState:
        changes, moments = optimizer.update(jax.grad(loss)(state.weights, x), state.optimizer, state.weights)
        weights = optax.apply_updates(state.weights, changes)
        average = update_average(state.average, weights, state.step, 0.999)
        return TrainingState(weights, average, moments, state.step + 1)

    return state, jax.jit(update, donate_argnums=0), Batch(x, x[:, :0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--every", type=int, default=8, help="steps between snapshots")
    parser.add_argument("--rounds", type=int, default=4)
    chosen = parser.parse_args()
    state, update, batch = fourcastnet(chosen.width, chosen.depth)
    n_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    state = update(state, batch.state)
    jax.block_until_ready(state)
    steps: list[float] = []
    costs: dict[str, list[float]] = {"written meanwhile": [], "waited for": []}
    with tempfile.TemporaryDirectory() as folder, Snapshots(Path(folder) / "snapshots") as snapshots:
        for number in range(2 * chosen.rounds):
            kind = list(costs)[number % 2]
            snapshots.wait()
            started = time.perf_counter()
            snapshots.save(number, state, Cursor())
            if kind == "waited for":
                snapshots.wait()
            durations = [time.perf_counter() - started]
            for _ in range(chosen.every):
                before = time.perf_counter()
                state = update(state, batch.state)
                jax.block_until_ready(state)
                durations.append(time.perf_counter() - before)
            quiet = statistics.median(durations[chosen.every // 2 :])
            steps.append(quiet)
            costs[kind].append(sum(durations) - chosen.every * quiet)
    step = statistics.median(steps)
    print(f"{n_bytes / 1e6:.0f} MB of state, a step takes {step:.3f} s (median)\n")
    print("| a snapshot | costs the loop, s (median; least to most) | steps |\n|---|---|---|")
    for kind, spent in costs.items():
        median = statistics.median(spent)
        print(f"| {kind} | {median:.3f} ({min(spent):.3f} to {max(spent):.3f}) | {median / step:.2f} |")


if __name__ == "__main__":
    main()
