"""What a snapshot costs the loop: of all steps between two snapshots the time beyond as many undisturbed ones.

    python benchmarks/snapshot_cost.py

Snapshots that are written while training goes on, and those that it waits for, take turns in one training. Results:
killed_training.md
"""

import argparse
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


def fourcastnet(width: int, depth: int, n_samples: int) -> tuple[TrainingState, object, object]:
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
    x = np.random.default_rng(0).standard_normal((n_samples, len(channels), 48, 96)).astype(np.float32)

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
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--every", type=int, default=8, help="steps between snapshots")
    parser.add_argument("--rounds", type=int, default=4)
    chosen = parser.parse_args()
    state, update, batch = fourcastnet(chosen.width, chosen.depth, chosen.batch)
    n_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    state = update(state, batch.state)
    jax.block_until_ready(state)
    costs: dict[str, list[tuple[float, ...]]] = {"written meanwhile": [], "waited for": []}
    steps: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder, Snapshots(Path(folder) / "snapshots") as snapshots:
        for number in range(2 * chosen.rounds):
            kind = list(costs)[number % 2]
            snapshots.wait()
            laps = [now()]
            snapshots.save(number, state, Cursor())
            saved = now()
            if kind == "waited for":
                snapshots.wait()
            laps.append(now())
            for _ in range(chosen.every):
                state = update(state, batch.state)
                jax.block_until_ready(state)
                laps.append(now())
            snapshots.wait()
            laps.append(now())  # of what is written then nothing is left, and no cost is hidden
            spent = np.diff(laps, axis=0)
            quiet = np.median(spent[1 + chosen.every // 2 : -1], axis=0)
            steps.append(tuple(quiet))
            beyond = spent.sum(axis=0) - chosen.every * quiet
            costs[kind].append((saved[0] - laps[0][0], *beyond))
    step = np.median(steps, axis=0)
    print(f"{n_bytes / 1e6:.0f} MB of state; a step takes {step[0]:.2f} s, {step[1]:.2f} s of processors\n")
    print("| a snapshot | until training goes on, s | beyond as many steps, s | of processors, s | in steps |")
    print("|---|---|---|---|---|")
    for kind, all_spent in costs.items():
        held, elapsed, processors = np.median(all_spent, axis=0)
        shares = f"{elapsed / step[0]:.2f} by the clock, {processors / step[1]:.2f} of processors"
        print(f"| {kind} | {held:.3f} | {elapsed:.2f} | {processors:.2f} | {shares} |")


def now() -> tuple[float, float]:
    """Return seconds by the clock, and of processors, which other programs on the machine hardly change."""
    return time.perf_counter(), time.process_time()


if __name__ == "__main__":
    main()
