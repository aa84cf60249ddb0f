"""What is kept of judged forecasts: sums over area of each statistic, by initial time and lead."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add, or_
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.storage.files import write_netcdf
from weatherml.verification.aggregation.adding import (
    NOTHING,
    held_twice,
    no_truth,
    require_alike,
    sizes_of_axes,
    told_of_grid,
)
from weatherml.verification.aggregation.kept_file import read_sums
from weatherml.verification.statistics.base import Statistic

DIMS = ("init_time", "lead_time", "channel", "region")
WEIGHT, POINTS, FIELD, COUNTED, EXPECTED, TAKEN = "weight", "points", "field_points", "counted", "expected", "taken"
_ABOUT = (WEIGHT, POINTS, FIELD, COUNTED, EXPECTED, TAKEN)
_STATISTIC = "statistic"
GRID, _REGIONS = "grid", "regions"
"""Attributes of `weight`."""
_ROUNDING = 1e-6
"""Of areas, relative."""


@dataclass(frozen=True)
class StatisticSums:
    """Sums of statistics over area: small, whatever was judged.

    Parts add up in any order, over init times, lead times, channels, regions or statistics; a statistic that two parts
    both hold of one forecast is refused, and so are parts that were judged in other ways.

    Attributes:
        dataset: One variable for each statistic, dims (init_time, lead_time, channel, region, ...), by the statistic's
            name; by the same dims the area that counted (`weight`) and that which would have, had nothing been missing
            (`expected`), both steradian; numbers that tell which points counted in the region (`points`) and which in
            the whole field (`field_points`), which neighbourhoods reach into; whether each cell was looked at
            (`counted`); and, along `statistic`, too, whether each was taken there (`taken`). What was not
            taken is NaN. Attributes say what was judged, such as how many members; those of `weight` on which grid and
            over which cells.
    """

    dataset: xr.Dataset

    def __add__(self, other: "StatisticSums") -> "StatisticSums":
        require_alike(self._told(), other._told())
        told = [{name: own.points(name) for name in (POINTS, FIELD)} | {TAKEN: own._taken} for own in (self, other)]
        apart = [own.dataset.assign(known) for own, known in zip((self, other), told, strict=True)]
        fill = {name: 0 for name in _ABOUT}
        left, right = xr.align(*apart, join="outer", fill_value=fill)
        _require_apart(left, right)
        names = {str(name) for part in (left, right) for name in part if name not in _ABOUT}
        whole: dict[str, Any] = {name: _either(left.get(name), right.get(name)) for name in sorted(names)}
        whole |= {name: np.maximum(left[name], right[name]) for name in _ABOUT}
        whole[WEIGHT] = whole[WEIGHT].assign_attrs(_joined(left[WEIGHT].attrs, right[WEIGHT].attrs))
        attributes = self.dataset.attrs | other.dataset.attrs
        return StatisticSums(_with_zeros(left.assign(whole)).assign_attrs(attributes))

    def described(self, **attributes: int | str) -> "StatisticSums":
        """Return the same with attributes, which parts that are added up have in common."""
        return StatisticSums(self.dataset.assign_attrs(attributes))

    def over(self, grid: LatLonGrid, regions: Mapping[str, str]) -> "StatisticSums":
        """Return the same with a note of the grid, and of what each region is."""
        told = {GRID: told_of_grid(grid), _REGIONS: json.dumps(dict(regions))}
        return StatisticSums(self.dataset.assign({WEIGHT: self.dataset[WEIGHT].assign_attrs(told)}))

    @classmethod
    def total(cls, parts: Iterable["StatisticSums"]) -> "StatisticSums":
        """Add up parts as they come, those of equally many at a time: each is copied a few times, and few are held."""
        waiting: list[tuple[int, StatisticSums]] = []
        for part in parts:
            waiting.append((1, part))
            while len(waiting) > 1 and waiting[-2][0] == waiting[-1][0]:
                (n, left), (_, right) = waiting[-2:]
                waiting[-2:] = [(2 * n, left + right)]
        return reduce(add, (sums for _, sums in waiting))

    def of(self, statistics: Iterable[Statistic]) -> list[np.ndarray]:
        """Return the sums of statistics, `[init, lead, channel, region, ...]`.

        Raises:
            UserError: Some init time was not judged at some lead time or for some channel, or a statistic was not
                taken, or not of all init times; or no valid time has a truth.
        """
        self._require_whole()
        names = [own.name for own in statistics]
        for absent in (name for name in names if name not in self.dataset):
            if not self.dataset[WEIGHT].any():
                raise no_truth(self.dataset)
            raise UserError(f"there are no sums of {absent}; name the metric that needs it where forecasts are judged")
        for name in names:
            self._require_taken(name)
        return [self.dataset[name].transpose(*DIMS, ...).values for name in names]

    @property
    def weights(self) -> np.ndarray:
        """Areas that counted, `[init, lead, channel, region]`."""
        weights: np.ndarray = self.dataset[WEIGHT].transpose(*DIMS).values
        return weights

    def points(self, name: str = POINTS) -> xr.DataArray:
        """Return which points counted, of `POINTS` or `FIELD`, as one number, dims `DIMS`; 0 where none did, or untold.

        That of other points is another number.
        """
        return self.dataset[name] if name in self.dataset else xr.zeros_like(self.dataset[WEIGHT], np.int64)

    @property
    def n_init_times(self) -> int:
        """How many init times have a part in what was judged: some area of them counted."""
        return int((self.weights > 0).any(axis=(1, 2, 3)).sum())

    @property
    def had_truth(self) -> bool:
        """Whether any valid time had one: statistics were taken, even if nothing counted."""
        return any(name not in _ABOUT for name in self.dataset) or bool((self.weights > 0).any())

    def require_counted(self) -> None:
        """Require that there is something to score.

        Raises:
            UserError: No valid time has a truth, or nothing counted.
        """
        if not self.had_truth:
            raise no_truth(self.dataset)
        if not self.weights.any():
            raise UserError(NOTHING, "give a forecast and a truth that have values at the same times and points")

    @property
    def is_whole(self) -> bool:
        """Whether nothing was missing: all the area counted that could have."""
        return bool(np.allclose(self.dataset[WEIGHT], self.dataset[EXPECTED], rtol=_ROUNDING, atol=0))

    @property
    def share_judged(self) -> xr.DataArray:
        """The share of area, over all init times, that counted: dims (lead_time, channel, region)."""
        whole = self.dataset[[WEIGHT, EXPECTED]].sum("init_time")
        return whole[WEIGHT] / whole[EXPECTED]

    def save(self, path: str | Path) -> None:
        """Write as NetCDF, whole or not at all."""
        write_netcdf(Path(path), self.dataset)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: It is no such file.
        """
        needed = (WEIGHT, COUNTED, EXPECTED)
        return cls(read_sums(path, needed, "sums of statistics", "make it with weatherml evaluate"))

    @property
    def _taken(self) -> xr.DataArray:
        """Which statistics were taken where; of sums that do not tell, those that have numbers."""
        if TAKEN in self.dataset:
            return self.dataset[TAKEN]
        own = self.dataset.drop_vars([name for name in _ABOUT if name in self.dataset]).data_vars
        numbers = [held.notnull().any([dim for dim in held.dims if dim not in DIMS]) for held in own.values()]
        names = xr.Variable(_STATISTIC, list(map(str, own)))
        return xr.concat(numbers, names).astype(np.int8) if numbers else self._nothing_taken

    @property
    def _nothing_taken(self) -> xr.DataArray:
        return self.dataset[COUNTED].expand_dims({_STATISTIC: np.array([], str)}).astype(np.int8)

    def _told(self) -> dict[str, Any]:
        """Return what must be the same of all parts that tell it."""
        about = dict(self.dataset[WEIGHT].attrs)
        regions = json.loads(about.pop(_REGIONS, "{}"))
        axes = sizes_of_axes(self.dataset, (*DIMS, _STATISTIC))
        return {**self.dataset.attrs, **about, **{f"region {name}": own for name, own in regions.items()}, **axes}

    def _require_taken(self, name: str) -> None:
        if name not in self._taken[_STATISTIC]:
            return
        taken = self._taken.sel({_STATISTIC: name})
        lacking = (taken == 0) & taken.any("init_time")
        for time in self.dataset["init_time"].values[lacking.any(DIMS[1:]).values]:
            raise UserError(
                f"{name} was not taken of init time {np.datetime64(time, 'm')}, and was of others; judge all init times"
                " for the metric that needs it, or leave that metric out"
            )

    def _require_whole(self) -> None:
        counted = self.dataset[COUNTED].transpose(*DIMS)
        if not counted.all():
            hole = counted.where(counted == 0).stack(cell=DIMS).dropna("cell").cell.values[0]
            raise UserError(
                f"nothing was evaluated at init_time, lead_time, channel, region = {hole}; add that part, "
                "or select what all init times have"
            )


