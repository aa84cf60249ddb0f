"""Every network on three devices: the batch is spread, the weights are everywhere, and nothing else changes."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from data_parallel import data_layout
from small_models import SMALL
from test_every_model import BATCH, objective_of, relative_error

from weatherml.models.weights import weights_of, with_weights

N_DEVICES = BATCH  # one device is then given the program of test_every_model, which is compiled once for both


def save_sharded(path):
    """Write output and gradient of every network, computed with the batch spread over the devices."""
    np.savez(path, **{f"{name} {what}": one for name in SMALL for what, one in sharded(SMALL[name]).items()})


def problem(small):
    """Return the compiled objective, a vector of weights and a batch."""
    network, rng = small.abstract(), np.random.default_rng(2)
    # Weights from numpy: those of jax would take longer to compile than all the rest.
    weights = {name: jnp.asarray(rng.normal(0, 0.2, a.shape), a.dtype) for name, a in weights_of(network).items()}
    evaluate, vector, _ = objective_of(with_weights(network, weights))
    return evaluate, vector, small.fields(BATCH)


def sharded(small):
    evaluate, vector, fields = problem(small)
    layout = data_layout()
    spread = jax.device_put(fields, layout.activation("sample"))
    assert len({shard.device for shard in spread[0].addressable_shards}) == N_DEVICES
    (_, output), gradient = evaluate(layout.placed(vector), *spread)
    return {"output": output, "gradient": gradient}


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return what a process that sees several devices computes, by network."""
    path = tmp_path_factory.mktemp("sharded") / "together.npz"
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={N_DEVICES}"}
    places = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])}
    command = [sys.executable, "-c", f"import test_sharded_models; test_sharded_models.save_sharded({str(path)!r})"]
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | flags | places)
    assert process.returncode == 0, process.stderr
    return np.load(path)


@pytest.mark.parametrize("name", SMALL)
def test_sharded_output_and_gradient_equal_unsharded(together, name):
    evaluate, vector, fields = problem(SMALL[name])
    (_, output), gradient = evaluate(vector, *fields)
    assert relative_error(together[f"{name} output"], output) < 3e-6
    assert relative_error(together[f"{name} gradient"], gradient) < 1e-5
