"""What normalisation and losses need to know of the data: mean, spread and one-step change of every channel."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr

from weatherml.data.blocks import Progress, iterate_blocks, read_block
from weatherml.data.period import overlap, select, stride_of, time_step_of
from weatherml.data.statistics.climatology import Climatology
from weatherml.errors import UserError
from weatherml.locations import local_path
from weatherml.state import StateSpec
from weatherml.storage.files import write_netcdf
from weatherml.times import Period, write_period


@dataclass(frozen=True, eq=False)
class Statistics:
    """Area-weighted statistics over the valid cells and the times of one period.

    Attributes:
        spec: What the channels are.
        mean: float32 `[channel]`, SI units; of anomalies where a climatology was given.
        std: Standard deviation about `mean`, float32 `[channel]`.
        difference_std: Standard deviation of changes over one time step, float32 `[channel]`; NaN where it is unknown,
            as with published weights.
        valid: Whether a cell holds data (sea-surface temperature has none on land), bool `[channel, lat, lon]`.
        time_step: Spacing of the times, `timedelta64[ns]`; changes across wider gaps are not counted.
        period: What the statistics were computed on: the training period.
        n_times: How many times that were; 0 where it is not known.
    """

    spec: StateSpec
    mean: np.ndarray
    std: np.ndarray
    difference_std: np.ndarray
    valid: np.ndarray
    time_step: np.timedelta64
    period: tuple[str, str]
    n_times: int

    def tendency_scale(self) -> np.ndarray:
        """Return the standard deviation of one-step changes in normalised units, float32 `[channel]`.

        Raises:
            UserError: It is not known.
        """
        if np.isnan(self.difference_std).any():
            raise UserError(
                "the size of one-step changes ('tendency') is not known for imported weights; choose units of the"
                " standard deviation ('std', or 'uniform' for a loss), or compute statistics of your own"
            )
        scale: np.ndarray = self.difference_std / self.std
        return scale

    def save(self, path: str | Path) -> None:
        """Write one NetCDF file."""
        horizontal = {"latitude": list(self.spec.grid.latitude), "longitude": list(self.spec.grid.longitude)}
        record = {"period": self.period, "n_times": self.n_times, "time_step_ns": int(self.time_step.astype(int))}
        moments = {name: ("channel", getattr(self, name)) for name in ("mean", "std", "difference_std")}
        file = xr.Dataset(
            {**moments, "valid": (("channel", "latitude", "longitude"), self.valid)},
            {"channel": list(self.spec.names), **horizontal},
            {"statistics": json.dumps(record), "spec": self.spec.to_json()},
        )
        write_netcdf(local_path(path), file)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: The file is missing or holds something else.
        """
        try:
            with xr.open_dataset(local_path(path), engine="netcdf4") as file:
                record = json.loads(file.attrs["statistics"])
                spec = StateSpec.from_json(file.attrs["spec"])
                arrays = {n: file[n].values for n in ("mean", "std", "difference_std", "valid")}
        except (OSError, KeyError) as error:
            raise UserError(
                f"{path} holds no statistics ({error}); pass statistics.nc of a run, which weatherml statistics writes"
            ) from None
        time_step = np.timedelta64(record["time_step_ns"], "ns")
        return cls(spec, **arrays, time_step=time_step, period=tuple(record["period"]), n_times=record["n_times"])


