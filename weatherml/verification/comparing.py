"""Whether one system is better than another, from forecasts that both made."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import Option, UserError
from weatherml.errors.wording import counted, listed
from weatherml.verification.aggregation.grouping import By
from weatherml.verification.aggregation.sums import (
    COUNTED,
    DIMS,
    EXPECTED,
    FIELD,
    GRID,
    TAKEN,
    WEIGHT,
    StatisticSums,
    are_others,
)
from weatherml.verification.metrics import scoring
from weatherml.verification.metrics.base import Better, Metric
from weatherml.verification.metrics.registry import find
from weatherml.verification.significance.method import CONFIDENCE, Method

_ROUNDING = 1e-12
"""Of a score: what sums of the same numbers differ by, added in another order. A smaller difference is none."""

_SAME_AREA = 1e-4
"""Share by which areas of the same points may differ: a row at a pole that one of two grids of 0.25 degrees lacks."""
_WORDS = {"init_time": "init time", "lead_time": "lead time", "channel": "channel", "region": "region"}
_NOWHERE = (
    "the two systems were nowhere judged at the same points: one lacks values, or lies on another grid, where the"
)
_REMEDIES = (
    Option("region", "part=NORTH,WEST,SOUTH,EAST", "of a part where both have values", "regions=['part=70,0,20,90']"),
    Option("grid", "truth", "for one grid", "weatherml.align(forecast, truth, grid='truth')"),
    Option("shared_points", purpose="for the points of both", python="first.where(second.notnull())"),
)


def _nowhere() -> UserError:
    return UserError(f"{_NOWHERE} other is judged", *_REMEDIES)


def compare(
    first: StatisticSums,
    second: StatisticSums,
    metric: str | Metric,
    *,
    by: By | None = None,
    interval: str | Method = "circular",
) -> xr.Dataset:
    """Return the score of the first system less that of the second, over the init times, lead times and channels of
    both.

    Where the better of two scores is that nearer to zero (bias) or one (spread_skill), it is the distances to these
    that are compared.

    Args:
        first: What `accumulate` kept of the first system, for this metric.
        second: The same of the second system.
        metric: Name of the metric, or one of one's own.
        by: Into which groups of times.
        interval: How the interval is had, by a name in `significance.methods` or a method with parameters.

    Returns:
        Dims ([by,] channel, [region,] lead_time, *axes): `difference` with `lower` and `upper`, in units of the metric,
        the 95 % interval of the paired difference; `relative`, the difference over the score of the second system (or
        its distance); `p_value`, two-sided; and `better`, 1 where the first is the better one with 95 % confidence, -1
        where the second is, else 0. What is rounding, below 1e-12 of the score, is no difference: 0, with p = 1. The
        attributes say of how many init times, and what was left out.

    Raises:
        UserError: The systems share no init time, lead time, channel or region, or lack what the metric needs.
    """
    recipe = find(metric) if isinstance(metric, str) else metric
    pair = pair_up(first, second).of(recipe)
    judged = difference(pair, recipe, by, interval)
    judged["better"] = who_is_better(judged, recipe.better, judged["p_value"] < 1 - CONFIDENCE)
    return judged.map(scoring.without_globe).assign_coords(recipe.coords).assign_attrs(pair.attributes)


@dataclass(frozen=True, eq=False)
class Paired:
    """Two systems over what both forecast.

    Attributes:
        first: Of the first system.
        second: Of the second, with the same init times, lead times, channels and regions, and areas in the same of
            these.
        left_out: What only one of them has, in words.
    """

    first: StatisticSums
    second: StatisticSums
    left_out: str

    @property
    def attributes(self) -> dict[str, Any]:
        """What a result says of it."""
        return {"n_init_times": self.first.n_init_times, "left_out": self.left_out}

    def of(self, metric: Metric) -> "Paired":
        """Return the same for a metric: where it takes whole fields these must be judged at the same points outside of
        regions, too, into which neighbourhoods reach.

        Raises:
            UserError: They nowhere are.
        """
        fields = [own.points(FIELD) for own in (self.first, self.second)]
        apart = are_others(*fields) & self._on_one_grid
        if all(own.is_local for own in metric.statistics) or not apart.any():
            return self
        counts = self.first.dataset[WEIGHT] > 0
        if not (counts & ~apart).any():
            raise _nowhere()
        n_fields = int((counts & apart).any("region").sum())
        said = f"{counted(n_fields, 'field')} of which the systems are judged at other points around regions"
        one, other = (StatisticSums(_only_where(~apart, own.dataset)) for own in (self.first, self.second))
        return Paired(one, other, ", ".join([self.left_out] * bool(self.left_out) + [said]))

    @property
    def _on_one_grid(self) -> bool:
        grids = {own.dataset[WEIGHT].attrs.get(GRID) for own in (self.first, self.second)}
        return len(grids) == 1


def pair_up(first: StatisticSums, second: StatisticSums) -> Paired:
    """Keep what two systems share.

    Raises:
        UserError: They share no init time, lead time, channel or region, or were nowhere judged at the same points.
    """
    own_axes = (set(first.dataset.dims) | set(second.dataset.dims)) - set(DIMS)  # of more members there are more ranks
    left, right = xr.align(first.dataset, second.dataset, join="inner", exclude=own_axes, copy=False)
    for dim in (dim for dim in DIMS if left.sizes[dim] == 0):
        one, other = (_range(own.dataset[dim]) for own in (first, second))
        raise UserError(
            f"the two systems share no {_WORDS[dim]}: the first has {one}, the second {other}; compare forecasts that"
            " have init times, lead times, channels and regions in common"
        )
    for system in (left, right):
        StatisticSums(system).require_counted()
    parts = [
        f"{counted(own.dataset.sizes[dim] - left.sizes[dim], _WORDS[dim])} of the {name} system"
        for name, own in (("first", first), ("second", second))
        for dim in DIMS
        if own.dataset.sizes[dim] > left.sizes[dim]
    ]
    alike, apart = _same_points(StatisticSums(left), StatisticSums(right))
    if apart:
        left, right = (_only_where(alike, own) for own in (left, right))
    return Paired(StatisticSums(left), StatisticSums(right), ", ".join([*parts, *apart]))


def difference(pair: Paired, metric: Metric, by: By | None, interval: str | Method) -> xr.Dataset:
    """Return `difference`, `lower`, `upper`, `relative`, `p_value`, dims ([by,] channel, region, lead_time, *axes)."""
    half = len(metric.statistics)
    distance = _distance(metric)

    def less(*means: Any) -> Any:
        one, other = distance(*means[:half]), distance(*means[half:])
        if one.shape != other.shape:
            raise UserError(
                f"along {listed(metric.axes)} the two systems have {one.shape[-1]} and {other.shape[-1]} places, as"
                " they have other numbers of members; compare a score that is one number"
            )
        return _told_apart(one, other, float(metric.better == "one"))

    judged = scoring.judge([pair.first, pair.second], replace(metric, function=less), by, interval)
    of_second = scoring.judge([pair.second], replace(metric, function=distance), by, "none")["estimate"]
    judged = judged.rename(estimate="difference")
    return judged.assign(relative=judged["difference"] / of_second)


def who_is_better(judged: xr.Dataset, better: Better, is_significant: xr.DataArray) -> xr.DataArray:
    """Return 1 where the first system is surely the better one, -1 where the second is, else 0."""
    sign = {"neither": 0, "higher": 1}.get(better, -1)
    leading: xr.DataArray = sign * xr.ufuncs.sign(judged["difference"])
    return leading.where(is_significant, 0).fillna(0).astype(np.int8)


def _told_apart(one: Any, other: Any, best: float) -> Any:
    """Return the first less the second; 0 where rounding alone tells scores, or distances from the best, apart."""
    size = np.maximum(np.maximum(np.abs(one), np.abs(other)), best)
    return np.where(np.abs(one - other) < _ROUNDING * size, 0, one - other)


def _same_points(left: StatisticSums, right: StatisticSums) -> tuple[xr.DataArray, list[str]]:
    """Return where two systems were judged at the same points, dims `DIMS`, and in words where they were not.

    Of one grid the points themselves are known; on two it is the same area that counts as the same points.

    Raises:
        UserError: They were nowhere.
    """
    first, second = left.dataset[WEIGHT], right.dataset[WEIGHT]
    larger = xr.ufuncs.maximum(first, second)
    alike = (larger > 0) & (abs(first - second) <= _SAME_AREA * larger)
    if first.attrs.get(GRID) == second.attrs.get(GRID):
        alike &= ~are_others(left.points(), right.points())
    apart = (larger > 0) & ~alike
    if not alike.any():
        raise _nowhere()
    one_alone = apart & (xr.ufuncs.minimum(first, second) == 0)
    words = []
    if n_alone := int(one_alone.any(["channel", "region"]).sum()):
        words.append(f"{counted(n_alone, 'forecast')} of which one system has no area that counts")
    if n_others := int((apart & ~one_alone).any("region").sum()):
        words.append(f"{counted(n_others, 'field')} of which the systems are judged at other points")
    return alike, words


def _only_where(both: xr.DataArray, dataset: xr.Dataset) -> xr.Dataset:
    """Leave out what counts in one system alone; what was to be judged stays."""
    kept = dataset.drop_vars([COUNTED, EXPECTED, TAKEN], errors="ignore").where(both, 0)
    return dataset.assign(kept.data_vars)


def _distance(metric: Metric) -> Callable[..., Any]:
    """Return what is compared of a metric: the score, or how far it is from the best."""
    if metric.better not in ("zero", "one"):
        return metric.function
    best = float(metric.better == "one")
    return lambda *means: np.abs(metric.function(*means) - best)


def _range(values: xr.DataArray) -> str:
    """Return some values in words: all of a few names, the first and the last of times."""
    if not values.size:
        return "none"
    if values.dtype.kind == "M":
        return f"{values.values[0]:.16} to {values.values[-1]:.16}"
    if values.dtype.kind == "m":
        hours = values.values / np.timedelta64(1, "h")
        return f"{hours[0]:g} h to {hours[-1]:g} h"
    return listed(values.values)
