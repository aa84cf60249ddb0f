"""A training of two tasks on a real SLURM: warned before its time is up, queued again, and gone on with.

Run by `make test-cluster`, as root where slurm-wlm and munge are installed; takes some minutes, since SLURM waits two
before it starts a job again. It says what it found, and fails where that is not what should be.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from slurm import slurm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from tiny_experiment import CONFIG  # noqa: E402

from weatherml.training import Run  # noqa: E402

N_STEPS, EVERY = 1_000_000, 5
LIMIT, WARNING = 3, 60  # minutes, seconds: the warning comes up to a minute earlier, as SLURM looks now and then
PATIENCE = 1800  # seconds


def main() -> None:
    """Send the job, and watch it until it has gone on after a warning."""
    with tempfile.TemporaryDirectory(prefix="cluster-") as place, slurm():
        run = Path(place) / "run"
        job = send(run, ["nodes=1", "ntasks-per-node=2", f"time={LIMIT}"])
        watch(job, run)


def send(run: Path, asked: list[str], snapshot_every: int = N_STEPS) -> str:
    """Send a training without end, in a folder that is made; return the number of its job."""
    config = run.parent / "tiny.yaml"
    training = CONFIG["training"] | {
        "stages": [{"n_steps": N_STEPS, "learning_rate": 0.001}],
        **{"log_every": EVERY, "validate_every": N_STEPS, "snapshot_every": snapshot_every},
    }
    config.write_text(yaml.safe_dump(CONFIG | {"training": training}))
    weatherml("statistics", config, "-o", run)
    words = [word for own in asked for word in ("--slurm", own)]
    return weatherml("submit", config, "-o", run, *words, "--warning", WARNING).strip()


def weatherml(*words: object) -> str:
    """Run the program."""
    command = [Path(sys.executable).with_name("weatherml"), *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def watch(job: str, run: Path) -> None:
    """Wait until the job was stopped at a step, queued again and gone beyond; require that no step is lost or twice."""
    log, training = run / f"slurm-{job}.log", Run(run / "training")
    state, end, stopped = "", time.monotonic() + PATIENCE, 0
    while time.monotonic() < end:
        shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
        found = dict(re.findall(r"\b(JobState|Restarts)=(\S+)", shown))
        told, logged = log.read_text() if log.exists() else "", [entry["step"] for entry in training.metrics()]
        if found["JobState"] != state:
            state = found["JobState"]
            where = f"step {logged[-1]}" if logged else "no step"
            print(f"{time.strftime('%H:%M:%S')} {state}, queued again {found['Restarts']} times, {where}", flush=True)
        if state in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"):
            break
        steps = [int(step) for step in re.findall(rf"stopped at step (\d+) of {N_STEPS}; run it again to go on", told)]
        stopped = stopped or min(steps, default=0)
        if stopped and logged[-1] > stopped + EVERY:
            assert int(found["Restarts"]) >= 1 and steps.count(stopped) == 2, told
            assert logged == list(range(EVERY, logged[-1] + 1, EVERY)), logged
            print(f"both tasks stopped at step {stopped}; queued again, the training is beyond step {logged[-1]}")
            return
        time.sleep(2)
    raise SystemExit(f"job {job} is {state}:\n{told}")


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    main()
