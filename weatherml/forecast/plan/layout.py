"""The axes of a forecast, and the pieces in which it arrives."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from weatherml.state import StateSpec, to_dataset


@dataclass(frozen=True, eq=False)
class Layout:
    """The axes of a forecast, and the pieces in which it arrives.

    Attributes:
        spec: The channels that are kept.
        init_times: `datetime64[ns]` [init_time].
        lead_times: `timedelta64[ns]` [lead_time].
        numbers: Members, int64 [number].
        chunk: How many leads, and how many members at most, arrive together.
        n_models: How many models members take turns among.
    """

    spec: StateSpec
    init_times: np.ndarray
    lead_times: np.ndarray
    numbers: np.ndarray
    chunk: tuple[int, int]
    n_models: int = 1

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Values of the leading dimensions in canonical order."""
        return {"init_time": self.init_times, "lead_time": self.lead_times, "number": self.numbers}

    @property
    def shape(self) -> tuple[int, ...]:
        """(init_time, lead_time, number, channel, lat, lon)."""
        return (*map(len, self.coords.values()), *self.spec.shape)

    @property
    def n_bytes(self) -> int:
        """Size of all fields, not compressed."""
        return 4 * math.prod(self.shape)

    @property
    def chunk_bytes(self) -> int:
        """Size of what arrives together."""
        return 4 * math.prod((*self.chunk, *self.spec.shape))

    @cached_property
    def cell(self) -> xr.Dataset:
        """One initial time, lead and member: the names, dimensions and attributes of the fields."""
        first = {name: values[:1] for name, values in self.coords.items()}
        return to_dataset(np.zeros((1, 1, 1, *self.spec.shape), np.float32), self.spec, first)
