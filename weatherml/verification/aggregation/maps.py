"""Sums of statistics at each point: where forecasts are good, whatever the number of initial times."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.storage.files import write_netcdf
from weatherml.verification.aggregation.adding import held_twice, no_truth, require_alike, sizes_of_axes, told_of_grid
from weatherml.verification.aggregation.gathering import Progress
from weatherml.verification.aggregation.grouping import By, labels_of, require_groups
from weatherml.verification.aggregation.judgement import Judgement
from weatherml.verification.aggregation.kept_file import read_sums
from weatherml.verification.aggregation.work import Task, Work
from weatherml.verification.statistics.base import ClassStatistic, PointStatistic, Statistic

TIMES, TRUE, COUNT = "judged", "with_truth", "count"
_POINTS = ("latitude", "longitude")
_DIMS = ("group", "lead_time", "channel", *_POINTS)
_DIMS_OF_TIMES = ("init_time", "lead_time")


@dataclass(frozen=True)
class MapSums:
    """Sums of statistics over initial times, at each point: as large for a year as for a day.

    Parts of other initial times add up in any order; what was judged in another way is refused, as of `StatisticSums`.

    Attributes:
        dataset: One variable for each statistic by its name, dims ([group,] lead_time, channel, latitude, longitude,
            ...), NaN where a channel does not have it; `count`, how often each point counted; and, dims (init_time,
            lead_time), whether a time is among them (`judged`) and whether it had a truth (`with_truth`).
    """

    dataset: xr.Dataset

    def __add__(self, other: "MapSums") -> "MapSums":
        require_alike(self._told(), other._told())
        left, right = xr.align(self.dataset, other.dataset, join="outer", fill_value=0)
        twice = (left[TIMES] > 0) & (right[TIMES] > 0)
        for time in left["init_time"].values[twice.any("lead_time").values]:
            raise held_twice("maps", time)
        whole = {name: own + right[name] if name in right else own for name, own in left.data_vars.items()}
        alone = {name: own for name, own in right.data_vars.items() if name not in left}  # the left had no truth
        return MapSums(left.assign(whole | alone).assign_attrs(self.dataset.attrs | other.dataset.attrs))

    def means(self, statistics: Iterable[Statistic]) -> list[np.ndarray]:
        """Return means of statistics, `[*group, lead, channel, lat, lon, ...]`, NaN where a point never counted.

        Raises:
            UserError: Some init time was not judged at some lead time, a statistic was not taken, or no valid time has
                a truth.
        """
        count, names = self.dataset[COUNT], [own.name for own in statistics]
        for time in self.dataset["init_time"].values[(self.dataset[TIMES] == 0).any("lead_time").values]:
            raise UserError(f"init time {np.datetime64(time, 'm')} was not judged at all lead times; add that part")
        for absent in (name for name in names if name not in self.dataset):
            if not count.any():
                raise no_truth(self.dataset)
            raise UserError(f"there are no maps of {absent}; name the metric that needs it where forecasts are judged")
        return [(self.dataset[name] / count).transpose(*count.dims, ...).values for name in names]

    @property
    def n_init_times(self) -> int:
        """How many init times have a part in the maps: some valid time of theirs has a truth."""
        return int(self.dataset.get(TRUE, self.dataset[TIMES]).any("lead_time").sum())

    def _told(self) -> dict[str, Any]:
        """Return what must be the same of all parts that tell it."""
        dataset, groups = self.dataset, [str(dim) for dim in self.dataset[COUNT].dims[:-4]]
        taken = sorted(str(name) for name in dataset.data_vars if name not in (TIMES, COUNT, TRUE))
        told = {
            "channel": sorted(dataset["channel"].values.tolist()),
            "grid": told_of_grid(LatLonGrid.from_dataset(dataset)),
            "groups of": groups,
            **sizes_of_axes(dataset, (*_DIMS_OF_TIMES, "channel", *_POINTS, *groups)),
        }
        return dataset.attrs | told | ({"statistic": taken} if taken else {})

    def save(self, path: str | Path) -> None:
        """Write as NetCDF, whole or not at all."""
        write_netcdf(Path(path), self.dataset)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: It is no such file.
        """
        return cls(read_sums(path, (TIMES, COUNT), "maps of statistics", "write some with MapSums.save"))


