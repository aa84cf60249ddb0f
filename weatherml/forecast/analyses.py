"""Analyses as initial states: read by time and member, normalised, and refused where they have gaps; their times."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import xarray as xr

from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.state import to_array
from weatherml.times import TimeLike, parse_times

_FEWEST_TIMES, _MOST_BYTES = 16, 4 * 2**30
"""What a fingerprint reads at least, and at most beyond that: beside the forecasts from them it is little."""


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

    def require(self, init_times: np.ndarray, has_members: bool) -> None:
        """Require the channels, the dimensions and the initial times, without reading a value.

        Args:
            init_times: `datetime64[ns]` [init_time].
            has_members: Whether there may be several analyses of each time.

        Raises:
            UserError: Something is not there, or something else is.
        """
        dims, own = set(self.dataset.dims), {"level", "latitude", "longitude", *(("number",) if has_members else ())}
        if {"time"} != dims - own:
            raise UserError(
                f"analysis must have the dimensions time, level, latitude, longitude, got {sorted(map(str, dims))};"
                " take one of the others, of members for example the first"
            )
        absent = init_times[~np.isin(init_times, self.times)]
        if not len(self.times):
            raise UserError("analysis has no times; pass one that holds the initial times")
        if len(absent):
            first, last = self.times.min(), self.times.max()
            raise UserError(
                f"analysis has no init_time {absent[0]:.16}; choose among its {counted(len(self.times), 'time')} from"
                f" {first:.16} to {last:.16}, nearest {_nearest(self.times, absent[0])}"
            )
        to_array(self.dataset.isel(time=slice(0, 0)), self.normalizer.spec)

    def read(self, time: np.datetime64, member: int = 0) -> np.ndarray:
        """Return the normalised analysis of one time, float32 `[channel, lat, lon]`.

        Raises:
            UserError: A value is missing where there were data in training.
        """
        return self._read(time, member)

    def fingerprint(self, init_times: np.ndarray) -> str:
        """Return a digest of the analyses, all members, at initial times `datetime64[ns]` [init_time].

        Of more than 4 GiB it reads so much, evenly spread, 16 times at least: other analyses differ everywhere.

        Raises:
            UserError: A value is missing where there were data in training.
        """
        digest = hashlib.sha256()
        state_bytes = 4 * math.prod(self.normalizer.spec.shape) * self.n_members
        n_times = min(len(init_times), max(_FEWEST_TIMES, _MOST_BYTES // state_bytes))
        spread = np.linspace(0, len(init_times) - 1, n_times).round().astype(int)
        for time in init_times[spread]:
            for member in range(self.n_members):
                digest.update(np.ascontiguousarray(self.read(time, member)).data)
        return digest.hexdigest()

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
                f"analysis at {time:.16} has missing values of {name} in cells that had data in training; choose"
                " another init_time or mend the data"
            )
        return state


def _nearest(times: np.ndarray, wanted: np.datetime64) -> str:
    """Return the two times nearest to a time, the earlier first; which also tells how far apart they are there."""
    by_distance = np.argsort(np.abs(times - wanted), kind="stable")
    return " and ".join(f"{time:.16}" for time in np.sort(times[by_distance[:2]]))


InitTimes = TimeLike | Sequence[TimeLike] | np.ndarray
"""One or more initial times."""


def to_init_times(init_time: InitTimes) -> np.ndarray:
    """Return initial times, rising, `datetime64[ns]` [init_time].

    Raises:
        UserError: There is none, one is no time, or one is given twice.
    """
    given = np.atleast_1d(parse_times(init_time, "init_time"))
    if not given.size:
        raise UserError("init_time is empty; pass at least one time")
    times, counts = np.unique(given, return_counts=True)
    if (counts > 1).any():
        raise UserError(f"init_time {times[counts > 1][0]:.16} is given twice; pass each time once")
    return times