def are_others(first: xr.DataArray, second: xr.DataArray) -> xr.DataArray:
    """Return where `points` of two sums on one grid are others, though they may have the same area."""
    return (first > 0) & (second > 0) & (first != second)


def _joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notes of two parts, of the regions of both."""
    regions = [json.loads(own[_REGIONS]) for own in (first, second) if _REGIONS in own]
    return {**first, **second} | ({_REGIONS: json.dumps(reduce(or_, regions))} if regions else {})


def _either(first: xr.DataArray | None, second: xr.DataArray | None) -> xr.DataArray:
    """Return a statistic of two parts, of which one alone has it at any place."""
    known = [own for own in (first, second) if own is not None]
    return known[0] if len(known) == 1 else known[0].fillna(known[1])


def _require_apart(first: xr.Dataset, second: xr.Dataset) -> None:
    """Require that no two parts hold the same, and that what both looked at they judged on the same points.

    Raises:
        UserError: They do not.
    """
    twice = (first[TAKEN] > 0) & (second[TAKEN] > 0)
    for name in twice[_STATISTIC].values[twice.any(DIMS).values]:
        at = twice.sel({_STATISTIC: name}).any(DIMS[1:]).values
        raise held_twice(str(name), first["init_time"].values[at][0])
    both = (first[COUNTED] > 0) & (second[COUNTED] > 0)
    differ = abs(first[WEIGHT] - second[WEIGHT]) > _ROUNDING * first[WEIGHT]
    for name in (POINTS, FIELD):
        differ |= are_others(first[name], second[name])
    apart = both & differ
    for time in first["init_time"].values[apart.any(DIMS[1:]).values]:
        raise UserError(
            f"two parts judged init time {np.datetime64(time, 'm')} on other points of the globe, so that one of them"
            " cannot lend its statistics to the other; judge it for all metrics at once"
        )


def _with_zeros(dataset: xr.Dataset) -> xr.Dataset:
    """Give times without any truth, whose parts have no statistics, sums of zero over their area of none."""
    empty = dataset[WEIGHT] == 0
    if not empty.any():
        return dataset
    zeros = dataset[TAKEN].astype(bool) & empty
    filled = {
        name: own.where(~zeros.sel({_STATISTIC: name}, drop=True), 0)
        for name, own in dataset.data_vars.items()
        if name in zeros[_STATISTIC]
    }
    return dataset.assign(filled)
