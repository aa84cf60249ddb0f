"""Small fields that keep much of the field before, as weather does, for rules of time."""

import numpy as np
from fake_data import analyses

from weatherml.grid import LatLonGrid

SCALES = {
    "geopotential": (5.5e4, 2e3),
    "temperature": (260, 10),
    "2m_temperature": (285, 10),
    "10m_u_component_of_wind": (0, 5),
    "mean_sea_level_pressure": (1.01e5, 900),
    "sea_surface_temperature": (290, 5),
    "vorticity": (0, 4e-5),
}
"""Mean and spread, in the units of the variables."""


def red_weather(variables, times=80, step="6h", grid=None, persistence=0.9, seed=0):
    """Return fields that each keep `persistence` of the one before; rain is zero in half of the cells."""
    dataset = analyses(variables, times, step, "2001-01-01", grid or LatLonGrid.regular(19, 36), seed)
    for name in variables:
        values = dataset[name].values
        for i in range(1, len(values)):
            values[i] = persistence * values[i - 1] + np.sqrt(1 - persistence**2) * values[i]
        if "precipitation" in name:
            dataset[name].values[:] = 2e-3 * values.clip(min=0)
        elif name in SCALES:
            mean, spread = SCALES[name]
            dataset[name].values[:] = mean + spread * values
    return dataset


def reordered(dataset, index):
    """Return the fields at other positions under the times that were there."""
    return dataset.isel(time=index).assign_coords(time=dataset["time"])
