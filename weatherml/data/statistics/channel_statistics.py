"""What normalisation and losses need to know of the data: mean, spread and one-step change of every channel."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr

from weatherml.data.blocks import Progress
from weatherml.data.period import overlap, select, stride_of, time_step_of
from weatherml.data.statistics.accumulators.distribution import N_PLACES
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.accumulators.moments import Moments, moments_of
from weatherml.data.statistics.accumulators.sums import Sums
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.engine.gathering import Gathering
from weatherml.data.statistics.labels import labelled_spec
from weatherml.errors import UserError
from weatherml.errors.wording import counted, listed
from weatherml.state import Channel, StateSpec
from weatherml.storage.files import write_netcdf
from weatherml.storage.locations import local_path
from weatherml.times import Periods, show_periods, write_periods

PROBABILITIES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
"""Of the quantiles of every channel."""


@dataclass(frozen=True, eq=False)
class Values:
    """The range of the values themselves, also where the statistics are of anomalies.

    Attributes:
        minimum: float32 `[channel]`, SI units.
        maximum: float32 `[channel]`, SI units.
        quantiles: At `PROBABILITIES`, of places of equal area drawn at every time, float32 `[quantile, channel]`.
        rank_error: By which share of the drawn values the rank of a quantile can be off at most.
    """

    minimum: np.ndarray
    maximum: np.ndarray
    quantiles: np.ndarray
    rank_error: float

    def to_variables(self) -> dict[str, Any]:
        """Return them as variables of a file."""
        accuracy = {"rank_error": self.rank_error, "places_a_time": N_PLACES}
        return {
            "minimum": ("channel", self.minimum),
            "maximum": ("channel", self.maximum),
            "quantiles": (("quantile", "channel"), self.quantiles, accuracy),
            "quantile": ("quantile", np.array(PROBABILITIES)),
        }

    @classmethod
    def of_variables(cls, file: xr.Dataset) -> Self:
        """Read what `to_variables` wrote."""
        minimum, maximum, quantiles = (file[name].values for name in ("minimum", "maximum", "quantiles"))
        return cls(minimum, maximum, quantiles, float(file["quantiles"].attrs["rank_error"]))


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
        values: Their range and quantiles; None where they are not known.
        store: Digest of the store that they are of; empty where it is not known.
    """

    spec: StateSpec
    mean: np.ndarray
    std: np.ndarray
    difference_std: np.ndarray
    valid: np.ndarray
    time_step: np.timedelta64
    period: Periods
    n_times: int
    values: Values | None = None
    store: str = ""

    def only(self, channels: Sequence[Channel]) -> Self:
        """Return the statistics of some of the channels, in their order; ranges of values are left behind."""
        places = [self.spec.index(channel) for channel in channels]
        own = {name: getattr(self, name)[places] for name in ("mean", "std", "difference_std", "valid")}
        return replace(self, spec=StateSpec(tuple(channels), self.spec.grid), values=None, **own)

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
        record = {
            "period": self.period,
            "n_times": self.n_times,
            "time_step_ns": int(self.time_step.astype(int)),
            "store": self.store,
        }
        moments = {name: ("channel", getattr(self, name)) for name in ("mean", "std", "difference_std")}
        values = {} if self.values is None else self.values.to_variables()
        file = xr.Dataset(
            {**moments, **values, "valid": (("channel", "latitude", "longitude"), self.valid)},
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
                spec = labelled_spec(file, path)
                arrays = {n: file[n].values for n in ("mean", "std", "difference_std", "valid")}
                values = Values.of_variables(file) if "quantiles" in file else None
        except (OSError, KeyError) as error:
            raise UserError(
                f"{path} holds no statistics ({error}); pass statistics.nc of a run, which weatherml statistics writes"
            ) from None
        time_step = np.timedelta64(record["time_step_ns"], "ns")
        period, store = write_periods(record["period"]), record.get("store", "")
        return cls(
            spec, **arrays, time_step=time_step, period=period, n_times=record["n_times"], values=values, store=store
        )


def compute_statistics(
    dataset: xr.Dataset,
    spec: StateSpec,
    period: Periods,
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
        time_step: What changes are taken over, from every time on; the data's own step when None.
        progress: Told how many times are read, and how many there are to read.

    Raises:
        UserError: A channel has no valid cell, a mask that changes with time, or no variability; or the step is no
            multiple of the data's.
    """
    dataset = select(dataset, period)
    times = dataset["time"].values
    time_step = time_step or time_step_of(times)
    stride_of(times, time_step)
    harmonics = Harmonics(0, 0) if climatology is None else climatology.harmonics
    parts = []
    for group, sums in Gathering(spec, harmonics, (time_step,)).run(dataset, progress):
        coefficients = None if climatology is None else climatology.coefficients[:, group]
        parts.append(statistics_of(sums, write_periods(period), time_step, coefficients))
    return joined(parts, spec, str(dataset.attrs.get("digest", "")))


def statistics_of(
    sums: Sums, period: Periods, time_step: np.timedelta64, coefficients: np.ndarray | None = None
) -> Statistics:
    """Return the statistics of the channels of sums.

    Args:
        sums: Of the period.
        period: As it is written.
        time_step: One of the steps of the sums.
        coefficients: Of the climatology, `[term, channel, lat, lon]`, for statistics of anomalies.

    Raises:
        UserError: A channel has no valid cell, or no variability, or no two times are a step apart.
    """
    _require_cells(sums.valid, sums.spec)
    _require_pairs(sums, time_step)
    moments = moments_of(sums, sums.steps.index(time_step), coefficients)
    _require_variability(moments, sums.spec)
    mean, std, difference_std = (values.astype(np.float32) for values in moments)
    own = sums.distribution
    values = Values(own.minimum, own.maximum, own.quantiles(PROBABILITIES), own.rank_error)
    return Statistics(sums.spec, mean, std, difference_std, sums.valid, time_step, period, len(sums.times), values)


def joined(parts: Sequence[Statistics], spec: StateSpec, store: str) -> Statistics:
    """Return the statistics of channels of which `parts` describe one group after the other."""

    def whole(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    first, own = parts[0], [part.values for part in parts if part.values is not None]
    minimum, maximum = (np.concatenate([getattr(v, name) for v in own]) for name in ("minimum", "maximum"))
    quantiles = np.concatenate([v.quantiles for v in own], axis=1)
    return Statistics(
        spec,
        whole("mean"),
        whole("std"),
        whole("difference_std"),
        whole("valid"),
        first.time_step,
        first.period,
        first.n_times,
        Values(minimum, maximum, quantiles, own[0].rank_error),
        store,
    )


def require_disjoint(fitted: Statistics | Climatology, period: Periods) -> None:
    """Require that a test period shares nothing with the period that something was fitted on.

    Raises:
        UserError: They overlap.
    """
    if overlap(fitted.period, period):
        raise UserError(
            f"test period {show_periods(period)} overlaps the training period {show_periods(fitted.period)};"
            " choose another test period or compute the statistics and the climatology anew"
        )


def require_current(
    statistics: Statistics, dataset: xr.Dataset, spec: StateSpec, time_step: np.timedelta64, period: Periods
) -> None:
    """Require that statistics are of a state, a step and a period, to which no times have come since.

    Args:
        statistics: Of a run.
        dataset: Analyses of the period.
        spec: Channels and grid.
        time_step: Of the model.
        period: The training period.

    Raises:
        UserError: They are of something else, or the data have more times, or fewer.
    """
    n_times = dataset.sizes["time"]
    other = _difference(statistics, spec, time_step, period)
    if other:
        raise UserError(f"statistics.nc is of {other}; delete it to compute it anew")
    if statistics.n_times != n_times:
        raise UserError(
            f"statistics.nc is of {counted(statistics.n_times, 'time')} of the training period, of which the store now"
            f" has {n_times}; delete statistics.nc to compute it anew, or add what is new to its parts with weatherml"
            " statistics ... --extend"
        )


def _difference(statistics: Statistics, spec: StateSpec, time_step: np.timedelta64, period: Periods) -> str:
    """Return what statistics are of where it is not that."""
    own, hour = statistics.spec, np.timedelta64(1, "h")
    if own.channels != spec.channels:
        return f"the channels {listed(own.names)}, not {listed(spec.names)}"
    if not own.is_same(spec):
        return (
            f"another grid, {own.grid.n_lat} x {own.grid.n_lon}, than the data's {spec.grid.n_lat} x {spec.grid.n_lon}"
        )
    if statistics.time_step != time_step:
        return f"steps of {statistics.time_step / hour:g} h, not {time_step / hour:g} h"
    if write_periods(statistics.period) != write_periods(period):
        return f"the period {show_periods(statistics.period)}, not {show_periods(period)}"
    return ""


def _require_cells(valid: np.ndarray, spec: StateSpec) -> None:
    for name, cells in zip(spec.names, valid, strict=True):
        if not cells.any():
            raise UserError(f"channel {name} holds no data at the first time of the period; leave the channel out")


def _require_pairs(sums: Sums, time_step: np.timedelta64) -> None:
    if not sums.n_pairs(time_step):
        raise UserError(
            f"no two of the {counted(len(sums.times), 'time')} of the period lie a time_step of"
            f" {time_step / np.timedelta64(1, 'h'):g} h apart; choose a longer period or a shorter time_step"
        )


def _require_variability(moments: Moments, spec: StateSpec) -> None:
    for name, _, std, change in zip(spec.names, *moments, strict=True):
        if not (std > 0 and change > 0):
            raise UserError(f"channel {name} does not vary over the period; leave it out of the channels")
