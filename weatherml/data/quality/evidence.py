"""What one pass over a dataset keeps of it, and all that rules may know."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from weatherml.grid import LatLonGrid
from weatherml.state import Channel


@dataclass(frozen=True, eq=False)
class Series:
    """One channel by time `[time]`, float64 unless said, over the finite cells; NaN where there is none.

    Attributes:
        mean: Area-weighted mean.
        std: Area-weighted spread over the cells.
        minimum: Least value.
        maximum: Greatest value.
        n_missing: Cells that are not finite, int64.
        n_zero: Finite cells that are exactly 0, int64.
        fingerprint: Checksum of the bytes, uint64: fields that are equal have equal ones.
        change: RMS over the coarse grid of the change since the time before; NaN at the first time.
        day_change: RMS over the coarse grid of the change since 24 h before; NaN where there is no such time.
    """

    mean: np.ndarray
    std: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray
    n_missing: np.ndarray
    n_zero: np.ndarray
    fingerprint: np.ndarray
    change: np.ndarray
    day_change: np.ndarray


@dataclass(frozen=True, eq=False)
class Cells:
    """One channel by place, over all times, on the coarse grid, float64; NaN where there is no finite value.

    Attributes:
        mean: Over time `[lat, lon]`.
        std: Over time `[lat, lon]`.
        skewness: Over time `[lat, lon]`.
        by_month: Mean of each calendar month `[12, lat, lon]`.
        by_hour: Mean of each hour of the day, UTC `[24, lat, lon]`.
        presence: Share of times with a finite value `[lat, lon]`.
    """

    mean: np.ndarray
    std: np.ndarray
    skewness: np.ndarray
    by_month: np.ndarray
    by_hour: np.ndarray
    presence: np.ndarray


@dataclass(frozen=True, eq=False)
class Rows:
    """One channel along and across the rows of the full grid, float64, at 16 to 256 times evenly spread.

    Attributes:
        zonal_std: Mean over time of the spread along each row `[lat]`; 0 at a pole, of a scalar.
        row_change: RMS over time and columns of the difference between neighbouring rows `[lat - 1]`.
        column_change: RMS over time and rows of the difference between a column and the next one eastward `[lon]`;
            the last is that to the first.
    """

    zonal_std: np.ndarray
    row_change: np.ndarray
    column_change: np.ndarray


@dataclass(frozen=True, eq=False)
class ChannelEvidence:
    """All of one channel.

    Attributes:
        channel: Variable and level.
        series: By time.
        cells: By place.
        rows: Along and across rows.
        never: Cells of the full grid that have no finite value at any time, bool `[lat, lon]`; None where all have.
        sometimes: Cells that are finite at some only of the times with any value; None where there is none.
        attributes: What the data say of the variable.
        n_poles: Rows of the full grid that are one point each.
    """

    channel: Channel
    series: Series
    cells: Cells
    rows: Rows
    never: np.ndarray | None = None
    sometimes: np.ndarray | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    n_poles: int = 0


@dataclass(frozen=True, eq=False)
class Snapshots:
    """All channels at the same few times, evenly spread over the period, on the coarse grid.

    Attributes:
        times: `datetime64[ns]` `[sample]`.
        values: float32 `[sample, channel, lat, lon]`, channels in the order of the evidence.
    """

    times: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the pass over a dataset has kept.

    Attributes:
        grid: Of the data.
        coarse: Block means of it, as coarse as 2.5 degrees allow; the grid itself where that is coarser. Rows at the
            poles are kept as they are.
        times: `datetime64[ns]` `[time]`; empty where the data have none, or some cannot be told.
        channels: What varies in time, by variable and level.
        snapshots: A few times of all channels.
        static: Fields without time on the full grid, by variable.
    """

    grid: LatLonGrid
    coarse: LatLonGrid
    times: np.ndarray
    channels: Mapping[Channel, ChannelEvidence]
    snapshots: Snapshots
    static: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def in_time(self) -> Self:
        """What has a field at each of the times; nothing where those do not rise, or there are none."""
        rises = self.times.size > 0 and bool(np.all(np.diff(self.times) > np.timedelta64(0, "ns")))
        kept = [rises and each.series.mean.size == self.times.size for each in self.channels.values()]
        if all(kept):
            return self
        channels = {channel: each for (channel, each), keep in zip(self.channels.items(), kept, strict=True) if keep}
        snapshots = replace(self.snapshots, values=self.snapshots.values[:, kept])
        return replace(self, channels=channels, snapshots=snapshots)
