"""What a long rollout takes in training, with activations of all steps kept and with those of one: planned memory by
its length, and processor time.

    python benchmarks/long_rollouts.py configs/planet_sfno.yaml memory 16 1 2 4 8 12
    python benchmarks/long_rollouts.py configs/planet_sfno.yaml time 2 2 4

The numbers are the batch and the lengths. Programs are compiled for the devices at hand at the configuration's own
size; `memory` runs nothing.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.config import load_yaml
from weatherml.data.loading.samples import Batch
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.experiment import ExperimentConfig
from weatherml.grid import LatLonGrid
from weatherml.models.weights import split_weights
from weatherml.process.heap import keep_freed_memory
from weatherml.state import StateSpec, parse_channels
from weatherml.training.objective.rollout import Noise, rollout_loss

GRID, TIME_STEP = LatLonGrid.gaussian(32, 64), np.timedelta64(6, "h")
"""The simulated planet's."""

WAYS = {"all steps": 10**6, "one step": 0}
"""Whose activations are kept, and up to which length of a rollout all are."""


def untrained(config: ExperimentConfig) -> Checkpoint:
    """Return the configuration's model with random weights, on the planet's grid."""
    spec = StateSpec(parse_channels(config.channels), GRID)
    one = np.ones(spec.n_channels, np.float32)
    statistics = Statistics(spec, 0 * one, one, one / 4, np.ones(spec.shape, bool), TIME_STEP, ("2000", "2001"), 0)
    names = tuple(name for name in config.forcings if name != "orography")
    forcings = Forcings((*names, *["latitude"] * (len(config.forcings) - len(names))), GRID, TIME_STEP)
    return Checkpoint.initialize(config.model, forcings, Normalizer(statistics), Provenance({}, ""), 0)


def gradient_of(config: ExperimentConfig, start: Checkpoint, longest_kept: int) -> Callable[..., Any]:
    """Return the compiled loss and gradient of a batch, `(weights, batch)`."""
    loss, maps = config.training.loss.build(start.normalizer.statistics), start.build_noise()
    rebuild, constants = split_weights(start.build_step())

    def objective(weights: Any, batch: Batch) -> jax.Array:
        keys, of_maps = (jax.random.split(jax.random.key(seed), len(batch.state)) for seed in (0, 1))
        noise = None if maps is None else Noise(maps, of_maps)
        return rollout_loss(rebuild(weights, constants), loss, batch, keys, noise, longest_kept)

    return jax.jit(jax.value_and_grad(objective))


def batch_of(start: Checkpoint, size: int, n_steps: int) -> Batch:
    """Return states and forcings that are as large as real ones."""
    rng, shape = np.random.default_rng(0), start.spec.grid.shape
    sizes = (start.spec.n_channels, start.forcings.n_maps)
    return Batch(*(rng.standard_normal((size, n_steps + 1, n, *shape), np.float32) for n in sizes))


def print_memory(config: ExperimentConfig, start: Checkpoint, size: int, lengths: list[int]) -> None:
    """Print the planned temporary memory of the gradient."""
    print(f"| steps | {' | '.join(f'{way} kept, GiB' for way in WAYS)} |\n|---|{'---|' * len(WAYS)}")
    for n_steps in lengths:
        batch = jax.tree.map(
            lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), batch_of(start, size, n_steps)
        )
        planned = []
        for longest in WAYS.values():
            compiled = gradient_of(config, start, longest).lower(dict(start.weights), batch).compile()
            planned.append(compiled.memory_analysis().temp_size_in_bytes / 2**30)
        print(f"| {n_steps} | {' | '.join(f'{gib:.2f}' for gib in planned)} |", flush=True)


def print_times(config: ExperimentConfig, start: Checkpoint, size: int, lengths: list[int]) -> None:
    """Print the processor time of a gradient, the least of five of each way in turn."""
    print(
        f"| steps | {' | '.join(f'{way} kept, s' for way in WAYS)} | ratio | apart |\n|---|{'---|' * (len(WAYS) + 2)}"
    )
    for n_steps in lengths:
        ways = [gradient_of(config, start, longest) for longest in WAYS.values()]
        weights, batch = dict(start.weights), jax.tree.map(jnp.asarray, batch_of(start, size, n_steps))
        found = [jax.block_until_ready(way(weights, batch)) for way in ways]
        seconds = np.min([[_timed(way, weights, batch) for way in ways] for _ in range(5)], axis=0)
        apart = max(jax.tree.leaves(jax.tree.map(lambda a, b: float(jnp.abs(a - b).max() / jnp.abs(a).max()), *found)))
        print(
            f"| {n_steps} | {' | '.join(f'{s:.3f}' for s in seconds)} | {seconds[1] / seconds[0]:.2f} | {apart:.0e} |"
        )


def _timed(way: Callable[..., Any], *arguments: Any) -> float:
    started = time.process_time()
    jax.block_until_ready(way(*arguments))
    return time.process_time() - started


if __name__ == "__main__":
    keep_freed_memory()  # as the program does
    path, what, size, *lengths = sys.argv[1:]
    wanted = load_yaml(ExperimentConfig, Path(path))
    show = {"memory": print_memory, "time": print_times}[what]
    show(wanted, untrained(wanted), int(size), [int(length) for length in lengths])
