"""Laws of what goes wrong around the work: one line, and the exit code that the documentation names."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kills import mortal
from tiny_fourcastnet import CHANNELS, TINY, state_dict, write_moments
from torch_writer import write_weights

from weatherml.cli.exit_codes import in_one_line

RUN_EACH = """
import json, os, sys
from typer.testing import CliRunner
from weatherml.cli.app import app
for name in json.loads(sys.argv[1]):  # once for all that is asked for
    __import__(name)
for asked in sys.stdin:
    hidden, verbs = json.loads(asked)
    if os.fork() == 0:
        sys.modules.update(dict.fromkeys(hidden))
        for words in verbs:
            result = CliRunner().invoke(app, words)
            loaded = [name for name in ("jax", "flax", "optax", "grain") if name in sys.modules]
            print(json.dumps({"code": result.exit_code, "stderr": result.stderr, "loaded": loaded}), flush=True)
        os._exit(0)
    print(json.dumps(os.wait()[1]), flush=True)
"""
HEAVY = ("jax", "flax.nnx", "optax", "grain", "xarray", "zarr", "scipy.stats", "weatherml.data", "weatherml.forecast")


class Program:
    """A process in which verbs run: those that are asked for together in one fork of it, where they end as they end.

    Args:
        loaded: Modules that it loads beforehand.
        environment: What differs from that of the tests.
    """

    def __init__(self, *loaded, **environment):
        command = [sys.executable, "-c", RUN_EACH, json.dumps(loaded)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self._process = subprocess.Popen(command, env=os.environ | environment, **pipes)

    def run(self, *verbs, hidden=()):
        """Return exit code, standard error and heavy modules after each verb; hidden packages are not there."""
        print(json.dumps([hidden, [list(map(str, words)) for words in verbs]]), file=self._process.stdin, flush=True)
        lines = [json.loads(self._process.stdout.readline()) for _ in (*verbs, "end")]
        assert lines.pop() == 0
        return lines

    def end(self):
        assert self._process.communicate() == ("", None)


@pytest.fixture(scope="module")
def program():
    program = Program(*HEAVY)
    yield program
    program.end()


@pytest.fixture(scope="module")
def without_devices():
    program = Program(JAX_PLATFORMS="cuda")
    yield program
    program.end()


def words_of(verb, run, folder):
    """Return the command line of a verb on the tiny run."""
    made = {"output": ("-o", folder / "made")}
    forecast = ("--analysis", run.store, "--init", "2000-01-12", "--set", "lead_time=6h", *made["output"])
    return {
        "demo": ("demo", run.config, *made["output"]),
        "ingest": ("ingest", run.config, "-o", folder / "new"),
        "statistics": ("statistics", run.config, "-o", folder / "run"),
        "train": ("train", run.config, "-o", folder / "run"),
        "forecast": ("forecast", run.checkpoint, *forecast),
        "calibrate": ("calibrate", run.checkpoint, *forecast[:4], "--lead", "6h", "-o", folder / "made.yaml"),
        "import": ("import", "fourcastnet", *published(run.config.parent), *made["output"]),
        "export": ("export", run.checkpoint, "-o", folder / "made.onnx"),
        "evaluate": ("evaluate", run.forecast, run.store),
        "check": ("check", run.store),
        "info": ("info", run.checkpoint),
        "info of a forecast": ("info", run.forecast),
        "plot": ("plot", run.forecast, "--channel", "z500", "-o", folder / "made.png"),
        "info of a URL": ("info", "http://127.0.0.1:9/f.zarr"),
        "convert to GRIB": ("convert", run.forecast, "-o", folder / "made.grib2"),
        "convert to zarr": ("convert", run.forecast, "-o", folder / "made.zarr"),
        "convert": ("convert", run.forecast, "-o", folder / "made.nc"),
    }[verb]


def published(folder):
    """Return what names a file of weights as published, and its statistics."""
    file = folder / "tiny.ckpt"
    if not file.exists():
        write_weights(file, state_dict(TINY, 6, 6, (4, 8)))
    means, stds = write_moments(folder, 6)
    return file, "--means", means, "--stds", stds, "--channels", ",".join(CHANNELS)


def each(program, verbs, run, folder, **options):
    return program.run(*(words_of(verb, run, folder) for verb in verbs), **options)


def test_verbs_that_compute_no_step_need_no_device_and_no_jax(without_devices, tiny_run, tmp_path):
    verbs = ("info", "info of a forecast", "check", "evaluate", "plot", "convert")
    for verb, ended in zip(verbs, each(without_devices, verbs, tiny_run, tmp_path), strict=True):
        assert ended == {"code": 0, "stderr": "", "loaded": []}, verb


def test_no_device_is_one_line(without_devices, tiny_run, tmp_path):
    tiny_run.copy_to(tmp_path / "run", without=("training", "forecast.zarr", "report.html"))
    verbs = ("demo", "train", "forecast", "calibrate", "export")
    for verb, ended in zip(verbs, each(without_devices, verbs, tiny_run, tmp_path), strict=True):
        assert ended["code"] == 2, (verb, ended)
        assert re.fullmatch(r"weatherml: JAX finds no device for JAX_PLATFORMS=cuda .*unset it.*\n", ended["stderr"])


def assert_each_is_one_line(verbs, ended, pattern):
    for verb, end in zip(verbs, ended, strict=True):
        assert end["code"] == 2, (verb, end)
        assert re.fullmatch(rf"weatherml: .*{pattern}.*\n", end["stderr"]), (verb, end)


def test_a_full_disk_is_one_line(program, tiny_run, small_disk):
    tiny_run.copy_to(small_disk.folder / "run", without=("training", "forecast.zarr", "report.html"))
    small_disk.fill(0)
    verbs = ("ingest", "train", "import", "forecast", "calibrate", "export", "plot", "convert", "convert to GRIB")
    ended = each(program, verbs, tiny_run, small_disk.folder)
    (small_disk.folder / "run" / "statistics.nc").unlink()
    small_disk.fill(0)
    verbs, ended = (*verbs, "statistics"), ended + each(program, ["statistics"], tiny_run, small_disk.folder)
    assert_each_is_one_line(verbs, ended, "(No space left|full|free).*; make room")


def test_a_read_only_disk_is_one_line(program, tiny_run, small_disk):
    small_disk.protect()
    verbs = ("ingest", "import", "forecast", "calibrate", "plot", "convert to zarr")
    ended = each(program, verbs, tiny_run, small_disk.folder)
    assert_each_is_one_line(verbs, ended, "(Read-only file system|is not writable).*; .*choose another")


def test_an_output_below_a_file_is_one_line(program, tiny_run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    verbs = ("ingest", "import", "forecast", "export", "convert", "convert to GRIB")
    ended = each(program, verbs, tiny_run, tmp_path / "file")
    assert_each_is_one_line(verbs, ended, "(Not a directory|is a file|File exists).*; .*choose another")


@pytest.mark.parametrize(
    ("verbs", "hidden", "extra"),
    [
        (("plot", "demo"), ["cartopy", "matplotlib"], "plot"),
        (("convert to GRIB",), ["eccodes", "cfgrib", "gribapi"], "grib"),
        (("export",), ["onnx"], "export"),
        (("info of a URL",), ["obstore", "aiohttp"], "remote"),
    ],
)
def test_a_missing_extra_is_one_line_that_names_it(program, tiny_run, tmp_path, verbs, hidden, extra):
    assert_each_is_one_line(verbs, each(program, verbs, tiny_run, tmp_path, hidden=hidden), rf"(\[{extra}\]|'{extra}')")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("--help",), ("info", "STORE"), ("info", "STORE", "--json"), ("check", "STORE")])
def test_a_reader_that_leaves_ends_the_program_quietly(tiny_run, words):
    command = [Path(sys.executable).with_name("weatherml"), *(tiny_run.store if w == "STORE" else w for w in words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert (process.wait(timeout=60), process.stderr.read()) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", [("info", "--names"), ("info", "--names", "--json")])
def test_output_that_cannot_be_written_is_one_line(words):
    command = [Path(sys.executable).with_name("weatherml"), *words]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    told = "weatherml: the output cannot be written (No space left on device); make room where it goes, or send it"
    assert done.returncode == 2 and done.stderr.startswith(told) and done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="closes streams by a shell")
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_stop_nothing(closed):
    command = ["sh", "-c", f'"$@" {closed}', "sh", Path(sys.executable).with_name("weatherml"), "info", "--names"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_in_a_forecast_is_one_line_and_leaves_what_the_same_command_goes_on_with(tiny_run, tmp_path):
    ensemble = ("--lead", "6h", "--members", "5000", "--perturbation", "spherical", "--set", "batch=1")  # for minutes
    words = ("forecast", tiny_run.checkpoint, "--analysis", tiny_run.store, "--init", "2000-01-12", *ensemble)
    command = [Path(sys.executable).with_name("weatherml"), *words, "-o", tmp_path / "f.zarr"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=mortal(), **pipes)
    begun = tmp_path / ".f.zarr.partial" / "run.json"
    while process.poll() is None and not begun.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert stderr == "weatherml: interrupted; run the same command again to go on\n"
    assert begun.exists() and not (tmp_path / "f.zarr").exists()


def test_a_training_that_is_terminated_before_its_first_step_says_so(tiny_run, tmp_path):
    """As clusters end jobs: wherever the training is, in this process or in that of a phase."""
    command = [Path(sys.executable).with_name("weatherml"), "train", tiny_run.config, "-o", tmp_path / "run"]
    process = subprocess.Popen(command, env=mortal(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "run").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (75, "")
    assert stderr.endswith("weatherml: asked to stop; run the same command again to go on\n")


def test_a_file_that_ends_too_early_is_no_interruption():
    """What runs verbs takes it for one, and would say no more than "Aborted."."""
    with pytest.raises(RuntimeError, match="a file ended before it was read"), in_one_line():
        raise EOFError