def gather_maps(judgement: Judgement, by: By | None = None, progress: Progress | None = None) -> MapSums:
    """Sum statistics at each point over initial times, reading one of them and some lead times at once.

    Args:
        judgement: What is judged; of statistics those that are taken point by point have maps.
        by: Into which groups of times; all together when None.
        progress: Called after each init time.

    Raises:
        UserError: A statistic is of whole fields; or as `pairing.matched.Matched` says.
    """
    require_groups(by)
    statistics = {own.name: own for own in judgement.statistics}
    for name in (name for name, own in statistics.items() if not isinstance(own, PointStatistic | ClassStatistic)):
        raise UserError(f"{name} is of whole fields and has no map; leave its metric out")
    pass_ = _Pass(Work(judgement.matched, statistics), by)
    n_init = judgement.matched.shape[0]
    for init in range(n_init):
        for task in pass_.work.tasks(init):
            pass_.add(task)
        if progress:
            progress(init + 1, n_init)
    return MapSums(pass_.dataset().assign_attrs(judgement.attributes))


@dataclass(frozen=True, eq=False)
class _Pass:
    """Sums that grow as initial times are judged.

    Attributes:
        work: What is judged.
        by: Into which groups of times.
        totals: Of each statistic and of counts, `[group, lead, channel, point, *axes]`.
    """

    work: Work
    by: By | None
    totals: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def has_truth(self) -> np.ndarray:
        """Whether each time has one, `[init, lead]`."""
        return np.zeros(self.work.matched.shape[:2], np.int8)

    @cached_property
    def groups(self) -> tuple[np.ndarray, list[str]]:
        """The group of each init and lead time, `[init, lead]`, and what groups are called."""
        if self.by is None:
            return np.zeros(self.work.matched.shape[:2], int), ["all"]
        return labels_of(self.work.matched.forecast, self.by)

    def add(self, task: Task) -> None:
        """Add a channel of some leads."""
        n_leads = len(task.block.leads)
        self.has_truth[task.block.init, task.block.leads] = 1
        counts = np.broadcast_to(task.mask, (n_leads, *self.work.matched.grid.shape)).reshape(n_leads, -1)
        self._put(COUNT, counts, task, slice(None), slice(None))
        for leads, points, pairs in task.tiles():
            own = counts[leads, points]
            for statistic in task.statistics:
                counted = own.reshape(*own.shape, *[1] * len(statistic.axes))
                self._put(statistic.name, _at(statistic, pairs) * counted, task, leads, points)

    def dataset(self) -> xr.Dataset:
        """Return what has been added."""
        forecast, axes = self.work.matched.forecast, {name: own.axes for name, own in self.work.statistics.items()}
        variables: dict[str, Any] = {
            name: ((*_DIMS, *axes.get(name, ())), self._map(total)) for name, total in self.totals.items()
        }
        variables.setdefault(COUNT, (_DIMS, self._map(self._nothing(COUNT, ()))))
        variables[TIMES] = (_DIMS_OF_TIMES, np.ones(self.work.matched.shape[:2], np.int8))
        variables[TRUE] = (_DIMS_OF_TIMES, self.has_truth)
        coords = {name: forecast[name].values for name in (*_DIMS_OF_TIMES, *_POINTS)}
        made = xr.Dataset(variables, {**coords, "channel": list(self.work.channels), "group": self.groups[1]})
        return made.isel(group=0, drop=True) if self.by is None else made.rename(group=self.by)

    def _put(self, name: str, values: np.ndarray, task: Task, leads: slice, points: slice) -> None:
        """Add values `[lead, point, *axes]`."""
        if name not in self.totals:
            self.totals[name] = self._nothing(name, values.shape[2:])
        labels, all_leads = self.groups[0][task.block.init], task.block.leads[leads]
        for lead, own in zip(all_leads, values, strict=True):
            self.totals[name][labels[lead], lead, task.place, points] += own

    def _nothing(self, name: str, axes: Sequence[int]) -> np.ndarray:
        """Return zeros, and NaN for channels that have no such statistic."""
        n_channels, n_points = len(self.work.channels), math.prod(self.work.matched.grid.shape)
        total = np.zeros((len(self.groups[1]), self.work.matched.shape[1], n_channels, n_points, *axes))
        if name in self.work.statistics:
            total[:, :, np.setdiff1d(np.arange(n_channels), self.work.has(name))] = np.nan
        return total

    def _map(self, total: np.ndarray) -> np.ndarray:
        return total.reshape(*total.shape[:3], *self.work.matched.grid.shape, *total.shape[4:])


def _at(statistic: Statistic, pairs: Sequence[Any]) -> np.ndarray:
    """Return the values of a statistic, or 1 in the class of each point, `[lead, point, *axes]`."""
    if isinstance(statistic, ClassStatistic):
        classes, shape = statistic.classes(*pairs)
        return np.asarray(np.eye(int(np.prod(shape)))[classes].reshape(*classes.shape, *shape))
    assert isinstance(statistic, PointStatistic)
    values, n_axes = statistic.at(*pairs), len(statistic.axes)
    return np.moveaxis(values, range(n_axes), range(-n_axes, 0)) if n_axes else values
