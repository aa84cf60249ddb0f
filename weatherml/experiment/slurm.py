"""A training as a job of SLURM: warned before its time is up, queued again, and gone on with where it was."""

import re
import shlex
import signal
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
_NO_SLURM = re.compile("DNS SRV|slurm.conf|configuration|contact|connect|authentication|munge", re.IGNORECASE)
"""What sbatch says where no SLURM is set up, or its controller does not answer."""
_MOST_RESTARTS = 50
"""A job that is queued again this often without an end has something else the matter."""
_LAST = 600
"""Seconds that tasks have to end after the first: to save, and to notice that a process was lost."""
_EARLY = 60
"""Seconds by which SLURM may warn earlier than it was told to, as it looks now and then."""
_KILLED = {code: 128 + code for code in (signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)}
"""What srun returns of a task that a signal has ended. It is more than the codes of the others, which it hides."""

_SCRIPT = """\
#!/bin/bash
# Written by weatherml submit: sbatch it again whenever the training is to go on.
{directives}
set -uo pipefail

# Where the processes meet: a port of the first node, by the job, so that jobs on one node do not meet each other.
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export JAX_COORDINATOR_ADDRESS="$first:$((61440 + SLURM_JOB_ID % 4096))"

# A step has the cores of a task only where it is told again.
[ -z "${{SLURM_CPUS_PER_TASK:-}}" ] || export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"

# Tasks that still save when the first has ended do so in peace.
srun --kill-on-bad-exit=0 --wait={last} {command}
code=$?
{requeue}exit $code
"""
_REQUEUE = f"""\
# {STOPPED}: warned, and saved. {LOST}: a process was lost. Others: one was killed. All go on from the latest snapshot.
case $code in
{"|".join(map(str, (STOPPED, LOST, *_KILLED.values())))})
  if [ "${{SLURM_RESTART_COUNT:-0}}" -lt {_MOST_RESTARTS} ]; then scontrol requeue "$SLURM_JOB_ID"; fi ;;
esac
"""


@dataclass(frozen=True)
class SlurmJob:
    """A job that trains.

    Attributes:
        command: Its words.
        folder: Of the run, where the script and the log go.
        asked: What sbatch is asked for, without the dashes: `nodes`, `gpus-per-node`, `time`, `partition`, ...; empty
            of flags that take no value, such as `exclusive`.
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
        self._require_whole_nodes()
        self._require_time()

    def _require_whole_nodes(self) -> None:
        n_tasks = self.asked.get("ntasks-per-node", "1")
        if "gpus-per-node" in self.asked and n_tasks != "1":
            raise UserError(
                f"each of --slurm ntasks-per-node={n_tasks} would take all GPUs of its node; leave it out, as one task"
                " drives them all, or ask for gpus-per-task=1 in place of gpus-per-node"
            )
        if not re.fullmatch(r"[1-9]\d*", self.asked["nodes"]):
            raise UserError(f"--slurm nodes={self.asked['nodes']} must be a whole number from 1; a job keeps its nodes")

    def _require_time(self) -> None:
        """Require a time that holds more than the warning before its end."""
        time = self.asked["time"]
        if not _TIME.fullmatch(time):
            raise UserError(f"--slurm time={time} must read as SLURM has it, such as 12:00:00 or 1-12:00:00")
        seconds = _seconds(time)
        if 0 < seconds <= self.warning + _EARLY:
            raise UserError(
                f"--warning {self.warning} leaves nothing of the {seconds} s of --slurm time={time}, as SLURM warns"
                f" up to {_EARLY} s earlier; ask for more time, or a shorter warning"
            )

    @property
    def script(self) -> str:
        """What sbatch reads."""
        asked = {"ntasks-per-node": "1", **self.asked}
        told = {
            "job-name": f"train-{self.folder.name}",
            **asked,
            "signal": f"USR1@{self.warning}",
            "open-mode": "append",
            "output": f"{str(self.folder).replace('%', '%%')}/slurm-%j.log",
        }
        lines = [f"#SBATCH --{name}{value and '='}{value and shlex.quote(value)}" for name, value in told.items()]
        lines.append("#SBATCH --requeue")
        requeue = _REQUEUE if self.n_chained == 1 else ""
        return _SCRIPT.format(
            directives="\n".join(lines), command=shlex.join(self.command), last=_LAST, requeue=requeue
        )

    def send(self) -> list[str]:
        """Write the script into the folder, and send the job; return the numbers of the jobs.

        Raises:
            UserError: The folder cannot be written, or sbatch refuses; where it sent nothing, no script is left.
        """
        file = self.folder / "train.sbatch"
        before = file.read_bytes() if file.exists() else None
        with explaining_errors(file):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(file, self.script.encode())
        numbers: list[str] = []
        try:
            for _ in range(self.n_chained):
                after = [f"--dependency=afterany:{numbers[-1]}"] if numbers else []
                numbers.append(_sbatch(["--parsable", *after, str(file)]))
        except UserError:
            if not numbers:
                _put_back(file, before)
            raise
        return numbers


def _seconds(time: str) -> int:
    """Return the seconds of a time as SLURM has it; 0 has no end."""
    days, is_in_days, clock = time.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if is_in_days or len(parts) == 3:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
    else:
        hours, (minutes, seconds) = 0, (*parts, 0)[:2]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def _put_back(file: Path, content: bytes | None) -> None:
    """Make a file what it was; None where there was none."""
    if content is None:
        file.unlink()
    else:
        write_bytes(file, content)


_EXAMPLES = {"nodes": "nodes=4", "time": "time=12:00:00"}


def parse_asked(words: Sequence[str]) -> dict[str, str]:
    """Read what is asked for: `KEY=VALUE` each, or `KEY` of a flag.

    Raises:
        UserError: One does not read so, or comes twice.
    """
    asked: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not re.fullmatch(r"[a-z][a-z-]*", name) or bool(sign) != bool(value):
            raise UserError(
                f"--slurm {word} must read KEY=VALUE, or KEY of a flag, as sbatch has it without dashes: --slurm"
                " nodes=4"
            )
        if not value.isprintable():
            raise UserError(f"--slurm {name}={value!r} must be one line of printable characters")
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
        told = " ".join(sent.stderr.split())
        if _NO_SLURM.search(told):
            raise UserError(f"SLURM does not answer here ({told}); run weatherml submit where sinfo lists its nodes")
        raise UserError(f"sbatch refused: {told}; change what --slurm asks for")
    return sent.stdout.split(";")[0].strip()
