"""Groups of times: seasons, months and hours of a forecast's initial and valid times."""

from typing import Literal

import numpy as np
import xarray as xr

By = Literal["season", "month", "init_hour", "valid_hour"]
"""Season and month are those of the valid time; hours are UTC."""

_SEASONS: tuple[str, ...] = ("DJF", "MAM", "JJA", "SON")


def labels_of(dataset: xr.Dataset, by: By) -> tuple[np.ndarray, list[str]]:
    """Return the group of each init and lead time, int `[init, lead]`, and the names of the groups that there are."""
    init = dataset["init_time"].values[:, None]
    valid = init + dataset["lead_time"].values
    months = valid.astype("datetime64[M]").astype(int) % 12
    hours = {"init_hour": np.broadcast_to(_hour(init), valid.shape), "valid_hour": _hour(valid)}
    if by == "season":
        values, names = (months + 1) // 3 % 4, _SEASONS
    elif by == "month":
        values, names = months, tuple(f"{month:02d}" for month in range(1, 13))
    else:
        values, names = hours[by], tuple(f"{hour:02d}" for hour in range(24))
    there, labels = np.unique(values, return_inverse=True)
    return labels.reshape(valid.shape), [names[own] for own in there]


def _hour(times: np.ndarray) -> np.ndarray:
    hours: np.ndarray = times.astype("datetime64[h]").astype(int) % 24
    return hours
