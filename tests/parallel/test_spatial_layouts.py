"""One field on several devices: nothing changes but what each of them holds, and none ever holds all of it."""

import json
import os
import subprocess
import sys
from math import prod
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from docs_page import run_python
from spatial_problems import PROBLEMS

from weatherml.models import registry
from weatherml.parallel import Layout, MeshConfig
from weatherml.parallel.programs.compiled import collectives_of, memory_of
from weatherml.training.objective.physics import EnergyTerm

SPATIAL = (2, 4)
NO_OPTIMISATION = "--xla_backend_optimization_level=0"  # of machine code alone: twice as fast to compile


def compare():
    """Print for each network what differs between devices that share fields and one that has them."""
    layout = Layout(MeshConfig(spatial=SPATIAL).build())
    told = {name: compared(problem, layout) for name, problem in PROBLEMS.items()}
    print(json.dumps(told | {"energy": energy_compared(layout), "page": page_compared(layout)}))


def compared(problem, layout):
    objective, arguments = problem.objective()
    evaluate = jax.jit(jax.value_and_grad(objective)).lower(*arguments).compile()
    with layout.naming():
        weights, batch, constants, loss = arguments
        told = layout.place_maps((constants, loss), problem.grid.shape)
        arguments = layout.placed(weights), layout.place_batch(batch), *told
        spread = jax.jit(jax.value_and_grad(lambda *a: objective(*a))).lower(*arguments).compile()
    (loss, gradient), (ours, own) = evaluate(weights, batch, constants, loss), spread(*arguments)
    moved = collectives_of(spread.as_text())
    return {
        "loss": float(abs(ours - loss) / loss),
        "gradient": max(relative_error(own[name], gradient[name]) for name in gradient),
        "memory": memory_of(spread).temporary / memory_of(evaluate).temporary,
        "gathered": [one.n_bytes for one in moved if one.kind == "all-gather"],
        "weights": [array.nbytes for array in weights.values()],
        "kinds": sorted({one.kind for one in moved}),
    }


def energy_compared(layout):
    rng = np.random.default_rng(0)
    term = EnergyTerm(jnp.asarray(rng.uniform(size=8), jnp.float32))
    forecast, truth = (jnp.asarray(rng.normal(size=(2, 3, 8, 16)), jnp.float32) for _ in range(2))
    evaluate = jax.value_and_grad(lambda *fields: term(*fields))
    (value, slope), fields = jax.jit(evaluate)(forecast, truth), layout.activation("batch", None, "lat", "lon")
    with layout.naming():
        placed = jax.device_put((forecast, truth), fields)
        spread = jax.jit(jax.value_and_grad(lambda *fields: term(*fields))).lower(*placed).compile()
    ours, own = spread(*placed)
    kinds = sorted({one.kind for one in collectives_of(spread.as_text())})
    return {"loss": float(abs(ours - value) / value), "gradient": relative_error(own, slope), "kinds": kinds}


def page_compared(layout):
    """Compare what docs/add_a_model.md shows, of three channels on four bands of longitude."""
    spectrum = run_python("add_a_model.md", registry)["zonal_spectrum"]
    x = jnp.asarray(np.random.default_rng(1).normal(size=(2, 4, 8, 3)), jnp.float32)
    with layout.naming():
        placed = jax.device_put(x, layout.activation("batch", "lat", "lon", None))
        spread = jax.jit(lambda x: spectrum(x)).lower(placed).compile()
    kinds = sorted({one.kind for one in collectives_of(spread.as_text())})
    return {"values": relative_error(spread(placed), spectrum(x)), "kinds": kinds}


def relative_error(ours, reference):
    return float(jnp.abs(jax.device_get(ours) - reference).max() / jnp.abs(reference).max())


@pytest.fixture(scope="module")
def comparison():
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={prod(SPATIAL)} {NO_OPTIMISATION}"}
    places = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])}
    command = [sys.executable, "-c", "import test_spatial_layouts; test_spatial_layouts.compare()"]
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | flags | places)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("name", PROBLEMS)
def test_loss_and_gradient_are_those_of_one_device(comparison, name):
    assert comparison[name]["loss"] < 1e-5
    assert comparison[name]["gradient"] < 1e-5


def test_the_energy_of_waves_needs_no_field_on_one_device(comparison):
    told = comparison["energy"]
    assert max(told["loss"], told["gradient"]) < 1e-5
    assert told["kinds"] == ["all-reduce", "all-to-all"]


def test_what_the_page_on_models_shows_is_cut_as_it_says(comparison):
    assert comparison["page"]["values"] < 1e-5
    assert comparison["page"]["kinds"] == ["all-to-all"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_no_device_gathers_a_field(comparison, name):
    """But of weights and their gradients, some of which each device needs in part."""
    assert set(comparison[name]["gathered"]) <= set(comparison[name]["weights"])


@pytest.mark.parametrize("name", PROBLEMS)
def test_activations_of_a_device_are_its_share(comparison, name):
    assert comparison[name]["memory"] < 1.5 / prod(SPATIAL)


@pytest.mark.parametrize(
    ("name", "kind"), [("fourcastnet", "all-to-all"), ("pangu", "collective-permute"), ("sfno", "all-to-all")]
)
def test_devices_exchange_parts_alone(comparison, name, kind):
    """Beside sums, of gradients and over the globe, each network needs one kind of exchange."""
    assert set(comparison[name]["kinds"]) - {"all-gather"} == {"all-reduce", kind}
