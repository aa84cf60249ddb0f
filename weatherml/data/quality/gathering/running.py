"""Evidence of one variable, as its blocks come in one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from weatherml.data.quality.evidence import Cells, ChannelEvidence, Rows, Series
from weatherml.data.quality.gathering.block import Group, Partial
from weatherml.data.quality.gathering.numbers.fields import FieldNumbers
from weatherml.data.quality.gathering.numbers.lags import Lagged
from weatherml.data.quality.gathering.numbers.moments import Moments
from weatherml.data.quality.gathering.numbers.rows import RowSums
from weatherml.grid import LatLonGrid
from weatherml.state import Channel

_POLE = 90 - 1e-3
_LENGTHS = {"month": 12, "hour": 24}


@dataclass(eq=False)
class Running:
    """What the blocks of a variable have shown so far; memory grows by a few numbers a time.

    Attributes:
        weights: Areas of the coarse cells `[lat, 1]`.
        grid: The full one.
        attributes: Of the variable.
    """

    weights: np.ndarray
    grid: LatLonGrid
    attributes: Mapping[str, Any]
    _numbers: list[FieldNumbers] = field(default_factory=list)
    _changes: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    _last_day: Lagged | None = None
    _cells: Moments | None = None
    _groups: dict[Group, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    _found: np.ndarray | None = None
    _n_filled: np.ndarray | int = 0
    _n_fields: int = 0
    _rows: RowSums | None = None
    _snapshots: list[np.ndarray] = field(default_factory=list)

    def add(self, partial: Partial) -> None:
        """Take in the block that follows those before."""
        self._numbers.append(partial.numbers)
        self._changes.append(self._across(partial))
        self._cells = partial.cells.doubled() if self._cells is None else self._cells + partial.cells
        for group, sums in partial.groups.items():
            self._groups[group] = _added(self._groups.get(group), sums)
        self._count(partial)
        if partial.rows is not None:
            self._rows = partial.rows if self._rows is None else self._rows + partial.rows
        self._snapshots.append(partial.snapshots)

    def _across(self, partial: Partial) -> tuple[np.ndarray, np.ndarray]:
        """Return the changes at each time, also those from the blocks before."""
        change, day_change = partial.change.copy(), partial.day_change.copy()
        if self._last_day is not None:
            both = self._last_day + partial.first
            n_before = len(self._last_day.times)
            before, day_before = (changes[n_before:] for changes in both.changes(self.weights))
            change[0] = before[0]
            day_change[: len(day_before)] = day_before
            partial_last = self._last_day + partial.last
            self._last_day = partial_last.last_day()
        else:
            self._last_day = partial.last
        return change, day_change

    def _count(self, partial: Partial) -> None:
        n_fields = partial.n_fields
        if partial.found is not None and self._found is None:
            self._found = np.full((*partial.n_filled.shape, *self.grid.shape), self._n_fields, np.int32)
        if self._found is not None:
            self._found += n_fields if partial.found is None else partial.found
        self._n_fields += n_fields
        self._n_filled = self._n_filled + partial.n_filled

    def snapshots(self) -> np.ndarray:
        """Return the coarse fields that were kept `[snapshot, level, lat, lon]`."""
        return np.concatenate(self._snapshots)

    def evidence(self, channels: list[Channel]) -> Mapping[Channel, ChannelEvidence]:
        """Return the evidence of each level."""
        series, cells, rows = self._series(), self._places(), self._row_means()
        return {
            channel: ChannelEvidence(
                channel,
                Series(*(values[:, level] for values in series)),
                Cells(*(values[level] for values in cells)),
                Rows(*(values[level] for values in rows)),
                *self._masks(level),
                self.attributes,
                int((np.abs(self.grid.latitude) > _POLE).sum()),
            )
            for level, channel in enumerate(channels)
        }

    def _series(self) -> tuple[np.ndarray, ...]:
        joined = FieldNumbers(*map(np.concatenate, zip(*self._numbers, strict=True)))
        change, day_change = map(np.concatenate, zip(*self._changes, strict=True))
        mean, variance, *others = joined
        return mean, np.sqrt(variance), *others, change, day_change

    def _places(self) -> tuple[np.ndarray, ...]:
        assert self._cells is not None
        cells = self._cells
        by_group = [self._by_group(kind, cells.mean.shape) for kind in _LENGTHS]
        presence = np.broadcast_to(cells.count / max(self._n_fields, 1), cells.mean.shape)
        months, hours = by_group
        return cells.known_mean, cells.std, cells.skewness, months, hours, presence

    def _by_group(self, kind: str, shape: tuple[int, ...]) -> np.ndarray:
        means = np.full((shape[0], _LENGTHS[kind], *shape[1:]), np.nan, np.float32)
        for (own, group), (total, count) in self._groups.items():
            if own == kind:
                with np.errstate(invalid="ignore", divide="ignore"):
                    means[:, group] = total / count
        return means

    def _row_means(self) -> tuple[np.ndarray, ...]:
        assert self._rows is not None
        return self._rows.means()

    def _masks(self, level: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self._found is None:
            return None, None
        found = self._found[level]
        never = found == 0
        sometimes = ~never & (found < np.asarray(self._n_filled)[level])
        return (never if never.any() else None), (sometimes if sometimes.any() else None)


def _added(
    one: tuple[np.ndarray, np.ndarray] | None, other: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    return other if one is None else (np.add(one[0], other[0], dtype=np.float64), one[1] + other[1])
