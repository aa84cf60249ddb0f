"""Forecasts as stores hold them, with a mask, ragged levels, a member that failed, and what else may come."""

import numpy as np
from fake_data import forecasts

from weatherml.products.selection import select_channels
from weatherml.variables import VARIABLES

CHANNELS = (
    "z500",
    "z850",
    "t850",
    "t2m",
    "u10m",
    "u100m",
    "msl",
    "sp",
    "sst",
    "tcwv",
    "total_precipitation_6hr",
)
FAILED = [
    f"init_time 2001-01-0{day}T00:00 number 2 at 2001-01-0{day}T12:00 (lead 12h) by z500, which is no longer finite"
    for day in (1, 2)
]


def made(channels=CHANNELS, numbers=(0, 1, 2), step="6h", **options):
    """Return a forecast of `channels` with plausible values in SI units."""
    names = {"z500": "geopotential", "z850": "geopotential", "t850": "temperature"}
    levels = {"geopotential": (500, 850), "temperature": (500, 850)}
    spelled = [
        names.get(c) or next(v.name for v in VARIABLES.values() if c in (v.earth2_name, v.name)) for c in channels
    ]
    forecast = forecasts(
        {name: levels.get(name, ()) for name in dict.fromkeys(spelled)},
        **{"n_init": 2, "n_lead": 3, "n_members": len(numbers), "step": step} | options,
    ).assign_coords(number=list(numbers))
    for name, field in forecast.data_vars.items():
        variable = VARIABLES[str(name)]
        middle, width = (variable.minimum + variable.maximum) / 2, (variable.maximum - variable.minimum) / 12
        field[...] = (middle + width * field).astype(np.float32)
    forecast["number"].attrs["standard_name"] = "realization"
    if "sea_surface_temperature" in forecast:
        forecast["sea_surface_temperature"][..., 2:4, 5:7] = np.nan
    selected = select_channels(forecast, channels)
    for field in selected.data_vars.values():
        if len(numbers) > 2:
            field[:, 1:, 2] = np.nan  # a member that failed
    members = max(numbers) + 1
    failed = [story for story in FAILED if len(numbers) > 2]
    return selected.assign_attrs(title="made", forecast_config=f'{{"members": {members}}}', failed=failed)
