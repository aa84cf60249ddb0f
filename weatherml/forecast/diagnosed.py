"""Fields that a diagnostic makes of analyses: forecasts whose only lead is 0, judged as any other."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from flax import nnx

from weatherml.checkpoint import Checkpoint
from weatherml.forecast.analyses import Analyses
from weatherml.products.store import create_store, mark_complete, open_forecast
from weatherml.state import StateSpec, to_dataset
from weatherml.storage.folders import replacing_folder

_BATCH_BYTES = 2**26
"""Of the states that are diagnosed at once."""


def diagnose(
    diagnostic: Checkpoint,
    analyses: xr.Dataset,
    times: np.ndarray,
    path: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> xr.Dataset:
    """Write what a diagnostic makes of analyses, some times at once, whole or not at all.

    Args:
        diagnostic: Trained.
        analyses: Canonical, of one member, with the channels that it takes.
        times: Of the analyses that are wanted, rising, `datetime64[ns]` [time].
        path: A store of forecasts; what is there is replaced.
        progress: Told how many times are done, and how many there are.

    Returns:
        Dims (init_time, lead_time, number, latitude, longitude), SI units, opened.

    Raises:
        UserError: The analyses lack a channel, a time or a value, or the disk refuses.
    """
    states = Analyses(analyses, diagnostic.normalizer)
    states.require(times, has_members=False)
    spec, give = StateSpec(diagnostic.outputs, diagnostic.spec.grid), _compiled(diagnostic)
    coords = {"init_time": times, "lead_time": np.zeros(1, "timedelta64[ns]"), "number": np.zeros(1, np.int64)}
    size = min(len(times), max(1, _BATCH_BYTES // (4 * int(np.prod(diagnostic.spec.shape)))))
    with replacing_folder(path, "forecast") as folder:
        fields = dict(_declare(folder, spec, coords, diagnostic).arrays())
        for start in range(0, len(times), size):
            own = times[start : start + size]
            padded = np.pad(own, (0, size - len(own)), mode="edge")
            values = give(states.read_batch(padded, np.zeros(size, np.int64)))[: len(own)]
            for channel, field in zip(spec.channels, values.swapaxes(0, 1), strict=True):
                fields[channel.variable][start : start + size] = field[:, None, None]
            progress(min(start + size, len(times)), len(times))
        mark_complete(folder, {}, "")
    return open_forecast(path)


def _compiled(diagnostic: Checkpoint) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes fields `[time, output, lat, lon]`, SI units, of states `[time, channel, lat, lon]`."""
    network = diagnostic.build_diagnostic()
    program = nnx.jit(lambda module, states: module(states))
    return lambda states: np.asarray(program(network, states))


def _declare(folder: Path, spec: StateSpec, coords: dict[str, np.ndarray], diagnostic: Checkpoint) -> zarr.Group:
    first = {name: values[:1] for name, values in coords.items()}
    cell = to_dataset(np.zeros((1, 1, 1, *spec.shape), np.float32), spec, first)
    told = {"diagnostics": json.dumps([asdict(diagnostic.provenance)])}
    return create_store(folder, cell, coords, dict.fromkeys(coords, 1), told)
