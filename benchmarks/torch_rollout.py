"""An ensemble forecast in plain PyTorch as it is written today: a loop that keeps the trajectory, and xarray."""

import numpy as np
import torch
import torch_fourcastnet
import xarray as xr

NOISE = 0.3


def forecast(start, n_members, n_steps, batch):
    """Return members in SI units, `[step, member, channel, lat, lon]`; number 0 is not perturbed.

    Each array of the result's size is freed as soon as its successor exists, which halves the peak of
    `torch.stack(states) * std + mean`.
    """
    network = torch_fourcastnet.build(start.case)
    mean, std, scale = (torch.from_numpy(a)[:, None, None] for a in (start.mean, start.std, start.scale))
    analysis = torch.from_numpy(start.state)
    waves = []
    with torch.no_grad():
        for first in range(0, n_members, batch):
            states = analysis + NOISE * torch.randn(min(batch, n_members - first), *analysis.shape)
            if first == 0:
                states[0] = analysis
            trajectory = []
            for _ in range(n_steps):
                states = states + scale * network(states)
                trajectory.append(states)
            waves.append(torch.stack(trajectory))
            del trajectory
    members = torch.cat(waves, dim=1) if len(waves) > 1 else waves[0]
    del waves
    return members.mul_(std).add_(mean).numpy()


def to_dataset(members, start):
    """Return a dataset of a forecast's members, `[lead_time, number, level, latitude, longitude]`."""
    analysis = xr.open_dataset(start.analysis)
    coords = {
        "lead_time": np.arange(1, len(members) + 1) * start.time_step,
        "number": np.arange(members.shape[1]),
        **{name: analysis[name] for name in ("level", "latitude", "longitude")},
    }
    fields, position = {}, 0
    for name in start.variables:
        dims = [d for d in coords if d != "level" or "level" in analysis[name].dims]
        n_levels = analysis.sizes["level"] if "level" in dims else 1
        field = members[:, :, position : position + n_levels]
        fields[name] = dims, field if "level" in dims else field[:, :, 0]
        position += n_levels
    return xr.Dataset(fields, coords)
