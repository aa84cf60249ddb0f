"""A forecast as it will be once it is made: what is asked of it is known before, and so whether a folder has that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array
import numpy as np
import xarray as xr

from weatherml.grid import LatLonGrid


@dataclass(frozen=True)
class Promise:
    """What an online forecast says of itself.

    Attributes:
        init_times: `datetime64` [init_time].
        lead_times: `timedelta64` [lead].
        n_members: Of each initial time.
        name: Of the system.
    """

    init_times: np.ndarray
    lead_times: np.ndarray
    n_members: int
    name: str

    def forecast(self, variables: Mapping[str, Sequence[int]], grid: LatLonGrid, has_control: bool) -> xr.Dataset:
        """Return a forecast of zeros that holds all times and members and takes no memory.

        Args:
            variables: Levels of each, hPa; empty where it has one height.
            grid: Of its fields.
            has_control: Whether number 0 is one of several members.
        """
        numbers = np.arange(self.n_members) + (self.n_members > 1 and not has_control)
        levels = sorted({level for own in variables.values() for level in own})
        times = {
            "init_time": self.init_times.astype("datetime64[ns]"),
            "lead_time": self.lead_times.astype("timedelta64[ns]"),
        }
        coords: dict[str, Any] = {**times, "number": numbers}
        places = {"latitude": np.asarray(grid.latitude), "longitude": np.asarray(grid.longitude)}
        every = coords | {"level": levels} | places
        dims = {name: [dim for dim in every if own or dim != "level"] for name, own in variables.items()}
        fields = {name: (own, _zeros(tuple(len(every[dim]) for dim in own))) for name, own in dims.items()}
        whole = xr.Dataset(fields, every if levels else coords | places)
        return whole if self.n_members > 1 else whole.isel(number=0, drop=True)


def _zeros(shape: tuple[int, ...]) -> Any:
    return dask.array.zeros(shape, dtype=np.float32, chunks=-1)
