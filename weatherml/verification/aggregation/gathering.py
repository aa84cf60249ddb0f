"""The pass over forecasts and truth that takes sums of statistics, each byte read once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import xarray as xr

from weatherml.verification.aggregation.points import keys_of_points, sums_of_keys
from weatherml.verification.aggregation.regions import Region, region_weights, regions_named, told_of_regions
from weatherml.verification.aggregation.sums import (
    COUNTED,
    DIMS,
    EXPECTED,
    FIELD,
    POINTS,
    TAKEN,
    WEIGHT,
    StatisticSums,
)
from weatherml.verification.aggregation.work import Task, Work
from weatherml.verification.pairing.matched import Matched
from weatherml.verification.statistics.base import Statistic

Progress = Callable[[int, int], None]
"""Called with the number of init times done and the number of all."""


def gather(
    matched: Matched,
    statistics: Sequence[Statistic],
    regions: Sequence[str] | Mapping[str, Region] | None = None,
    progress: Progress | None = None,
) -> StatisticSums:
    """Take sums of statistics, reading one init time and some lead times at once.

    Args:
        matched: Forecasts and their truth.
        statistics: What is wanted; of two with one name one is taken.
        regions: Over which parts of the globe, by name or with their bounds; all that the forecast covers when None.
        progress: Called after each init time.

    Raises:
        UserError: As `pairing.matched.Matched` says, or a region holds nothing.
    """
    wanted = regions_named(regions)
    areas = region_weights(matched.grid, wanted, matched.truth)
    pass_ = _Pass(Work(matched, {own.name: own for own in statistics}), wanted, areas)
    for init in range(matched.shape[0]):
        pass_.judge(init)
        if progress:
            progress(init + 1, matched.shape[0])
    return pass_.sums()


@dataclass(frozen=True, eq=False)
class _Pass:
    """Sums that grow as initial times are judged.

    Attributes:
        work: What is judged.
        regions: By name.
        areas: Of each cell in each region, `[region, lat, lon]`.
        totals: Of each statistic, `[init, lead, channel, region, *axes]`, of areas, and of keys of points.
    """

    work: Work
    regions: Mapping[str, Region]
    areas: np.ndarray
    totals: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def shape(self) -> tuple[int, int, int, int]:
        """(init, lead, channel, region)."""
        n_init, n_leads, _ = self.work.matched.shape
        return n_init, n_leads, len(self.work.channels), len(self.regions)

    def judge(self, init: int) -> None:
        """Add an initial time."""
        for task in self.work.tasks(init):
            self._add(task)

    def sums(self) -> StatisticSums:
        """Return what has been added."""
        statistics, zero = self.work.statistics, np.zeros(self.shape)
        variables = {
            name: ((*DIMS, *statistics[name].axes), total) for name, total in self.totals.items() if name in statistics
        }
        variables[WEIGHT] = (DIMS, self.totals.get(WEIGHT, zero))
        for name in (POINTS, FIELD):
            variables[name] = (DIMS, self.totals.get(name, zero.astype(np.int64)))
        variables[EXPECTED] = (DIMS, np.broadcast_to(self._expected, self.shape).copy())
        variables[COUNTED] = (DIMS, np.ones(self.shape, np.int64))
        variables[TAKEN] = (("statistic", *DIMS), self._taken)
        coords = {name: self.work.matched.forecast[name].values for name in DIMS[:2]}
        places = {"statistic": sorted(statistics), "channel": list(self.work.channels), "region": list(self.regions)}
        made = StatisticSums(xr.Dataset(variables, coords | places))
        return made.over(self.work.matched.grid, told_of_regions(self.regions, self.areas))

    @cached_property
    def _taken(self) -> np.ndarray:
        """Which channels each statistic is taken of, `[statistic, init, lead, channel, region]`."""
        taken = np.zeros((len(self.work.statistics), *self.shape), np.int8)
        for place, name in enumerate(sorted(self.work.statistics)):
            taken[place, :, :, self.work.has(name)] = 1
        return taken

    @cached_property
    def _expected(self) -> np.ndarray:
        """Areas that count where nothing is missing, `[channel, region]`."""
        return np.stack([np.tensordot(own, self.areas, axes=([0, 1], [1, 2])) for own in self.work.masks()])

    @cached_property
    def _keys(self) -> np.ndarray:
        """Of the points in each region and, last, of all, `[region + 1, lat, lon]`."""
        keys = keys_of_points(*self.areas.shape[1:])
        return np.stack([*np.where(self.areas > 0, keys, 0), keys])

    def _add(self, task: Task) -> None:
        mask, init, all_leads = task.mask, task.block.init, task.block.leads
        weights = self.areas[:, None] * mask
        cells = (init, all_leads, task.place)
        self._put(WEIGHT, np.broadcast_to(weights.sum(axis=(2, 3)).T, (len(all_leads), len(self.regions))), cells)
        counted = np.broadcast_to(sums_of_keys(mask, self._keys), (len(all_leads), len(self._keys)))
        self._put(POINTS, counted[:, :-1], cells)
        self._put(FIELD, np.broadcast_to(counted[:, -1:], (len(all_leads), len(self.regions))), cells)
        for statistic in (own for own in task.statistics if not own.is_local):
            self._put(statistic.name, statistic.sums(*task.pairs, weights=weights, mask=mask), cells)
        local = [own for own in task.statistics if own.is_local]
        flat_weights = weights.reshape(*weights.shape[:2], -1)
        for leads, points, pairs in task.tiles() if local else ():
            own_weights = flat_weights[:, leads if flat_weights.shape[1] > 1 else slice(None), points]
            for statistic in local:
                sums = statistic.sums(*pairs, weights=own_weights)
                self._put(statistic.name, sums, (init, all_leads[leads], task.place))

    def _put(self, name: str, sums: np.ndarray, cells: tuple[int, np.ndarray, int]) -> None:
        """Add sums `[lead, region, *axes]`."""
        if name not in self.totals:
            is_statistic = name in self.work.statistics
            shape, kind = (*self.shape, *sums.shape[2:]), np.int64 if name in (POINTS, FIELD) else np.float64
            self.totals[name] = np.full(shape, np.nan if is_statistic else 0, kind)
            if is_statistic:
                self.totals[name][:, :, self.work.has(name)] = 0
        self.totals[name][cells] += sums
