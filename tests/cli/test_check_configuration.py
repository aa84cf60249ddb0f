"""Laws of checking a configuration before a job is sent: each thing is tried, and what fails says what to do."""

import json
import re
from pathlib import Path

import pytest
from compiled_programs import compiled
from tiny_experiment import CONFIG, refused, weatherml, write_config

from weatherml.checkpoint import Checkpoint
from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.errors.wording import size_of
from weatherml.experiment import ExperimentConfig
from weatherml.parallel import local_devices
from weatherml.parallel.hardware.accelerators import Devices
from weatherml.plan.problem import Problem, parse_grid
from weatherml.plan.readiness import Readiness


def outcomes(*words):
    """Return the exit code, and outcome and words by the name of the thing."""
    ran = weatherml("check", *words, "--json")
    assert ran.stdout, (ran.output, ran.exception)
    return ran.exit_code, {one["name"]: (one["outcome"], one["words"]) for one in json.loads(ran.stdout)}


def test_a_training_that_would_run_is_tried_to_its_first_step_and_leaves_nothing(tiny_run):
    before = sorted(tiny_run.folder.rglob("*"))
    code, found = outcomes(tiny_run.config, "-o", tiny_run.folder, "--devices", "2xcpu")
    assert code == 0 and {outcome for outcome, _ in found.values()} == {"ok"}, found
    assert found["mesh"][1] == "2xcpu: data 2"
    assert found["one step"][1].startswith("loss ")
    assert sorted(tiny_run.folder.rglob("*")) == before


def test_what_is_beside_the_step_does_not_keep_it_from_being_taken(tiny_run):
    """Snapshots that are kept, and a profile of later steps."""
    changes = ("snapshots_kept=20", "profile_steps=2:3")
    code, found = outcomes(tiny_run.config, *(f"training.{change}" for change in changes), "-o", tiny_run.folder)
    assert code == 0 and {outcome for outcome, _ in found.values()} == {"ok"}, found
    n_parameters = sum(weights.size for weights in Checkpoint.load(tiny_run.checkpoint).weights.values())
    # Weights, average and two moments in each of 21, and two checkpoints.
    assert f"snapshots {size_of(4 * (21 * 4 + 2) * n_parameters)} of the disk" in found["memory of a device"][1]


def test_the_step_that_is_tried_is_of_a_training_that_may_be():
    told = from_mapping(
        ExperimentConfig,
        CONFIG | {"training": CONFIG["training"] | {"device_memory": {"accumulate": 4, "offload": ["average"]}}},
    )
    readiness = Readiness(told, None, Devices(1, "cpu"))
    readiness.__dict__["_problem"] = Problem.of(told, None, parse_grid("8x16"))
    small = readiness._small.training
    assert small.batch_size == 2 * len(local_devices()) and small.shares[0].at_once == 2 * (len(local_devices()),)
    assert small.device_memory.accumulate == 2 and not small.device_memory.offload


def test_what_is_told_of_devices_is_told_of_the_stages_of_each_mesh():
    one = {"n_steps": 2, "learning_rate": 0.002}
    stages = [one, one | {"rollout": 12, "batch_size": 2, "mesh": {"fsdp": 2, "spatial": [1, 2]}}, one]
    told = from_mapping(ExperimentConfig, CONFIG | {"training": CONFIG["training"] | {"stages": stages}})
    readiness = Readiness(told, Path.cwd(), Devices(4, "h200"))
    readiness.__dict__["_problem"] = Problem.of(told, None, parse_grid("8x16"))
    assert readiness._mesh() == "4xh200: stages 1, 3: data 4; stage 2: fsdp 2 x lon 2"
    readiness.__dict__["_compiled"] = [compiled(temporary=10**9), compiled(temporary=3 * 10**9)]
    assert re.match(
        r"stages 1, 3: a step takes 1 GB of .*; stage 2: a step takes 3 GB of .*, snap", readiness._device()
    )
    readiness.__dict__["_compiled"][1] = compiled(temporary=3 * 10**12)
    with pytest.raises(UserError, match=r"stage 2: a step takes 3 TB of a device; programs may .* proposes what fits"):
        readiness._device()


@pytest.mark.parametrize(
    ("change", "devices", "thing", "words"),
    [
        ("training.mesh={tensor: 3}", "8xh200", "mesh", "mesh {tensor: 3} takes a multiple of 3 devices, got 8"),
        (
            "training.batch_size=6",
            "8xh200",
            "mesh",
            "batch_size must be a multiple of the number of devices (8), got 6",
        ),
        ("training.mesh={tensor: 3}", "3xcpu", "mesh", "tensor 3 of the mesh divides no part of the network"),
        ("training.stages.0.mesh={spatial: 5}", "5xcpu", "mesh", "stage 1 of 1: spatial 5 x 1 of the mesh: 5 bands of"),
        ("training.profile_steps=6:7", "3xh200", "configuration", "steps 6:7 cannot be profiled"),
        ("training.mesh={spatial: 5}", "5xcpu", "mesh", "5 bands of latitude do not divide rows of patches (6)"),
        ("channels=[z500, t850, v10m]", "cpu", "store", "the data have no 10m_v_component_of_wind"),
    ],
)
def test_what_would_fail_is_told_and_what_needs_it_is_not_tried(tiny_run, change, devices, thing, words):
    code, found = outcomes(tiny_run.config, change, "-o", tiny_run.folder, "--devices", devices)
    assert code == 1
    assert found[thing][0] == "failed" and words in found[thing][1], found
    assert found["one step"][0] == "not tried"


def test_a_run_that_has_no_data_yet_says_which_command_makes_them(tiny_run, tmp_path):
    code, found = outcomes(tiny_run.config, "-o", tmp_path / "run")
    assert code == 1
    told = f"there is no {tmp_path / 'run/data.zarr'}; run weatherml statistics CONFIG -o {tmp_path / 'run'}"
    assert found["store"] == ("failed", f"{told}, which makes it")
    assert found["statistics"] == ("not tried", "mend store first")
    assert found["folder"][0] == "ok" and not (tmp_path / "run").exists()


def test_statistics_of_another_period_are_told(tiny_run, tmp_path):
    periods = {"training": ["2000-01-02", "2000-01-08"], "validation": ["2000-01-09", "2000-01-10"]}
    config = write_config(tmp_path / "other.yaml", periods=periods | {"test": ["2000-01-11", "2000-01-16"]})
    _, found = outcomes(config, "training.mesh={tensor: 3}", "-o", tiny_run.folder)
    assert found["statistics"][0] == "failed" and "not those of this configuration" in found["statistics"][1]


def test_lines_for_people_begin_with_the_outcome(tiny_run, tmp_path):
    lines = weatherml("check", tiny_run.config, "-o", tmp_path / "run").stdout.splitlines()
    assert lines[0] == "ok        configuration       A tiny planet: fourcastnet, 6 optimiser steps in 1 stage"
    assert [line[:10].strip() for line in lines] == ["ok", "ok", "failed", *6 * ["not tried"]]


def test_options_of_files_and_of_configurations_are_told_apart(tiny_run):
    told = refused("check", tiny_run.config, "--files", "--rules")
    assert "--files and --rules are of files and stores, not of a configuration" in told
    assert "--devices are of a configuration; name its YAML file first" in refused(
        "check", tiny_run.store, "--devices", "cpu"
    )
    assert "devices" in refused("check", tiny_run.config, "--devices", "eight")
