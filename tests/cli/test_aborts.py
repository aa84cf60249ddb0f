"""Laws of what goes wrong around the work: one line, and the exit code that the documentation names."""

import json
import os
import re
import subprocess
import sys

RUN_EACH = """
import json, sys
from typer.testing import CliRunner
from weatherml.cli.app import app
for words in json.loads(sys.argv[1]):
    result = CliRunner().invoke(app, words)
    loaded = [name for name in ("jax", "flax", "optax", "grain") if name in sys.modules]
    print(json.dumps({"code": result.exit_code, "stderr": result.stderr, "loaded": loaded}))
"""


def words_of(verb, run, folder):
    """Return the command line of a verb on the tiny run."""
    made = {"output": ("-o", folder / "made")}
    forecast = ("--analysis", run.store, "--init", "2000-01-12", "--set", "lead_time=6h", *made["output"])
    return {
        "demo": ("demo", run.config, *made["output"]),
        "train": ("train", run.config, "-o", folder / "run"),
        "forecast": ("forecast", run.checkpoint, *forecast),
        "calibrate": ("calibrate", run.checkpoint, *forecast[:4], "--lead", "6h", "-o", folder / "made.yaml"),
        "export": ("export", run.checkpoint, "-o", folder / "made.onnx"),
        "evaluate": ("evaluate", run.forecast, run.store),
        "check": ("check", run.store),
        "info": ("info", run.checkpoint),
        "info of a forecast": ("info", run.forecast),
        "plot": ("plot", run.forecast, "--channel", "z500", "-o", folder / "made.png"),
        "convert": ("convert", run.forecast, "-o", folder / "made.nc"),
    }[verb]


def run_each(*verbs, **environment):
    """Run verbs one after the other in one process; return exit code, standard error and heavy modules after each."""
    command = [sys.executable, "-c", RUN_EACH, json.dumps([list(map(str, words)) for words in verbs])]
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert (process.returncode, process.stderr) == (0, "")
    return [json.loads(line) for line in process.stdout.splitlines()]


def test_verbs_that_compute_no_step_need_no_device_and_no_jax(tiny_run, tmp_path):
    verbs = ("info", "info of a forecast", "check", "evaluate", "plot", "convert")
    for verb, ended in zip(verbs, each(verbs, tiny_run, tmp_path, JAX_PLATFORMS="cuda"), strict=True):
        assert ended == {"code": 0, "stderr": "", "loaded": []}, verb


def test_no_device_is_one_line(tiny_run, tmp_path):
    tiny_run.copy_to(tmp_path / "run", without=("training", "forecast.zarr", "report.html"))
    verbs = ("demo", "train", "forecast", "calibrate", "export")
    for verb, ended in zip(verbs, each(verbs, tiny_run, tmp_path, JAX_PLATFORMS="cuda"), strict=True):
        assert ended["code"] == 2, (verb, ended)
        assert re.fullmatch(r"weatherml: JAX finds no device for JAX_PLATFORMS=cuda .*unset it.*\n", ended["stderr"])


def each(verbs, run, folder, **environment):
    return run_each(*(words_of(verb, run, folder) for verb in verbs), **environment)
