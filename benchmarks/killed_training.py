"""Kill trainings with -9 at random instants, run them again to their end, and compare every bit with one left alone.

    python benchmarks/killed_training.py FOLDER --kills 20
    python benchmarks/killed_training.py FOLDER --kills 20 --processes 2
    python benchmarks/killed_training.py FOLDER --kills 6 --meshes

With `--meshes` each of three stages has a mesh of its own, of four devices. Of several processes one is killed, and the
others end by themselves. Results: killed_training.md
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from kills import kill_during
from staged_training import MESHES
from staged_training import told as staged
from tiny_training import TIMINGS, arguments

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.samples import Samples
from weatherml.parallel.processes.joining import Processes, join, leave
from weatherml.training import Run, train
from weatherml.training.batches import Batches
from weatherml.training.recovery.snapshots import Snapshots
from weatherml.training.session import Session
from weatherml.training.trained import Trained
from weatherml.training.validation.validation import Validation

WAIT = 300.0
"""Seconds for which an end is waited for."""

INSTANTS: dict[str, tuple[type, str, tuple[int, int], float]] = {
    "at the first step": (Session, "advance", (1, 1), 0.3),
    "in the middle of loading": (Samples, "begin", (1, 30), 0.01),
    "in a step": (Session, "advance", (2, 23), 0.05),
    "when a snapshot is copied": (Snapshots, "save", (1, 5), 0.02),
    "when a snapshot is written": (Snapshots, "_finish", (1, 5), 0.05),
    "in a validation": (Validation, "evaluate", (1, 4), 0.05),
    "when a checkpoint is written": (Session, "_save_checkpoint", (1, 3), 0.02),
    "between stages": (Batches, "take", (15, 15), 0.05),
}
"""Of what, the first and the last time that a training of 23 steps enters it, and the longest delay, seconds."""


BETWEEN_MESHES: dict[str, tuple[type, str, tuple[int, int], float]] = {
    "where the next mesh is due": (Trained, "go_on_to", (1, 2), 0.02),
    "while it is laid": (Trained, "_lay", (2, 3), 0.1),
    "in the steps beside it": (Session, "advance", (3, 8), 0.1),
    "when a snapshot is written": (Snapshots, "_finish", (1, 4), 0.05),
}
"""Likewise, of a training of 10 steps whose mesh changes after 3 and 7."""
N_DEVICES = 4


@dataclass(frozen=True)
class Kill:
    """When a process is killed.

    Attributes:
        name: Of the instant.
        n: Which time.
        delay: Seconds from there.
    """

    name: str
    n: int
    delay: float


def work(folder: Path, processes: Processes, kill: Kill | None, meshes: bool, told: Any) -> None:
    """Train, in a process of a group."""
    os.setpgid(0, 0)
    jax.config.update("jax_platforms", "cpu")
    if meshes:
        jax.config.update("jax_num_cpu_devices", N_DEVICES // processes.count)
    if kill is not None:
        # Half of what it compiles might be kept; so none is.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 1e9)
        owner, method, *_ = (INSTANTS | BETWEEN_MESHES)[kill.name]
        kill_during(owner, method, kill.n, kill.delay)
    join(processes)
    train(*(staged(MESHES) if meshes else arguments()), folder, lambda step, *_: told.send(step))
    if processes.count > 1:
        leave()


def run(context: Any, folder: Path, n: int, meshes: bool, kill: Kill | None = None) -> tuple[int, float, list[int]]:
    """Train with n processes, the last of which is killed; return its last step, seconds to the end, and exit codes."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{opened.getsockname()[1]}"
    started, pipes = [], []
    for index in range(n):
        heard, told = context.Pipe(duplex=False)
        victim = kill if index == n - 1 else None
        processes = Processes(index, n, address, 120)
        started.append(context.Process(target=work, args=(folder, processes, victim, meshes, told)))
        started[-1].start()
        told.close()
        pipes.append(heard)
    steps = [0]
    try:
        while True:
            steps.append(pipes[-1].recv())
    except EOFError:
        ended = time.monotonic()
    for process in started:
        process.join(WAIT)
    elapsed = time.monotonic() - ended
    for process in started:
        process.kill()
        process.join()
    return steps[-1], elapsed, [process.exitcode for process in started]


def result(folder: Path) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Return metrics without timings, and weights of both checkpoints."""
    done = Run(folder)
    metrics = [{name: v for name, v in entry.items() if name not in TIMINGS} for entry in done.metrics()]
    weights = {}
    for path in (done.best_checkpoint, done.last_checkpoint):
        weights |= {f"{path.name} {name}": array for name, array in Checkpoint.load(path).weights.items()}
    return metrics, weights


def is_same(one: Path, other: Path) -> bool:
    """Return whether two trainings ended with the same bits."""
    (metrics, weights), (metrics_2, weights_2) = result(one), result(other)
    same = weights.keys() == weights_2.keys() and all(
        array.tobytes() == weights_2[name].tobytes() for name, array in weights.items()
    )
    return same and metrics == metrics_2


def main() -> None:
    """Do it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--meshes", action="store_true", help="stages have meshes of their own")
    parser.add_argument("--seed", type=int, default=None, help="of the instants; another each time when not given")
    chosen = parser.parse_args()
    shutil.rmtree(chosen.folder, ignore_errors=True)
    chosen.folder.mkdir(parents=True)
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(2**32)
    moment = random.Random(seed)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(chosen.folder / "programs")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    context = multiprocessing.get_context("forkserver")
    whole, how = chosen.folder / "whole", (chosen.processes, chosen.meshes)
    instants = BETWEEN_MESHES if chosen.meshes else INSTANTS
    assert run(context, whole, *how)[2] == chosen.processes * [0]
    print(f"seed {seed}\n\n| killed | after step | snapshots then | others ended | bit-equal |\n|---|---|---|---|---|")
    n_same = 0
    for number in range(chosen.kills):
        name = list(instants)[number % len(instants)]
        _, _, (first, last), longest = instants[name]
        kill = Kill(name, moment.randint(first, last), moment.uniform(0, longest))
        folder = chosen.folder / f"killed {number}"
        step, elapsed, codes = run(context, folder, *how, kill)
        kept = sorted(int(path.name) for path in (folder / "snapshots").glob("*") if path.name.isdigit())
        others = f"{[*codes[:-1]]} after {elapsed:.0f} s" if codes[:-1] else "-"
        died = "" if codes[-1] == -signal.SIGKILL else f" (but ended by {codes[-1]})"
        again = run(context, folder, *how)[2]
        same = again == chosen.processes * [0] and is_same(folder, whole)
        n_same += same
        told = "yes" if same else f"NO {again}"
        print(f"| {name}, {kill.delay * 1e3:.0f} ms{died} | {step} | {kept} | {others} | {told} |", flush=True)
        if same:
            shutil.rmtree(folder)
    print(f"\n{n_same} of {chosen.kills} ended with the same bits")


if __name__ == "__main__":
    main()
