"""Laws of the verb `submit`: what a job says, and what it refuses before it waits in a queue."""

import stat
import subprocess

import pytest
from tiny_experiment import done, refused

ASKED = ["--slurm", "nodes=4", "--slurm", "gpus-per-node=8", "--slurm", "time=12:00:00"]


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """Put a program in the place of sbatch that notes its words and numbers jobs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "sbatch"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/words\nwc -l < {folder}/words\n')
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "words"


def job(*words):
    return done("submit", *words, "--dry-run")


def test_a_job_is_warned_on_its_steps_and_queued_again(tiny_run, tmp_path):
    script = job(tiny_run.config, "title=A wave", "-o", tmp_path / "run", *ASKED, "--warning", "300")
    for line in ("nodes=4", "gpus-per-node=8", "time=12:00:00", "ntasks-per-node=1", "signal=USR1@300", "requeue"):
        assert f"#SBATCH --{line}\n" in script
    assert f"weatherml train {tiny_run.config} 'title=A wave' -o {tmp_path / 'run'}\n" in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("code", "restarts", "requeues"), [(75, 0, True), (76, 3, True), (0, 0, False), (2, 0, False), (75, 50, False)]
)
def test_what_goes_on_is_queued_again_and_what_failed_is_not(tiny_run, tmp_path, code, restarts, requeues):
    script = job(tiny_run.config, "-o", tmp_path / "run", *ASKED)
    for name, does in {"srun": f"exit {code}", "scontrol": 'echo "$1" "$JAX_COORDINATOR_ADDRESS"; echo node7'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    told = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "4099", "SLURM_JOB_NODELIST": "node[7-9]"}
    environment = told | {"SLURM_RESTART_COUNT": str(restarts)}
    ended = subprocess.run(["bash"], input=script, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert ("requeue" in ended.stdout) == requeues, ended


def test_chained_jobs_wait_for_each_other_and_are_not_queued_again(tiny_run, sbatch):
    assert done("submit", tiny_run.config, "-o", tiny_run.folder, *ASKED, "--chain", "3").split() == ["1", "2", "3"]
    script = tiny_run.folder / "train.sbatch"
    first, *others = sbatch.read_text().splitlines()
    assert first == f"--parsable {script}"
    assert others == [f"--parsable --dependency=afterany:{number} {script}" for number in (1, 2)]
    assert "scontrol requeue" not in script.read_text()
    script.unlink()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "a job needs --slurm nodes=..., such as nodes=4"),
        (["--slurm", "nodes=4"], "a job needs --slurm time=..., such as time=12:00:00"),
        (["--slurm", "nodes=2-4", "--slurm", "time=60"], "--slurm nodes=2-4 must be a whole number from 1"),
        (["--slurm", "nodes=4", "--slurm", "time=1h"], "--slurm time=1h must read as SLURM has it, such as 12:00:00"),
        ([*ASKED, "--slurm", "signal=B:TERM"], "--slurm signal is set by weatherml submit itself; leave it out"),
        ([*ASKED, "--slurm", "ntasks-per-node=8"], "each of --slurm ntasks-per-node=8 would take all GPUs of its node"),
        ([*ASKED, "--slurm", "nodes=5"], "--slurm nodes is given twice"),
        (["--slurm", "--nodes=5"], "--slurm --nodes=5 must read KEY=VALUE, as sbatch has it without dashes"),
    ],
)
def test_what_is_asked_for_is_refused_by_name(tiny_run, words, message):
    assert message in refused("submit", tiny_run.config, "-o", tiny_run.folder, *words)


def test_a_job_is_not_sent_for_data_that_are_not_there(tiny_run, tmp_path, sbatch):
    told = refused("submit", tiny_run.config, "-o", tmp_path / "run", *ASKED)
    assert f"statistics is not done in {tmp_path / 'run'} for this configuration; run weatherml statistics" in told
    assert not sbatch.exists()


def test_where_there_is_no_sbatch_that_is_said(tiny_run, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "sbatch is not here; run weatherml submit where jobs are sent from" in refused(
        "submit", tiny_run.config, "-o", tiny_run.folder, *ASKED
    )
    (tiny_run.folder / "train.sbatch").unlink()


def test_a_configuration_is_needed(tmp_path):
    assert "submit needs a configuration" in refused("submit", "-o", tmp_path, *ASKED)
