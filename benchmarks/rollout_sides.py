"""Both sides of `rollout_vs_torch.py`: from the files of weights and an analysis to a forecast on disk."""

import os
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
from fourcastnet_vs_torch import Case


class Bounded(Case):
    """A network whose head takes back some of what the patches give: states stay bounded at random weights."""

    def weights(self):
        weights = super().weights()
        patches = weights["patch_embed.proj.weight"]
        largest = np.linalg.norm(patches.reshape(len(patches), -1), 2)
        weights["head.weight"] = -patches.transpose(2, 3, 1, 0).reshape(-1, len(patches)) / largest**2
        return weights | {name: 1 + array for name, array in weights.items() if "norm" in name and "weight" in name}


BATCH = 10
TIME_STEP = np.timedelta64(6, "h")
INIT_TIME = np.datetime64("2020-01-01", "ns")
NETWORK = Bounded("demo", (32, 64), (2, 4), 17, 128, 4, BATCH, n_blocks=2, mlp_ratio=2)
CLIMATE = {  # mean and standard deviation, SI units
    "mean_sea_level_pressure": (101_000, 500),
    "geopotential": (30_000, 1_000),
    "temperature": (260, 5),
    "u_component_of_wind": (5, 10),
    "v_component_of_wind": (0, 10),
}
CHANGE = 0.3
"""Standard deviation of a one-step change, in standard deviations of the channel."""


def prepare(folder):
    """Write a checkpoint and an analysis; what PyTorch needs of them, and cannot read, goes to start.npz."""
    from weatherml.checkpoint import Checkpoint, Provenance
    from weatherml.data.statistics.channel_statistics import Statistics
    from weatherml.data.statistics.forcings import Forcings
    from weatherml.data.statistics.normalization import Normalizer
    from weatherml.grid import LatLonGrid
    from weatherml.models import FourCastNetConfig, load_published
    from weatherml.models.weights import weights_of
    from weatherml.state import StateSpec, parse_channels, to_dataset
    from weatherml.variables import PRESETS

    spec = StateSpec(parse_channels(PRESETS["planet"]), LatLonGrid.gaussian(*NETWORK.shape))
    mean, std = np.array([CLIMATE[channel.variable] for channel in spec.channels], np.float32).T
    valid, step = np.ones(spec.shape, bool), TIME_STEP.astype("timedelta64[ns]")
    statistics = Statistics(spec, mean, std, CHANGE * std, valid, step, ("2000-01-01", "2019-12-31"), 0)
    sizes = {name: getattr(NETWORK, name) for name in ("patch", "width", "depth", "n_blocks", "mlp_ratio")}
    model, forcings, normalizer = FourCastNetConfig(**sizes), Forcings((), spec.grid, step), Normalizer(statistics)
    provenance = Provenance({}, "random")
    checkpoint = Checkpoint.initialize(model, forcings, normalizer, provenance, seed=0)
    built = checkpoint.build_step()
    load_published(built.network, NETWORK.weights())
    Checkpoint(model, forcings, normalizer, weights_of(built), provenance).save(folder / "checkpoint")
    state = smooth_fields(spec.shape)
    analysis = normalizer.denormalize(state[None], np.array([INIT_TIME]))
    to_dataset(analysis, spec, {"time": [INIT_TIME]}).to_netcdf(folder / "analysis.nc")
    scale = statistics.tendency_scale()
    np.savez(folder / "start.npz", state=state, mean=mean, std=std, scale=scale, variables=list(spec.variables))


def smooth_fields(shape):
    """Return waves of order one with random amplitudes, `[channel, lat, lon]`."""
    rng, (n_channels, n_lat, n_lon) = np.random.default_rng(2), shape
    rows = np.cos(np.pi * np.arange(5)[:, None] * (np.arange(n_lat) + 0.5) / n_lat)
    columns = np.exp(2j * np.pi * np.arange(5)[:, None] * np.arange(n_lon) / n_lon)
    amplitudes = rng.normal(size=(n_channels, 5, 5)) + 1j * rng.normal(size=(n_channels, 5, 5))
    return (np.einsum("cij,iy,jx->cyx", amplitudes, rows, columns).real / 5).astype(np.float32)


def weatherml_side(folder, **statistics):
    """Forecast as the program does, and keep members, or what `statistics` says."""
    from weatherml.process.heap import keep_freed_memory

    keep_freed_memory()
    import xarray as xr

    from weatherml.forecast import ForecastConfig, Forecaster, StatisticsConfig

    kept = StatisticsConfig(**statistics) if statistics else None

    def forecast(n_members, n_steps, path, batch=BATCH):
        forecaster = Forecaster.load(folder / "checkpoint")
        lead = f"{n_steps * TIME_STEP.astype(int)}h"
        noise = {"perturbation": {"name": "gaussian"}}
        config = ForecastConfig(lead_time=lead, members=n_members, batch=batch, statistics=kept, **noise)
        with xr.open_dataset(folder / "analysis.nc") as analysis:
            made = forecaster.run(analysis, INIT_TIME, config, path)
        if made.attrs["failed"]:
            sys.exit(f"members failed: {made.attrs['failed']}")

    return forecast


def torch_side(folder, ending):
    """Forecast by the loop, and write NetCDF or zarr by xarray's defaults."""
    import torch
    import torch_rollout

    torch.set_num_threads(len(os.sched_getaffinity(0)))

    def forecast(n_members, n_steps, path):
        with np.load(folder / "start.npz") as arrays:
            start = SimpleNamespace(**arrays, case=NETWORK, analysis=folder / "analysis.nc", time_step=TIME_STEP)
        members = torch_rollout.forecast(start, n_members, n_steps, BATCH)
        dataset = torch_rollout.to_dataset(members, start)
        if ending == ".nc":
            dataset.to_netcdf(path)
        else:
            dataset.to_zarr(path)

    return forecast


SIDES = {
    "weatherml": weatherml_side,
    "weatherml, statistics": partial(weatherml_side, mean=True, spread=True),
    "PyTorch, NetCDF": partial(torch_side, ending=".nc"),
    "PyTorch, zarr": partial(torch_side, ending=".zarr"),
}
