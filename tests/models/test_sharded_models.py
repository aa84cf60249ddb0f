"""Every network on eight devices: the batch is spread, the weights are everywhere, and nothing else changes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from small_models import SMALL
from test_every_model import objective_of, relative_error

from weatherml.models.weights import weights_of, with_weights
from weatherml.parallel import data_mesh, replicate, shard_batch

TESTS = Path(__file__).resolve().parents[1]
N_DEVICES = 8


def print_errors():
    print(json.dumps({name: errors_of_sharding(small) for name, small in SMALL.items()}))


def errors_of_sharding(small):
    """Return the relative errors of the output and of the gradient, which are those of one compiled program."""
    network, rng, fields = small.abstract(), np.random.default_rng(2), small.fields(N_DEVICES)
    # Weights from numpy: those of jax would take longer to compile than all the rest.
    weights = {name: jnp.asarray(rng.normal(0, 0.2, a.shape), a.dtype) for name, a in weights_of(network).items()}
    evaluate, vector, _ = objective_of(with_weights(network, weights))
    spread = shard_batch(fields, data_mesh())
    assert len({shard.device for shard in spread[0].addressable_shards}) == N_DEVICES
    (_, expected), expected_gradient = evaluate(vector, *fields)
    (_, output), gradient = evaluate(replicate(vector, data_mesh()), *spread)
    return {
        "output": float(relative_error(output, expected)),
        "gradient": float(relative_error(gradient, expected_gradient)),
    }


@pytest.fixture(scope="module")
def errors():
    """Return the errors of all networks, from one process that sees eight devices."""
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={N_DEVICES}"}
    places = {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS / "models")])}
    command = [sys.executable, "-c", "import test_sharded_models; test_sharded_models.print_errors()"]
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | flags | places)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("name", SMALL)
def test_sharded_output_equals_unsharded(errors, name):
    assert errors[name]["output"] < 3e-6


@pytest.mark.parametrize("name", SMALL)
def test_sharded_gradient_equals_unsharded(errors, name):
    assert errors[name]["gradient"] < 1e-5
