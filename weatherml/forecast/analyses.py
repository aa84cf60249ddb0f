"""Analyses as initial states: read by time and member, normalised, and refused where they have gaps."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import xarray as xr

from weatherml.data.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.state import to_array


@dataclass(frozen=True, eq=False)
class Analyses:
    """Canonical analyses on the grid of a model.

    Attributes:
        dataset: Has the channels of the normalizer; with the dimension `number` where there are several members.
        normalizer: Of the model.
    """

    dataset: xr.Dataset
    normalizer: Normalizer

    @property
    def times(self) -> np.ndarray:
        """Times of the analyses, `datetime64[ns]` [time]."""
        times: np.ndarray = self.dataset["time"].values
        return times

    @property
    def n_members(self) -> int:
        """How many analyses there are of each time."""
        return int(self.dataset.sizes.get("number", 1))

    def read(self, time: np.datetime64, member: int = 0) -> np.ndarray:
        """Return the normalised analysis of one time, float32 `[channel, lat, lon]`.

        Raises:
            UserError: A value is missing where there were data in training.
        """
        return self._read(time, member)

    def read_batch(self, times: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Return `[batch, channel, lat, lon]` for times and members [batch]; each is read once."""
        states = np.empty((len(times), *self.normalizer.spec.shape), np.float32)
        for time, member in dict.fromkeys(zip(times, members.tolist(), strict=True)):
            states[(times == time) & (members == member)] = self.read(time, member)
        return states

    @cached_property
    def _read(self) -> Callable[[np.datetime64, int], np.ndarray]:
        return lru_cache(maxsize=2)(self._read_anew)

    def _read_anew(self, time: np.datetime64, member: int) -> np.ndarray:
        analysis = self.dataset.sel(time=time)
        if "number" in analysis.dims:
            analysis = analysis.isel(number=member)
        spec = self.normalizer.spec
        state = self.normalizer.normalize(to_array(analysis, spec), np.asarray(time))
        missing = ~np.isfinite(state).all(axis=(1, 2))
        if missing.any():
            name = spec.names[int(np.argmax(missing))]
            raise UserError(
                f"analysis at {time} has missing values of {name} in cells that had data in training; choose another"
                " init_time or mend the data"
            )
        return state
