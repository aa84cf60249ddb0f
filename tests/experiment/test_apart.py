"""Laws of phases in processes of their own: whatever ends one, the program hears of it, and nothing is left running."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tiny_experiment import CONFIG, write_config

from weatherml.config import apply_overrides, from_mapping
from weatherml.errors import UserError
from weatherml.experiment import ExperimentConfig, perform_apart
from weatherml.experiment.results import Results

LONG = {"stages": [{"n_steps": 100_000, "learning_rate": 0.001}], "batch_size": 4, "log_every": 20}


def results(folder, *overrides):
    return Results(from_mapping(ExperimentConfig, apply_overrides(CONFIG, overrides)), folder)


def until(happened, seconds=120):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def training(tiny_run, tmp_path):
    """Return a program that trains without end, in a process group of its own, as a terminal starts it."""
    run = tiny_run.copy_to(tmp_path / "run", ("training", "forecast.zarr"))
    config = write_config(tmp_path / "long.yaml", training=LONG)
    words = [Path(sys.executable).with_name("weatherml"), "demo", config, "-o", run]
    program = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    metrics = run / "training" / "metrics.jsonl"
    until(lambda: program.poll() is not None or (metrics.exists() and metrics.read_text()))
    yield program
    if is_alive(program.pid):
        os.killpg(program.pid, signal.SIGKILL)


def is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_clusters_send_to_all_processes_is_one_request_and_one_line(training):
    os.killpg(training.pid, signal.SIGUSR1)
    stdout, stderr = training.communicate(timeout=60)
    assert (training.returncode, stdout) == (75, ""), stderr
    assert re.fullmatch(r"weatherml: stopped at step \d+ of 100000; run it again to go on\n", stderr)
    until(lambda: not is_alive(training.pid), 10)


def test_a_killed_program_leaves_nothing_running(training):
    training.kill()
    training.wait()
    until(lambda: not is_alive(training.pid), 20)


def test_a_mistake_of_the_user_arrives_as_such(tmp_path):
    files = "source={name: files, paths: [nowhere.nc]}"
    with pytest.raises(UserError, match=r"nowhere\.nc"):
        perform_apart("ingest", "", results(tmp_path / "run", files), print)


def test_a_mistake_of_ours_arrives_with_its_traceback(tmp_path):
    with pytest.raises(KeyError, match="dance") as caught:
        perform_apart("dance", "", results(tmp_path / "run"), print)
    assert "weatherml/experiment/running/work.py" in "".join(caught.value.__notes__)


def test_a_process_that_was_killed_is_told_of_in_one_line(tiny_run, tmp_path):
    folder = tiny_run.copy_to(tmp_path / "run", ("training",))
    settings = results(folder, "training.stages=[{n_steps: 100000, learning_rate: 0.001}]")

    def kill():
        until(lambda: (folder / "training" / "metrics.jsonl").exists())
        multiprocessing.active_children()[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(UserError, match=r"the process of train was ended by SIGKILL; .* run the same command again"):
        perform_apart("train", "", settings, lambda *_: None)
    killer.join()


def test_what_a_phase_warns_of_is_a_plain_line(tiny_run, tmp_path):
    folder = tiny_run.copy_to(tmp_path / "run", ("last", "forecast.zarr"))
    done = json.loads((folder / "phases.json").read_text())
    (folder / "phases.json").write_text(json.dumps({phase: done[phase] for phase in done if phase != "train"}))
    ledger = folder / "training" / "snapshots.json"
    ledger.write_text(ledger.read_text().replace('"step": 6', '"step": 5').replace('"6": {', '"5": {'))
    snapshot = (folder / "training" / "snapshots" / "6").rename(folder / "training" / "snapshots" / "5")  # not the end
    weights = max(snapshot.rglob("*"), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-1])
    words = [Path(sys.executable).with_name("weatherml"), "train", tiny_run.config, "-o", folder]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (warning,) = (line for line in ended.stderr.splitlines() if "is damaged" in line)
    assert warning.startswith("weatherml: the snapshot of step 5 in ") and warning.endswith("from that of step 3")


def test_progress_and_the_ledger_are_those_of_the_phase(tiny_run, tmp_path):
    told, settings = [], results(tiny_run.copy_to(tmp_path / "run", ("phases.json", "scores.nc")))
    perform_apart("evaluate", "a1", settings, lambda *news: told.append(news))
    assert told[-1][0] == told[-1][1]
    assert settings.ledger.is_done("evaluate", "a1")
    assert settings.path("evaluate").exists()
