"""Forecasts in a process of their own: of all members, of a share of them, or in little memory.

python device_program.py FOLDER N_BYTES: one that finds no more than so much memory.
"""

import logging
import resource
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx
from tiny_forecast import TIMES, Advection, make_analysis, make_forecaster, make_network_step

from weatherml.forecast import ForecastConfig, Forecaster
from weatherml.forecast.output.target import OutputTarget
from weatherml.storage.share import Share

PERTURBATION = {"name": "combined", "parts": ["spherical", {"name": "sppt", "length": 2000}]}
ASKED = {"lead_time": "18h", "members": 11, "perturbation": PERTURBATION, "batch": 2, "seed": 4}
STATISTICS = {"quantiles": (0.2, 0.5), "sketch_size": 4, "maximum": True}
CONFIGS = {
    "members": ForecastConfig(**ASKED),
    "alone": ForecastConfig(**ASKED, numbers=(7,)),
    "in_turn": ForecastConfig(**ASKED),
    "statistics": ForecastConfig(**ASKED, statistics=STATISTICS),
    "large": ForecastConfig(**ASKED | {"batch": 8, "lead_time": "6h"}),
}


class Spacious(nnx.Module):
    """A step of many members that takes far more memory than one of few: 24 MB times the square of their number."""

    def __init__(self):
        self.step = make_network_step()

    def __call__(self, state, forcing):
        row = jnp.broadcast_to(state[:, None, 0, 0], (len(state), len(state) * 2**11, 12))
        _, rows = jax.lax.scan(lambda row, _: (row, row), row, length=255)  # which no compiler foresees
        waste = rows[jnp.argmax(forcing[0, 0, 0]), :, -1, 0]
        return self.step(state, forcing) + 0 * waste[:, None, None, None]


def run(folder, name, share="0/1", progress=None, step=None):
    """Make a forecast from two initial times."""
    forecaster = make_forecaster(step or make_network_step())
    if name == "in_turn":
        forecaster = Forecaster.in_turn(forecaster, make_forecaster(Advection()))
    destination = OutputTarget(Path(folder) / f"{name}.zarr", share=Share.parse(share))
    return forecaster.run_share(make_analysis(), TIMES[:2], CONFIGS[name], destination, progress)


def work(folder, jobs, told, is_killed):
    """Make forecasts, each `NAME SHARE`; tell of all that is written, and give time to be killed."""
    if is_killed:  # half of what is compiled might be kept
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 1e9)

    def slowly(*progress):
        told.send(progress)
        time.sleep(0.1)

    for job in jobs:
        run(folder, *job.split(), progress=slowly)


def limit_memory(n_bytes):
    """Leave so much to be taken."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + n_bytes,) * 2)


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    run(sys.argv[1], "members")  # starts all threads, and compiles
    limit_memory(int(sys.argv[2]))
    run(sys.argv[1], "large", step=Spacious())
