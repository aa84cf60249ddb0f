"""One training step on eight devices that share samples, weights, fields, members: the same, however they do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spatial_problems import PROBLEMS, Problem
from ten_steps import differences, memory_in_parts, ten_steps

from weatherml.grid import LatLonGrid
from weatherml.models.fourcastnet import FourCastNetConfig
from weatherml.parallel import MeshConfig

N_DEVICES = 8
FSDP, DATA = {"fsdp": 8}, {"data": 8}
LAYOUTS = [
    ("fourcastnet", DATA),
    ("sfno", FSDP),
    ("pangu", {"tensor": 4}),
    ("fourcastnet", {"fsdp": 2, "spatial": 2}),
    ("fourcastnet", {"member": 2, "tensor": 2}),
]
"""All networks in all layouts: benchmarks/layouts.md."""


# Of many weights and few points, so that what is held of weights is nearly all that is held.
WIDE = Problem(FourCastNetConfig(patch=2, width=128, depth=2, n_blocks=4), LatLonGrid.regular(4, 8, poles=False), "mse")


def compare():
    """Print what differs from one device, in every layout."""
    alone = {name: ten_steps(name, problem, MeshConfig(), 1) for name, problem in PROBLEMS.items()}
    compared = [_compared(name, sizes, alone[name]) for name, sizes in LAYOUTS]
    print(
        json.dumps(
            {"compared": compared, "in parts": [memory_in_parts(WIDE, MeshConfig(**FSDP), 8, k) for k in (1, 2)]}
        )
    )


def _compared(name, sizes, alone):
    ours = ten_steps(name, PROBLEMS[name], MeshConfig(**sizes), N_DEVICES)
    shares = {part: ours[part] / alone[part] for part in ("state", "activations")}
    gathered = sum(one.times * one.n_bytes for one in ours["exchanges"] if one.kind == "all-gather")
    messages = [(one.kind, one.times, one.n_bytes / ours["weights"].nbytes) for one in ours["exchanges"]]
    told = {"gathered": gathered / ours["weights"].nbytes, "messages": messages}
    return differences(ours, alone) | shares | told


@pytest.fixture(scope="module")
def printed():
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={N_DEVICES} --xla_backend_optimization_level=0"}
    places = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])}
    command = [sys.executable, "-c", "import test_layouts; test_layouts.compare()"]
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | flags | places)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.fixture(scope="module")
def comparison(printed):
    return printed["compared"]


@pytest.mark.parametrize("layout", range(len(LAYOUTS)), ids=map(str, LAYOUTS))
def test_ten_steps_are_those_of_one_device(comparison, layout):
    for what in ("losses", "gradient", "weights"):
        assert comparison[layout][what] < 1e-5, what


def test_weights_average_and_moments_are_kept_in_parts(comparison):
    assert comparison[LAYOUTS.index(("sfno", FSDP))]["state"] < 1.2 / N_DEVICES


def test_devices_gather_weights_once_and_no_samples(comparison):
    told = comparison[LAYOUTS.index(("sfno", FSDP))]
    assert 0.9 < told["gathered"] < 1.1
    assert told["activations"] < 1.5 / N_DEVICES


def test_gradients_of_weights_in_parts_are_summed_in_parts(comparison):
    sent = comparison[LAYOUTS.index(("sfno", FSDP))]["messages"]
    sums = {kind: sum(times * size for own, times, size in sent if own == kind) for kind, *_ in sent}
    assert sums["reduce-scatter"] == pytest.approx(1 / N_DEVICES, rel=0.1)
    assert sums["all-reduce"] < 0.05  # of vectors, which lie whole
    assert len(sent) < 30  # one for each choice of factors of 8 that cut some weight; of weights there are eighty


def test_parts_of_a_batch_hold_no_more_of_weights_than_it_does_at_once(printed):
    at_once, in_parts = printed["in parts"]
    assert in_parts < 1.15 * at_once


def test_devices_that_share_samples_alone_send_one_message(comparison):
    ((kind, times, size),) = comparison[LAYOUTS.index(("fourcastnet", DATA))]["messages"]
    assert (kind, times) == ("all-reduce", 1)
    assert size == pytest.approx(1, abs=0.01)
