"""Where the phases of a finished run spend their time, as markdown; its folder is copied, not changed.

python benchmarks/demo_profile.py runs/demo
"""

import cProfile
import json
import pstats
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from weatherml.config import load_yaml
from weatherml.data.sources.planet import Planet
from weatherml.experiment import ExperimentConfig
from weatherml.experiment.results import Results
from weatherml.experiment.running.work import WORK
from weatherml.process.heap import keep_freed_memory

PHASES = ("look", "check", "statistics", "evaluate", "extremes", "report")
N_OUTPUTS, LEAST_SHARE, MOST_ROWS = 120, 0.05, 9


def cpu_seconds(function: Callable[[], Any]) -> float:
    start = time.process_time()
    jax.block_until_ready(function())
    return time.process_time() - start


def print_row(*cells: object) -> None:
    print("| " + " | ".join(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |")


def print_phases(run: Path) -> None:
    print_row("phase", "seconds", "CPU seconds", "peak memory, MiB")
    print_row(*["---"] * 4)
    for phase, entry in json.loads((run / "phases.json").read_text()).items():
        print_row(phase, entry["seconds"], entry["cpu_seconds"], entry["peak_memory_bytes"] >> 20)
    print()


def print_simulation(config: Any) -> None:
    """A month of the planet, and what it is made of."""
    planet = Planet(config.truncation, config.n_levels, config.levels, config.mountain_height, config.time_step_hours)
    start = planet.initial_state(config.seed)
    first = cpu_seconds(lambda: planet.run(start, N_OUTPUTS))
    both = cpu_seconds(lambda: planet.run(start, N_OUTPUTS))
    observe = jax.jit(planet.observe)
    jax.block_until_ready(observe(start))
    observed = cpu_seconds(lambda: [observe(start) for _ in range(N_OUTPUTS)])
    print_row(f"{N_OUTPUTS} outputs of the planet", "CPU seconds")
    print_row("---", "---")
    print_row("tracing and compiling, once", first - both)
    print_row("steps", both - observed)
    print_row("interpolation to pressure levels", observed)
    print()


def print_training(run: Path) -> None:
    entries = [json.loads(line) for line in (run / "training" / "metrics.jsonl").read_text().splitlines()]
    for stage in sorted({entry["stage"] for entry in entries}):
        own = [entry for entry in entries if entry["stage"] == stage and "limited_by" in entry]
        speed, waiting = (np.median([entry[key] for entry in own]) for key in ("samples_per_second", "loader_share"))
        print(f"Stage {stage}: {speed:.0f} samples a second, {100 * waiting:.1f} % of the time waiting for the loader.")
    print()


def print_phase(phase: str, results: Results) -> None:
    """The functions of this package under which most of a phase's time is spent."""
    profile = cProfile.Profile()
    profile.runcall(WORK[phase], results, lambda *_: None)
    timings = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    own = {place: entry[3] for place, entry in timings.items() if "/weatherml/" in place[0] and "<" not in place[2]}
    total = max(own.values())
    print_row(f"`{phase}`: under the profiler", "seconds")
    print_row("---", "---")
    for (file, _, function), seconds in sorted(own.items(), key=lambda pair: -pair[1])[:MOST_ROWS]:
        if seconds > LEAST_SHARE * total:
            print_row(f"{file.split('/weatherml/')[1]}: {function}", seconds)
    print()


def main() -> None:
    keep_freed_memory()
    run = Path(sys.argv[1])
    config = load_yaml(ExperimentConfig, run / "config.json")
    print_phases(run)
    print_simulation(config.source)
    print_training(run)
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(run, Path(folder) / "run", ignore=shutil.ignore_patterns("planet", "snapshots"))
        for phase in PHASES:
            print_phase(phase, Results(config, copy))


if __name__ == "__main__":
    main()
