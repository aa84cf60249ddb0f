"""A training of two tasks on a real SLURM, of which one is killed: the job is queued again, and gone on with.

Run by `make test-cluster`, as root where slurm-wlm and munge are installed; takes four minutes, since SLURM waits two
before it starts a job again. It says what it found, and fails where that is not what should be.
"""

import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from slurm import slurm
from warned_training import send

from weatherml.training import Run

PATIENCE = 600  # seconds
EVERY = 5


def main() -> None:
    """Send the job, kill one of its tasks, and watch the job until it has gone on."""
    with tempfile.TemporaryDirectory(prefix="killed task ") as place, slurm():
        run = Path(place) / "run"
        job = send(run, ["nodes=1", "ntasks-per-node=2", "time=30", "comment=two words"], snapshot_every=EVERY)
        training = Run(run / "training")
        until(lambda: len(training.metrics()) > 4, "metrics")
        (task,) = tasks(job, "1")
        os.kill(task, signal.SIGKILL)
        before = training.metrics()[-1]["step"]
        print(f"{time.strftime('%H:%M:%S')} task 1 (process {task}) killed at step {before}", flush=True)
        until(lambda: restarts(job) == 1, "the job to be queued again")
        print(f"{time.strftime('%H:%M:%S')} queued again", flush=True)
        until(lambda: training.metrics()[-1]["step"] > before + 20 * EVERY and tasks(job, "1"), "it to go on")
        steps = [entry["step"] for entry in training.metrics()]
        assert steps == list(range(EVERY, steps[-1] + 1, EVERY)), steps
        print(f"{time.strftime('%H:%M:%S')} the training is at step {steps[-1]}", flush=True)
        print((run / f"slurm-{job}.log").read_text())


def restarts(job: str) -> int:
    """Return how often a job was queued again."""
    shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"\bRestarts=(\d+)", shown).group(1))


def tasks(job: str, number: str) -> list[int]:
    """Return the processes that SLURM has started as a task of a job, without their children."""
    told = {f"SLURM_JOB_ID={job}".encode(), f"SLURM_PROCID={number}".encode(), b"SLURM_STEP_ID=0"}
    found: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if told <= set((place / "environ").read_bytes().split(b"\0")):
                found[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    return [process for process, parent in found.items() if parent not in found]


def until(happened, what: str) -> None:
    """Wait for what should happen."""
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            raise SystemExit(f"waited {PATIENCE} s for {what}")
        time.sleep(1)


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    main()
