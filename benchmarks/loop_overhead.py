"""What a training takes beyond its network's own forward and backward pass, measured in turns in one training.

    python benchmarks/loop_overhead.py

After every ten steps of a training, whose records have just been written, the gradient of the same loss is computed ten
times by itself, and the compiled optimiser step ten times; then the training goes on. So the loop is the real one, with
its loader, records and news, and what else the machine does meets all three alike. Results: loop_overhead.md
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.config import from_mapping
from weatherml.data.loading.samples import Batch, Samples
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.grid import LatLonGrid
from weatherml.models import registry
from weatherml.models.weights import split_weights, weights_of
from weatherml.state import StateSpec, parse_channels, spec_of, to_dataset
from weatherml.training import TrainingConfig, train
from weatherml.training.objective.objective import build_objective, evaluate
from weatherml.training.update.step import build_update, initial_state
from weatherml.variables import PRESETS

BLOCK = 10
"""Steps in a turn."""
PERIODS = ("2001-01-01", "2001-02-10"), ("2001-02-11", "2001-02-25")
NETWORKS: dict[str, dict[str, Any]] = {
    "fourcastnet, as `weatherml demo` trains it": {
        "name": "fourcastnet", "patch": [2, 4], "width": 128, "depth": 4, "n_blocks": 2, "mlp_ratio": 2.0,
    },
    "fourcastnet, a quarter of that": {
        "name": "fourcastnet", "patch": [2, 4], "width": 64, "depth": 2, "n_blocks": 2, "mlp_ratio": 2.0,
    },
    "sfno": {"name": "sfno", "width": 32, "depth": 3, "scale_factor": 1.3333, "truncation": 21, "diffusion_order": 4},
}  # fmt: skip


def walk() -> xr.Dataset:
    """Return two months of random walks of the planet's channels on its grid."""
    spec = StateSpec(parse_channels(PRESETS["planet"]), LatLonGrid.gaussian(32, 64))
    times = np.datetime64("2001-01-01", "ns") + np.arange(220) * np.timedelta64(6, "h")
    noise = np.random.default_rng(0).standard_normal((len(times), *spec.shape), np.float32)
    return to_dataset(np.cumsum(0.3 * noise, axis=0), spec, {"time": times})


def initialize(network: dict[str, Any], dataset: xr.Dataset) -> Checkpoint:
    """Return a model with random weights."""
    statistics_ = compute_statistics(dataset, spec_of(dataset), PERIODS[0])
    forcings = Forcings((), statistics_.spec.grid, statistics_.time_step)
    model = from_mapping(registry[network["name"]], network, "network")
    return Checkpoint.initialize(model, forcings, Normalizer(statistics_), Provenance({}, "noise"), 0)


@dataclass
class Turns:
    """Times the loop, and in turns with it other programs.

    Attributes:
        programs: What else is run, by name; each waits for its result.
        seconds: Of a step in each turn, by name: on the clock, and of processors.
    """

    programs: dict[str, Callable[[], object]]
    seconds: dict[str, list[np.ndarray]] = field(default_factory=dict)
    _left: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def __call__(self, step: int, n_steps: int, news: str) -> None:
        """Take a turn where records have just been written, when the device has done all it was given."""
        if step % BLOCK:
            return
        self._note("loop")
        for name, program in self.programs.items():
            for _ in range(BLOCK):
                program()
            self._note(name)

    def _note(self, name: str) -> None:
        """Note what a step has taken since the last note."""
        now = np.array([time.perf_counter(), time.process_time()])
        self.seconds.setdefault(name, []).append((now - self._left) / BLOCK)
        self._left = now


def programs_of(config: TrainingConfig, start: Checkpoint, batch: Batch) -> dict[str, Callable[[], object]]:
    """Return the gradient and the optimiser step on a batch that lies on the device."""
    module, loss = build_objective(config.loss, start)
    layout = config.lay_out(start.model, start.spec.grid.shape)[0]
    placed = layout.place_batch(batch)
    rebuild, constants = split_weights(module)
    gradient = jax.jit(
        jax.value_and_grad(lambda weights, loss, batch: evaluate(rebuild(weights, constants), loss, batch))
    )
    weights = layout.placed(weights_of(module))
    optimizer = config.optimizer.build(config.stages)
    update = build_update(module, loss, optimizer, config.average_decay, layout)
    state = [layout.placed(initial_state(weights, optimizer))]

    def step() -> None:
        state[0], outcome = update(state[0], placed)
        outcome.loss.block_until_ready()

    return {"gradient": lambda: jax.block_until_ready(gradient(weights, loss, placed)), "update": step}


def measure(network: dict[str, Any], batch_size: int, rounds: int, folder: Path) -> dict[str, np.ndarray]:
    """Train, and return the seconds of a step by turn: of the loop, of the gradient and of the optimiser step alone."""
    dataset = walk()
    start = initialize(network, dataset)
    n_steps = BLOCK * (rounds + 2)
    config = from_mapping(
        TrainingConfig,
        {
            "stages": [{"n_steps": n_steps, "learning_rate": 1e-3}],
            "batch_size": batch_size,
            "log_every": BLOCK,
            "validate_every": n_steps,
            "snapshot_every": n_steps,
        },
        "training",
    )
    training, validation = (Samples(dataset, start.normalizer, start.forcings, 1, period) for period in PERIODS)
    turns = Turns(programs_of(config, start, training.gather(range(batch_size))))
    train(config, start, training, validation, folder, turns)
    # Programs are compiled in the first turn, and validation, a checkpoint and a snapshot belong to the last.
    return {name: np.array(seconds[1:-1]) for name, seconds in turns.seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--only", help="networks whose name begins so")
    chosen = parser.parse_args()
    kind = jax.devices()[0].device_kind
    print(f"{len(jax.devices())} device(s), {kind}; batch {chosen.batch}, {chosen.rounds} turns of {BLOCK} steps\n")
    print("| network | of | gradient, ms | update, ms | loop, ms | loop over gradient | loop over update |")
    print("|---|---|---|---|---|---|---|")
    for name, network in NETWORKS.items():
        if name.startswith(chosen.only or ""):
            with tempfile.TemporaryDirectory() as folder:
                seconds = measure(network, chosen.batch, chosen.rounds, Path(folder))
            for number, what in enumerate(("clock", "processors")):
                row = _row({kind: own[:, number] for kind, own in seconds.items()})
                print(f"| {name} | {what} | {row} |", flush=True)


def _row(seconds: dict[str, np.ndarray]) -> str:
    """Return medians over the turns: of seconds, and of the ratios in each turn."""
    times = [f"{1e3 * np.median(seconds[kind]):.1f}" for kind in ("gradient", "update", "loop")]
    ratios = [np.median(seconds["loop"] / seconds[other]) for other in ("gradient", "update")]
    return " | ".join([*times, *(f"{100 * (ratio - 1):+.1f} %" for ratio in ratios)])


if __name__ == "__main__":
    main()
