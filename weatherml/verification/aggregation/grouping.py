"""Groups of times: seasons, months and hours of a forecast's initial and valid times."""

from typing import Literal, get_args

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed

By = Literal["season", "month", "init_hour", "valid_hour"]
"""Season and month are those of the valid time; hours are UTC."""

_MONTHS: tuple[str, ...] = tuple("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())
_SEASONS: tuple[str, ...] = ("DJF", "MAM", "JJA", "SON")


def require_groups(by: By | None) -> None:
    """Require that groups of times are those that there are.

    Raises:
        UserError: They are others.
    """
    if by is not None and by not in get_args(By):
        raise UserError(f"by must be one of {listed(get_args(By))}, got {by!r}; leave it out to judge all together")


def labels_of(dataset: xr.Dataset, by: By) -> tuple[np.ndarray, list[str]]:
    """Return the group of each init and lead time, int `[init, lead]`, and the names of the groups that there are.

    Raises:
        UserError: There are no such groups.
    """
    require_groups(by)
    init = dataset["init_time"].values[:, None]
    valid = init + dataset["lead_time"].values
    months = valid.astype("datetime64[M]").astype(int) % 12
    hours = {"init_hour": np.broadcast_to(_hour(init), valid.shape), "valid_hour": _hour(valid)}
    if by == "season":
        values, names = (months + 1) // 3 % 4, _SEASONS
    elif by == "month":
        values, names = months, _MONTHS
    else:
        values, names = hours[by], tuple(f"{hour:02d}" for hour in range(24))
    there, labels = np.unique(values, return_inverse=True)
    labels = labels.reshape(valid.shape)
    if by != "month":
        return labels, [names[own] for own in there]
    order = np.argsort([valid[labels == own].min() for own in range(len(there))])  # December before January
    return np.argsort(order)[labels], [names[own] for own in there[order]]


def _hour(times: np.ndarray) -> np.ndarray:
    hours: np.ndarray = times.astype("datetime64[h]").astype(int) % 24
    return hours
