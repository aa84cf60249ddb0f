"""A training as a job of SLURM: warned before its time is up, queued again, and gone on with where it was."""

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weatherml.errors import LOST, STOPPED, UserError
from weatherml.storage.files import write_bytes
from weatherml.storage.room import explaining_errors

_OWN = {"array", "dependency", "job-name", "ntasks", "open-mode", "output", "error", "requeue", "no-requeue", "signal"}
"""What a job says itself."""
_TIME = re.compile(r"\d+|\d+:\d\d|\d+:\d\d:\d\d|\d+-\d+(:\d\d){0,2}")
_MOST_RESTARTS = 50
"""A job that is queued again this often without an end has something else the matter."""

_SCRIPT = """\
#!/bin/bash
# Written by weatherml submit: sbatch it again whenever the training is to go on.
{directives}
set -uo pipefail

# Where the processes meet: a port of the first node, by the job, so that jobs on one node do not meet each other.
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export JAX_COORDINATOR_ADDRESS="$first:$((61440 + SLURM_JOB_ID % 4096))"

srun --kill-on-bad-exit=1 {command}
code=$?
{requeue}exit $code
"""
_REQUEUE = f"""\
# {STOPPED}: warned, and saved. {LOST}: a process was lost. Both go on from the latest snapshot.
restarts=${{SLURM_RESTART_COUNT:-0}}
if {{ [ $code -eq {STOPPED} ] || [ $code -eq {LOST} ]; }} && [ "$restarts" -lt {_MOST_RESTARTS} ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
"""


@dataclass(frozen=True)
class SlurmJob:
    """A job that trains.

    Attributes:
        command: Its words.
        folder: Of the run, where the script and the log go.
        asked: What sbatch is asked for, without the dashes: `nodes`, `gpus-per-node`, `time`, `partition`, ...
        warning: Seconds before the end of its time at which the training is told to save and stop.
        n_chained: Jobs, each of which begins when the one before has ended, instead of one that is queued again.

    Raises:
        UserError: Something is missing, or is the job's own business.
    """

    command: Sequence[str]
    folder: Path
    asked: Mapping[str, str]
    warning: int = 120
    n_chained: int = 1

    def __post_init__(self) -> None:
        for name in sorted(self.asked.keys() & _OWN):
            raise UserError(f"--slurm {name} is set by weatherml submit itself; leave it out")
        for name in ("nodes", "time"):
            if name not in self.asked:
                raise UserError(f"a job needs --slurm {name}=..., such as {_EXAMPLES[name]}")
        n_tasks = self.asked.get("ntasks-per-node", "1")
        if "gpus-per-node" in self.asked and n_tasks != "1":
            raise UserError(
                f"each of --slurm ntasks-per-node={n_tasks} would take all GPUs of its node; leave it out, as one task"
                " drives them all, or ask for gpus-per-task=1 in place of gpus-per-node"
            )
        if not _TIME.fullmatch(self.asked["time"]):
            time = self.asked["time"]
            raise UserError(f"--slurm time={time} must read as SLURM has it, such as 12:00:00 or 1-12:00:00")
        if not re.fullmatch(r"[1-9]\d*", self.asked["nodes"]):
            raise UserError(f"--slurm nodes={self.asked['nodes']} must be a whole number from 1; a job keeps its nodes")

    @property
    def script(self) -> str:
        """What sbatch reads."""
        asked = {"ntasks-per-node": "1", **self.asked}
        told = {
            "job-name": f"train-{self.folder.name}",
            **asked,
            "signal": f"USR1@{self.warning}",
            "open-mode": "append",
            "output": str(self.folder / "slurm-%j.log"),
        }
        lines = [*(f"#SBATCH --{name}={value}" for name, value in told.items()), "#SBATCH --requeue"]
        requeue = _REQUEUE if self.n_chained == 1 else ""
        return _SCRIPT.format(directives="\n".join(lines), command=shlex.join(self.command), requeue=requeue)

    def send(self) -> list[str]:
        """Write the script into the folder, and send the job; return the numbers of the jobs.

        Raises:
            UserError: The folder cannot be written, or sbatch refuses.
        """
        file = self.folder / "train.sbatch"
        with explaining_errors(file):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(file, self.script.encode())
        numbers: list[str] = []
        for _ in range(self.n_chained):
            after = [f"--dependency=afterany:{numbers[-1]}"] if numbers else []
            numbers.append(_sbatch(["--parsable", *after, str(file)]))
        return numbers


_EXAMPLES = {"nodes": "nodes=4", "time": "time=12:00:00"}


def parse_asked(words: Sequence[str]) -> dict[str, str]:
    """Read what is asked for, `KEY=VALUE` each.

    Raises:
        UserError: One does not read so, or comes twice.
    """
    asked: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not (re.fullmatch(r"[a-z][a-z-]*", name) and sign and value) or re.search(r"\s", value):
            raise UserError(f"--slurm {word} must read KEY=VALUE, as sbatch has it without dashes: --slurm nodes=4")
        if name in asked:
            raise UserError(f"--slurm {name} is given twice; give it once")
        asked[name] = value
    return asked


def _sbatch(words: Sequence[str]) -> str:
    """Send a job; return its number."""
    try:
        sent = subprocess.run(["sbatch", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(
            "sbatch is not here; run weatherml submit where jobs are sent from, or with --dry-run and send it yourself"
        ) from None
    if sent.returncode:
        raise UserError(f"sbatch refused: {' '.join(sent.stderr.split())}; change what --slurm asks for")
    return sent.stdout.split(";")[0].strip()