def compute_statistics(
    dataset: xr.Dataset,
    spec: StateSpec,
    period: Period,
    climatology: Climatology | None = None,
    time_step: np.timedelta64 | None = None,
    progress: Progress | None = None,
) -> Statistics:
    """Compute the statistics of a period, reading it once, block by block.

    Args:
        dataset: Canonical analyses.
        spec: Which channels.
        period: The training period.
        climatology: What to subtract first; statistics are then of anomalies.
        time_step: What changes are taken over; the data's own step when None. Where it is longer they are taken between
            every so many times, from the first on, which are then read again.
        progress: Told how many times are read, and how many there are to read.

    Raises:
        UserError: A channel has no valid cell, a mask that changes with time, or no variability; or the step is no
            multiple of the data's.
    """
    dataset = select(dataset, period)
    times = dataset["time"].values
    time_step = time_step or time_step_of(times)
    stride = stride_of(times, time_step)
    valid = np.isfinite(_anomalies(read_block(dataset, spec, slice(1)), times[:1], climatology)[0])
    _require_cells(valid, spec)
    weights = valid * spec.grid.area_weights().astype(np.float64)

    def blocks(stride: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for block_times, array in iterate_blocks(dataset.isel(time=slice(None, None, stride)), spec, progress):
            anomalies = _anomalies(array, block_times, climatology)
            _require_constant_mask(anomalies, block_times, valid, spec)
            anomalies[:, ~valid] = 0
            yield block_times, anomalies

    values, changes = _moments(blocks(1), weights, time_step)
    if stride > 1:
        _, changes = _moments(blocks(stride), weights, time_step)
    _require_variability(values, changes, spec)
    mean, std, difference_std = (a.astype(np.float32) for a in (values.mean, values.std, changes.std))
    return Statistics(spec, mean, std, difference_std, valid, time_step, write_period(period), len(times))


def require_disjoint(fitted: Statistics | Climatology, period: Period) -> None:
    """Require that a test period shares nothing with the period that something was fitted on.

    Raises:
        UserError: They overlap.
    """
    if overlap(fitted.period, period):
        raise UserError(
            f"test period {period[0]} .. {period[1]} overlaps the training period {' .. '.join(fitted.period)};"
            " choose another test period or compute the statistics and the climatology anew"
        )


class _Moments:
    """Weighted mean and variance of each channel, merged block by block (Chan, Golub and LeVeque 1983, eq. 2.1)."""

    def __init__(self, n_channels: int) -> None:
        self._weight, self.mean, self._squares = (np.zeros(n_channels) for _ in range(3))

    @property
    def std(self) -> np.ndarray:
        return np.sqrt(self._squares / self._weight)

    def add(self, array: np.ndarray, weights: np.ndarray) -> None:
        """Add `array` [time, channel, lat, lon] with `weights` [channel, lat, lon]."""
        weight = len(array) * weights.sum(axis=(1, 2))
        if not len(array):
            return
        mean = np.einsum("tcyx,cyx->c", array, weights) / weight
        squares = np.einsum("tcyx,cyx->c", (array - mean[:, None, None]) ** 2, weights)
        total = self._weight + weight
        shift = mean - self.mean
        self._squares += squares + shift**2 * self._weight * weight / total
        self.mean += shift * weight / total
        self._weight = total


def _moments(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]], weights: np.ndarray, time_step: np.timedelta64
) -> tuple[_Moments, _Moments]:
    """Return the moments of arrays [time, channel, lat, lon], and of changes between those one step apart."""
    values, changes = _Moments(len(weights)), _Moments(len(weights))
    # The last time of the block before is kept, so that changes reach across blocks.
    tail_times, tail = np.empty(0, "datetime64[ns]"), np.empty((0, *weights.shape))
    for times, array in blocks:
        values.add(array, weights)
        joined, joined_times = np.concatenate([tail, array]), np.concatenate([tail_times, times])
        changes.add(np.diff(joined, axis=0)[np.diff(joined_times) == time_step], weights)
        tail_times, tail = times[-1:], array[-1:]
    return values, changes


def _anomalies(array: np.ndarray, times: np.ndarray, climatology: Climatology | None) -> np.ndarray:
    """Return float64 departures, or the values themselves."""
    reference = 0.0 if climatology is None else climatology.array_at(times)
    return array.astype(np.float64) - reference


def _require_cells(valid: np.ndarray, spec: StateSpec) -> None:
    for name, cells in zip(spec.names, valid, strict=True):
        if not cells.any():
            raise UserError(f"channel {name} holds no data at the first time of the period; leave the channel out")


def _require_constant_mask(array: np.ndarray, times: np.ndarray, valid: np.ndarray, spec: StateSpec) -> None:
    differs = (np.isfinite(array) != valid).any(axis=(2, 3))
    if differs.any():
        time, channel = np.argwhere(differs)[0]
        raise UserError(
            f"channel {spec.names[channel]} has other missing cells at {times[time]} than at the start of the period;"
            " only a mask that is constant in time can be kept: fill the gaps or leave the time or the channel out"
        )


def _require_variability(values: _Moments, changes: _Moments, spec: StateSpec) -> None:
    for name, std, change in zip(spec.names, values.std, changes.std, strict=True):
        if not (std > 0 and change > 0):
            raise UserError(f"channel {name} does not vary over the period; leave it out of the channels")
