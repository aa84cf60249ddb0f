"""Laws of the verb `submit`: what a job says, and what it refuses before it waits in a queue."""

import shlex
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
    ("code", "restarts", "requeues"),
    [
        *((75, 0, True), (76, 3, True), (0, 0, False), (2, 0, False), (75, 50, False)),
        *((134, 0, True), (137, 0, True), (139, 0, True), (143, 49, True), (137, 50, False), (130, 0, False)),
    ],
)
def test_what_goes_on_is_queued_again_and_what_failed_is_not(tiny_run, tmp_path, code, restarts, requeues):
    script = job(tiny_run.config, "-o", tmp_path / "run", *ASKED)
    ended = in_slurm(tmp_path, script, f"exit {code}", SLURM_RESTART_COUNT=str(restarts))
    assert ended.returncode == code
    assert ("requeue" in ended.stdout) == requeues, ended


def in_slurm(folder, script, srun, **told):
    """Run the script of a job with shell programs in the place of SLURM's."""
    for name, does in {"srun": srun, "scontrol": 'echo "$1" "$JAX_COORDINATOR_ADDRESS"; echo node7'}.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
    told |= {"PATH": f"{folder}:/usr/bin:/bin", "SLURM_JOB_ID": "4099", "SLURM_JOB_NODELIST": "node[7-9]"}
    return subprocess.run(["bash"], input=script, env=told, capture_output=True, text=True, check=False)


def test_a_step_has_the_cores_of_the_job_and_lets_all_tasks_save(tiny_run, tmp_path):
    script = job(tiny_run.config, "-o", tmp_path / "run", *ASKED)
    shows = 'echo "cores ${SRUN_CPUS_PER_TASK-unsaid}"; echo "$1 $2"'
    with_cores = in_slurm(tmp_path, script, shows, SLURM_CPUS_PER_TASK="32").stdout
    assert with_cores == "cores 32\n--kill-on-bad-exit=0 --wait=600\n"
    assert "cores unsaid\n" in in_slurm(tmp_path, script, shows).stdout


def test_folders_and_values_may_hold_spaces_and_flags_need_none(tiny_run, tmp_path):
    folder = tmp_path / "my 5% 'run'"
    script = job(tiny_run.config, "-o", folder, *ASKED, "--slurm", "comment=a b # c", "--slurm", "exclusive")
    told = [
        shlex.split(line.removeprefix("#SBATCH "), comments=True) for line in script.splitlines() if "#SBATCH" in line
    ]
    assert all(len(words) == 1 for words in told), told
    words = [word for (word,) in told]
    assert {"--exclusive", "--comment=a b # c", "--job-name=train-my 5% 'run'"} <= set(words)
    assert f"--output={tmp_path}/my 5%% 'run'/slurm-%j.log" in words


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
        (["--slurm", "--nodes=5"], "--slurm --nodes=5 must read KEY=VALUE, or KEY of a flag, as sbatch has it"),
        ([*ASKED, "--slurm", "comment="], "--slurm comment= must read KEY=VALUE, or KEY of a flag"),
        ([*ASKED, "--slurm", "comment=a\nb"], "--slurm comment='a\\nb' must be one line"),
        (["--slurm", "nodes", "--slurm", "time=60"], "--slurm nodes= must be a whole number from 1"),
    ],
)
def test_what_is_asked_for_is_refused_by_name(tiny_run, words, message):
    assert message in refused("submit", tiny_run.config, "-o", tiny_run.folder, *words)


@pytest.mark.parametrize(
    ("time", "warning", "seconds"),
    [("1", 300, 60), ("10:30", 600, 630), ("0:05:00", 240, 300), ("0-1", 3600, 3600), ("1-0:10", 90000, 87000)],
)
def test_a_warning_that_leaves_no_time_is_refused(tiny_run, time, warning, seconds):
    words = ["--slurm", "nodes=1", "--slurm", f"time={time}", "--warning", warning]
    told = refused("submit", tiny_run.config, "-o", tiny_run.folder, *words, "--dry-run")
    assert f"--warning {warning} leaves nothing of the {seconds} s of --slurm time={time}, as SLURM warns" in told
    for longer in ("0", "2-0"):
        assert f"--time={longer}\n" in job(tiny_run.config, "--slurm", "nodes=1", "--slurm", f"time={longer}")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("error: resolve_ctls_from_dns_srv: DNS SRV lookup failed", "SLURM does not answer here (error: resolve_ctls"),
        ("error: Invalid account", "sbatch refused: error: Invalid account; change what --slurm asks for"),
    ],
)
def test_what_sbatch_refuses_is_told_with_what_mends_it_and_leaves_no_script(tiny_run, sbatch, said, message):
    sbatch.with_name("sbatch").write_text(f"#!/bin/sh\necho '{said}' >&2; exit 1\n")
    script = tiny_run.folder / "train.sbatch"
    assert message in refused("submit", tiny_run.config, "-o", tiny_run.folder, *ASKED)
    assert not script.exists()
    script.write_text("of before")
    refused("submit", tiny_run.config, "-o", tiny_run.folder, *ASKED)
    assert script.read_text() == "of before"
    script.unlink()


def test_a_job_is_not_sent_for_data_that_are_not_there(tiny_run, tmp_path, sbatch):
    told = refused("submit", tiny_run.config, "title=A wave", "-o", tmp_path / "run", *ASKED)
    command = f"weatherml statistics {tiny_run.config} 'title=A wave' -o {tmp_path / 'run'}"
    assert f"run {command} first: one process does it, and a job would keep all its nodes waiting" in told
    assert not sbatch.exists()


def test_where_there_is_no_sbatch_that_is_said(tiny_run, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "sbatch is not here; run weatherml submit where jobs are sent from" in refused(
        "submit", tiny_run.config, "-o", tiny_run.folder, *ASKED
    )
    assert not (tiny_run.folder / "train.sbatch").exists()


def test_a_configuration_is_needed(tmp_path):
    assert "submit needs a configuration" in refused("submit", "-o", tmp_path, *ASKED)
