"""Laws of a training by several processes of one experiment: one folder, one line where something is amiss."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from several_processes import free_port, run_in_processes
from tiny_experiment import CONFIG

from weatherml.config import from_mapping
from weatherml.errors import StopRequested
from weatherml.experiment import ExperimentConfig
from weatherml.experiment.results import Results
from weatherml.experiment.running.apart import perform_apart
from weatherml.experiment.running.jointly import train_jointly
from weatherml.parallel import Processes, n_processes

PROGRAM = Path(sys.executable).with_name("weatherml")


def start(index, *words, port, n=2, patience=60):
    """Start one process of a training."""
    named = ["--coordinator", f"127.0.0.1:{port}", "--process-id", index, "--n-processes", n, "--patience", patience]
    command = [str(word) for word in (PROGRAM, "train", *words, *named)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ends(programs):
    """Wait for programs; return exit code, output and words of each."""
    told = [program.communicate(timeout=240) for program in programs]
    return [(program.returncode, *words) for program, words in zip(programs, told, strict=True)]


def test_two_programs_train_one_experiment(tiny_run, tmp_path):
    run, port = tiny_run.copy_to(tmp_path / "run", ("training", "forecast.zarr")), free_port()
    programs = [start(index, tiny_run.config, "-o", run, port=port) for index in range(2)]
    first, second = ends(programs)
    assert first[:2] == (0, f"{run / 'training/checkpoints/best'}\n"), first
    assert second == (0, "", "")
    assert re.search(r"^train +done in \d+ s .*\n\Z", first[2], re.MULTILINE) and "Gloo" not in first[2]
    results = Results(from_mapping(ExperimentConfig, CONFIG), run)
    assert results.is_done("train")
    assert [entry["step"] for entry in results.training.metrics()] == [2, 3, 4, 6]
    assert not list(run.glob("*.log")) and not list(run.rglob("*.lock"))


def test_a_process_whose_others_do_not_come_says_so_in_one_line(tiny_run):
    port = free_port()
    ((code, output, words),) = ends([start(0, tiny_run.config, "-o", tiny_run.folder, port=port, n=3, patience=2)])
    told = f"weatherml: not all of 3 processes came to the coordinator 127.0.0.1:{port} within 2 s; start as many"
    assert (code, output) == (2, "") and words.startswith(told) and words.count("\n") == 1, words


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_process_that_waits_for_the_others_hears_signals(tmp_path, number):
    processes, asked = Processes(0, 3, f"127.0.0.1:{free_port()}", 120), []

    def ask():
        assert listens(int(processes.coordinator.rpartition(":")[2]), 60)
        time.sleep(1)
        asked.append(time.monotonic())
        os.kill(os.getpid(), number)

    threading.Thread(target=ask, daemon=True).start()
    results = Results(from_mapping(ExperimentConfig, CONFIG), tmp_path)
    with pytest.raises(KeyboardInterrupt) as stopped:
        perform_apart("train", "inputs", results, lambda *_: None, processes)
    assert time.monotonic() - asked[0] < 30
    assert isinstance(stopped.value, StopRequested) == (number != signal.SIGINT)
    assert not list(tmp_path.iterdir())


def listens(port, wait):
    """Return whether somebody listens at a port of this machine, within some seconds."""
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        with socket.socket() as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.1)
    return False


def meet_in(folders):
    """Run in every process: train in its own folder, as one whose disk lacks what others have."""
    import jax

    results = Results(from_mapping(ExperimentConfig, CONFIG), folders[jax.process_index()])
    train_jointly(results.inputs("train"), results, lambda *_: None)
    return n_processes()


def test_data_that_one_process_lacks_are_told_by_the_first_with_the_machine(tiny_run, tmp_path):
    run = tiny_run.copy_to(tmp_path / "run", ("training", "forecast.zarr"))
    first, second = run_in_processes(meet_in, 2, (run, tmp_path / "elsewhere"))
    assert re.match(r"process 1 of 2 on .*: statistics is not done in .*/elsewhere for this configuration", str(first))
    assert f"run weatherml statistics CONFIG -o {tmp_path / 'elsewhere'} first" in str(first)
    assert (first.is_told, second.is_told) == (False, True)
    assert not (run / "training").exists() and not (tmp_path / "elsewhere").exists()


def test_a_folder_in_which_another_program_is_at_work_is_refused_by_all(tiny_run, tmp_path):
    run = tiny_run.copy_to(tmp_path / "run", ("training", "forecast.zarr"))
    with Results(from_mapping(ExperimentConfig, CONFIG), run).alone():
        first, second = run_in_processes(meet_in, 2, (run, run))
    busy = f"another process is at work in {run}; wait for it, or choose another folder"
    assert str(first) == f"process 0 of 2 on {socket.gethostname()}: {busy}"
    assert second.is_told
