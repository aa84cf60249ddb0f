"""Peaks over a threshold, one of each cluster of values that belong together."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.durations import DurationLike, parse_duration
from weatherml.errors import Option, UserError
from weatherml.extremes.return_periods.maxima import as_field

_READ_BYTES = 2**26
_YEAR = np.timedelta64(31_557_600, "s")
_WHOLE = 0.98  # of the time from the first to the last that must be there for years to be counted by it


@dataclass(frozen=True, eq=False)
class Peaks:
    """Peaks of each place.

    Attributes:
        excess: How far each lies above the threshold, dims (peak, ...), units of the field; NaN where a place has fewer
            than another.
        threshold: Dims (...), units of the field.
        years: How many years the record stands for.
        gap: What is apart by more is another cluster.
        exceedances: How many times lie above, clustered or not, dims (...).
        intervals_index: The extremal index by the times between exceedances, dims (...): 1 over the mean size of a
            cluster, without a gap (Ferro and Segers 2003, doi:10.1111/1467-9868.00401).
    """

    excess: xr.DataArray
    threshold: xr.DataArray
    years: float
    gap: np.timedelta64
    exceedances: xr.DataArray
    intervals_index: xr.DataArray

    @property
    def n_peaks(self) -> xr.DataArray:
        """How many clusters there are, dims (...)."""
        return self.excess.notnull().sum("peak")

    @property
    def runs_index(self) -> xr.DataArray:
        """The extremal index by runs, dims (...): clusters over exceedances; of another gap it is another."""
        return self.n_peaks / self.exceedances.where(self.exceedances > 0)


def peaks_over_threshold(
    field: xr.DataArray | pd.Series,
    threshold: xr.DataArray | float,
    gap: DurationLike = "3D",
    years: float | None = None,
) -> Peaks:
    """Return the largest value of each cluster above a threshold, at each place, of a record that streams by.

    Values above belong to one cluster as long as no more than `gap` lies between two of them (declustering by runs).

    Args:
        field: Dims (time, ...), times rising, any units; or a series of pandas by time.
        threshold: Dims (...), or one for all places.
        gap: Three days for daily temperatures or storms; longer where spells are.
        years: How many years the record stands for; counted by its length when None, which takes a record without
            gaps. Of seasons it is their number, and return periods are then of years of such seasons.

    Raises:
        UserError: There is no time, times do not rise, or the record has gaps and `years` is not said.
    """
    field = as_field(field)
    if "time" not in field.dims or field.sizes["time"] < 2:
        raise UserError(f"a record has a dimension 'time', got {dict(field.sizes)}; pass analyses of one variable")
    field, times = field.transpose("time", ...), field["time"].values.astype("datetime64[ns]")
    if (np.diff(times) <= np.timedelta64(0, "ns")).any():
        raise UserError("the times of the record do not rise; sort them, field.sortby('time')")
    years = _years(times) if years is None else float(years)
    cells = field[0].drop_vars("time", errors="ignore")
    level = (
        xr.DataArray(threshold).broadcast_like(cells).transpose(*cells.dims) if cells.dims else xr.DataArray(threshold)
    )
    clusters = _Clusters(np.asarray(level.values, np.float32).ravel(), parse_duration(gap), times)
    n_read = max(1, _READ_BYTES // (4 * max(1, cells.size)))
    for start in range(0, len(times), n_read):
        values = np.asarray(field[start : start + n_read].values, np.float32)
        clusters.add(times[start : start + n_read], values.reshape(len(values), -1))
    like = cells.compute() if cells.size == 1 else cells
    made = {name: like.copy(data=own.reshape(cells.shape)) for name, own in clusters.told().items()}
    excess = xr.DataArray(
        clusters.peaks().reshape(-1, *cells.shape),
        cells.coords,
        ("peak", *cells.dims),
        name=field.name,
        attrs=field.attrs,
    )
    made_level = like.copy(data=level.values)
    return Peaks(excess, made_level, years, parse_duration(gap), made["exceedances"], made["intervals_index"])


class _Clusters:
    """Clusters of many cells, each by itself, of values that come time by time."""

    def __init__(self, threshold: np.ndarray, gap: np.timedelta64, times: np.ndarray) -> None:
        self.threshold, self.gap = threshold, gap
        self.step = np.timedelta64(int(np.median(np.diff(times).astype(np.int64))), "ns")
        n = len(threshold)
        self.last = np.full(n, np.datetime64("NaT", "ns"), "datetime64[ns]")
        self.unbroken = np.zeros(n, bool)  # whether no time has been missing since the last one above
        self.n_clusters, self.n_above = np.zeros(n, int), np.zeros(n, int)
        self.found: list[np.ndarray] = []
        self.sums = np.zeros((3, n))  # of times between exceedances in steps: how many, their sum, that of squares
        self.longest = np.zeros(n)
        self.before: np.datetime64 | None = None
        self.missing = np.zeros(n, bool)

    def add(self, times: np.ndarray, values: np.ndarray) -> None:
        """Take in float32 `[time, cell]`."""
        self.missing |= np.isnan(values).any(axis=0)
        for time, own in zip(times, values, strict=True):
            if self.before is not None and time - self.before > 1.5 * self.step:
                self.unbroken[:] = False
            self.before = time
            above = np.flatnonzero(own > self.threshold)
            if len(above):
                self._add_above(time, above, own[above] - self.threshold[above])

    def _add_above(self, time: np.datetime64, cells: np.ndarray, excess: np.ndarray) -> None:
        since = time - self.last[cells]
        is_new = ~(since <= self.gap)  # the first of a cell has no time since
        self._add_interval(cells[self.unbroken[cells]], since[self.unbroken[cells]])
        self.n_clusters[cells] += is_new
        self.n_above[cells] += 1
        while len(self.found) < self.n_clusters.max():
            self.found.append(np.full(len(self.threshold), np.float32(np.nan)))
        for number in np.unique(self.n_clusters[cells]):
            own = self.n_clusters[cells] == number
            row = self.found[number - 1]
            row[cells[own]] = np.fmax(row[cells[own]], excess[own])
        self.last[cells], self.unbroken[cells] = time, True

    def _add_interval(self, cells: np.ndarray, since: np.ndarray) -> None:
        steps = since / self.step
        self.sums[:, cells] += np.stack([np.ones(len(steps)), steps, steps**2])
        self.longest[cells] = np.maximum(self.longest[cells], steps)

    def peaks(self) -> np.ndarray:
        """Return excesses `[peak, cell]`, float32; none of cells that miss a value."""
        rows = np.stack(self.found) if self.found else np.empty((0, len(self.threshold)), np.float32)
        return np.where(self.missing, np.float32(np.nan), rows)

    def told(self) -> dict[str, np.ndarray]:
        """Return how many times lie above, and the extremal index, `[cell]`."""
        n, total, squares = self.sums
        with np.errstate(invalid="ignore", divide="ignore"):
            short = 2 * total**2 / (n * squares)
            long = 2 * (total - n) ** 2 / (n * (squares - 3 * total + 2 * n))
        index = np.minimum(1, np.where(self.longest <= 2, short, long))
        return {"exceedances": self.n_above, "intervals_index": np.where(n > 0, index, np.nan)}


def _years(times: np.ndarray) -> float:
    step = np.median(np.diff(times))
    span = times[-1] - times[0] + step
    if len(times) * step < _WHOLE * span:
        share = round(100 * float(len(times) * step / span))
        raise UserError(
            f"the record has gaps: {len(times)} times are {share} % of what lies between the first and the last; say"
            " how many years it stands for",
            Option("years", 2.0, "for two seasons"),
        )
    return float(span / _YEAR)
