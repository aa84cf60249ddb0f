"""A training of two tasks on a real SLURM: warned before its time is up, queued again, and gone on with to its end.

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

from weatherml.checkpoint import Checkpoint  # noqa: E402
from weatherml.training import Run  # noqa: E402

N_STEPS, EVERY = 3000, 10
LIMIT, WARNING = 2, 60  # minutes, seconds: the warning comes up to a minute earlier, as SLURM looks twice a minute
PATIENCE = 1500  # seconds


def main() -> None:
    """Send the job, and wait for its end."""
    with tempfile.TemporaryDirectory(prefix="cluster-") as place, slurm():
        folder = Path(place)
        run, config = folder / "run", folder / "tiny.yaml"
        training = CONFIG["training"] | {
            "stages": [{"n_steps": N_STEPS, "learning_rate": 0.001}],
            **{"log_every": EVERY, "validate_every": N_STEPS, "snapshot_every": N_STEPS},
        }
        config.write_text(yaml.safe_dump(CONFIG | {"training": training}))
        weatherml("statistics", config, "-o", run)
        asked = ["nodes=1", "ntasks-per-node=2", f"time={LIMIT}"]
        words = [word for own in asked for word in ("--slurm", own)]
        job = weatherml("submit", config, "-o", run, *words, "--warning", WARNING).strip()
        restarts, told = wait_for(job, run / f"slurm-{job}.log")
        require(run, restarts, told)


def weatherml(*words: object) -> str:
    """Run the program."""
    command = [Path(sys.executable).with_name("weatherml"), *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def wait_for(job: str, log: Path) -> tuple[int, str]:
    """Wait until the job has ended; return how often it was queued again, and all it has said."""
    state, end = "", time.monotonic() + PATIENCE
    while not state.startswith(("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")):
        if time.monotonic() > end:
            raise SystemExit(f"job {job} is {state} after {PATIENCE} s:\n{log.read_text()}")
        time.sleep(2)
        shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
        found = dict(re.findall(r"\b(JobState|Restarts)=(\S+)", shown))
        if found["JobState"] != state:
            print(
                f"{time.strftime('%H:%M:%S')} job {job}: {found['JobState']}, restarts {found['Restarts']}", flush=True
            )
        state = found["JobState"]
    told = log.read_text()
    if state != "COMPLETED":
        raise SystemExit(f"job {job} ended as {state}:\n{told}")
    return int(found["Restarts"]), told


def require(run: Path, restarts: int, told: str) -> None:
    """Require that the training was stopped as often as it was queued again, and lost and repeated nothing."""
    training = Run(run / "training")
    stopped = [int(step) for step in re.findall(rf"stopped at step (\d+) of {N_STEPS}; run it again to go on", told)]
    logged = [entry["step"] for entry in training.metrics()]
    print(f"stopped at steps {sorted(set(stopped))}, queued again {restarts} times; {len(logged)} entries of metrics")
    assert restarts >= 1 and len(set(stopped)) == restarts, told
    assert logged == list(range(EVERY, N_STEPS + 1, EVERY)), logged
    assert Checkpoint.load(training.last_checkpoint).provenance.step == N_STEPS
    print("a training of two tasks was warned, queued again, and ended with every step once")


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    main()
