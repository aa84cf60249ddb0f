"""A SLURM of one node, this machine, with daemons of its own; for programs that try what is sent to it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmUser=root
ReturnToService=2
SchedulerType=sched/backfill
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm() -> Iterator[Path]:
    """Start one; what is run within finds it by SLURM_CONF. Needs root, slurm-wlm and munge.

    Yields:
        The folder of its logs.
    """
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        raise SystemExit(f"needs root and {' '.join(missing) or 'its rights'}: apt-get install slurm-wlm munge")
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    with ExitStack() as running:
        running.callback(shutil.rmtree, folder, ignore_errors=True)
        _munge(running, folder)
        told = {"host": socket.gethostname(), "folder": folder, "cpus": max(2, os.cpu_count() or 2)}
        ports = {name: _free_port() for name in ("port", "node_port")}
        (folder / "slurm.conf").write_text(_CONF.format(**told, **ports))
        (folder / "state").mkdir()
        (folder / "spool").mkdir()
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        for daemon in ("slurmctld", "slurmd"):
            _daemon(running, [daemon, "-D"], folder / f"{daemon}.out")
        _wait_for(lambda: "idle" in _said("sinfo", "-h", "-o", "%T"), "the node to be idle", 60)
        running.callback(_cancel_all)
        yield folder


def _cancel_all() -> None:
    """Cancel all jobs and wait for their ends: without daemons, their processes would run on for ever."""
    _said("scancel", "--user", "root")
    _wait_for(lambda: not _said("squeue", "-h"), "jobs to end", 60)


def _munge(running: ExitStack, folder: Path) -> None:
    """Start the daemon that signs what the others tell each other, by a key of its own."""
    own = folder / "munge"
    own.mkdir(mode=0o755)
    (own / "key").write_bytes(os.urandom(1024))
    (own / "key").chmod(0o400)
    words = ["munged", "-F", "--force", f"--socket={folder}/munge.socket", f"--key-file={own}/key"]
    words += [f"--pid-file={own}/pid", f"--log-file={own}/log", f"--seed-file={own}/seed"]
    _daemon(running, words, own / "out")
    _wait_for((folder / "munge.socket").exists, "munged", 20)


def _daemon(running: ExitStack, words: list[str], log: Path) -> None:
    process = subprocess.Popen(words, stdout=log.open("w"), stderr=subprocess.STDOUT, start_new_session=True)
    running.callback(_end, process)


def _end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def _wait_for(happened, what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds} s for {what}")
        time.sleep(0.5)


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])
