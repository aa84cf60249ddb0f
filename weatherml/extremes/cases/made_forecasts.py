"""Systems that are made of the analyses: baselines by name, with what cases may say of them."""

from typing import Protocol

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.registry import Registry
from weatherml.verification import baselines


class Asked(Protocol):
    """What a case says of a baseline."""

    @property
    def period(self) -> tuple[str, str] | None:
        """From which analyses members are drawn."""
        ...

    @property
    def members(self) -> int | None:
        """How many."""
        ...

    @property
    def any_date(self) -> bool:
        """Whether members may be of any date of the period."""
        ...


class Make(Protocol):
    """Makes a forecast of analyses."""

    def __call__(
        self, truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray, asked: Asked, /
    ) -> xr.Dataset:
        """Return dims (init_time, lead_time, [number,] [level,] latitude, longitude), computed where it is read."""
        ...


BASELINES: Registry[Make] = Registry("baseline")
"""By name."""


@BASELINES.register("persistence")
def _persistence(truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray, _: Asked) -> xr.Dataset:
    return baselines.persistence(truth, init_times, lead_times)


@BASELINES.register("persistence_ensemble")
def _persistence_ensemble(
    truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray, asked: Asked
) -> xr.Dataset:
    members = {} if asked.members is None else {"members": asked.members}
    return baselines.persistence_ensemble(truth, init_times, lead_times, **members)


@BASELINES.register("climatological_ensemble")
def _climatological_ensemble(
    truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray, asked: Asked
) -> xr.Dataset:
    window = {"window_days": None} if asked.any_date else {}
    own = {"period": asked.period, "members": asked.members}
    return baselines.climatological_ensemble(truth, init_times, lead_times, **own, **window)  # type: ignore[arg-type]


@BASELINES.register("sequence_ensemble")
def _sequence_ensemble(truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray, asked: Asked) -> xr.Dataset:
    if asked.period is None:
        raise UserError("a sequence_ensemble is drawn from a period; say which: period: [first, last]")
    return baselines.sequence_ensemble(truth, init_times, lead_times, asked.period, asked.members)


@BASELINES.register("carried_ensemble")
def _carried_ensemble(truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray, asked: Asked) -> xr.Dataset:
    members = {} if asked.members is None else {"members": asked.members}
    return baselines.carried_ensemble(truth, init_times, lead_times, **members)
