"""A forecast and a truth made comparable: one grid, one member, the times that the forecast is valid for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack

import numpy as np
import xarray as xr

from weatherml.data.derived.accumulation import HOUR, Accumulated
from weatherml.data.derived.derivations import ACCUMULATIONS
from weatherml.data.regrid import regrid
from weatherml.durations import DurationLike, format_duration, parse_duration
from weatherml.errors import Option, UserError
from weatherml.grid import LatLonGrid
from weatherml.products.windows import accumulated_over, averaged, sum_of
from weatherml.references import Reference, narrowed
from weatherml.verification.pairing.notes import told_as

TruthMember = int | Literal["mean"]
"""Of a truth of several members: the number of one, or their mean."""


class Alignment(TypedDict, total=False):
    """What may be asked for.

    Attributes:
        grid: "truth" brings the forecast to the truth's grid, "forecast" the truth to the forecast's, the name of a
            grid, such as `1.5deg`, both to that; all of them conservatively.
        average: Means of the truth over so long before each valid time, such as `24h`, instead of the times themselves.
            Without it a truth of more times is taken at the valid ones.
        accumulated: Since when the truth's accumulations run ("hourly", "since 00 UTC", "since 00 and 12 UTC"): what
            the forecast has over some hours, such as total_precipitation_6hr, is then summed from them.
        truth_member: Of a truth of several members one, by its number, or their "mean".
    """

    grid: LatLonGrid | str | None
    average: DurationLike | None
    accumulated: Accumulated | None
    truth_member: TruthMember | None


@dataclass(frozen=True, eq=False)
class RegriddedReference:
    """A climatology, or another reference, on the grid that forecasts were brought to.

    Attributes:
        reference: What is asked for times.
        grid: The grid of what it then tells.
    """

    reference: Reference
    grid: LatLonGrid

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the fields at `times` [time] on the grid, as lazy as those of the reference."""
        own = self.reference.at(times)
        return own if LatLonGrid.from_dataset(own).is_same(self.grid) else regrid(own, self.grid)

    def only(self, variables: Mapping[str, Sequence[int]]) -> Reference:
        """Keep variables at some levels in hPa, where the reference can be asked for them."""
        return RegriddedReference(narrowed(self.reference, variables), self.grid)

    def __getattr__(self, name: str) -> object:
        """Return what else the reference knows of itself, such as the period that it was fitted on."""
        if name.startswith("__") or name == "reference":
            raise AttributeError(name)
        return getattr(self.reference, name)


def align(forecast: xr.Dataset, truth: xr.Dataset, **asked: Unpack[Alignment]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return a forecast and a truth that can be compared, lazily; what was done is in their attribute `judged_as`.

    Nothing is done that is not asked for. Results of `evaluate` say what was.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude).
        truth: Dims (time, [number,] level, latitude, longitude).
        **asked: What is asked for, see `Alignment`.

    Raises:
        UserError: The truth has several members and none is chosen; or a grid, a window or a sum cannot be made.
    """
    forecasts, aligned = align_systems({"": forecast}, truth, **asked)
    return forecasts[""], aligned


def align_systems(
    forecasts: Mapping[str, xr.Dataset], truth: xr.Dataset, **asked: Unpack[Alignment]
) -> tuple[dict[str, xr.Dataset], xr.Dataset]:
    """Return forecasts of several systems, by name, and their one truth, as `align` does for one.

    "forecast" as a grid is that of the first of them. Windows end at all times of the truth,
    so that baselines, which persist or are drawn from other years, are of the same kind.

    Raises:
        UserError: As `align`.
    """
    truth = _of_member(truth, asked.get("truth_member"))
    ends = _times_of(forecasts.values())
    for forecast in forecasts.values():
        truth = _with_sums(forecast, truth, asked.get("accumulated"))
    average, grid = asked.get("average"), asked.get("grid")
    truth = _thinned(truth, ends) if average is None else _averaged(truth, parse_duration(average, "average"))
    if grid is None:
        return dict(forecasts), truth
    target = _target(grid, next(iter(forecasts.values())), truth)
    if average is not None or asked.get("accumulated") is not None:
        truth = truth.chunk(time=1)  # or regridding would compute all windows at once
    return {name: _on_grid(own, target, "forecast") for name, own in forecasts.items()}, _on_grid(
        truth, target, "truth"
    )


def _times_of(forecasts: Collection[xr.Dataset]) -> np.ndarray:
    """Return all valid and initial times, rising."""
    times = [np.add.outer(own["init_time"].values, own["lead_time"].values).ravel() for own in forecasts]
    return np.unique(np.concatenate([*times, *(own["init_time"].values for own in forecasts)]))


def _averaged(truth: xr.Dataset, window: np.timedelta64) -> xr.Dataset:
    text = f"the truth is the mean over {format_duration(window)} up to each valid time"
    return told_as(averaged(truth, window), text)


def _thinned(truth: xr.Dataset, ends: np.ndarray) -> xr.Dataset:
    """Say of a truth that is finer in time than a forecast that it is taken at valid times alone."""
    times = truth["time"].values if "time" in truth.dims else ends
    steps = np.diff(times[(times >= ends[0]) & (times <= ends[-1])])
    if not steps.size or steps.min() >= np.diff(ends).min():
        return truth
    return told_as(truth, f"of the truth's times, every {format_duration(steps.min())}, the valid ones count")


def _of_member(truth: xr.Dataset, member: TruthMember | None) -> xr.Dataset:
    if "number" not in truth.dims:
        if member is not None:
            raise UserError(f"the truth has no members, got truth_member {member!r}; leave it out")
        return truth
    numbers = truth["number"].values.tolist() if "number" in truth.coords else list(range(truth.sizes["number"]))
    if member == "mean":
        mean = truth.mean("number", keep_attrs=True, skipna=False)
        return told_as(mean.astype(np.float32), f"the truth is the mean of {len(numbers)} members")
    if member is None and len(numbers) > 1:
        raise UserError(
            f"the truth has {len(numbers)} members, numbers {numbers[0]} .. {numbers[-1]}",
            Option("truth_member", numbers[0], "to take one of them, or mean"),
        )
    if member is not None and member not in numbers:
        raise UserError(
            f"the truth has no member {member!r}, its numbers are {numbers[0]} .. {numbers[-1]}",
            Option("truth_member", numbers[0]),
        )
    place = 0 if member is None else numbers.index(member)
    return told_as(truth.isel(number=place, drop=True), f"the truth is its member {numbers[place]}")


def _with_sums(forecast: xr.Dataset, truth: xr.Dataset, accumulated: Accumulated | None) -> xr.Dataset:
    """Return a truth with the sums over time that the forecast has and it lacks; missing (NaN) before the first."""
    for name in map(str, forecast.data_vars):
        if name in ACCUMULATIONS and np.diff([np.timedelta64(0, "ns"), *forecast["lead_time"].values]).min() > HOUR:
            truth = told_as(truth, f"{name} of the forecast is taken for sums over one hour")
        way = sum_of(name)
        if way is None or name in truth or way.inputs[0] not in truth:
            continue
        if accumulated is None:
            raise UserError(
                f"the truth has {way.inputs[0]}, the forecast {name}",
                Option("accumulated", "hourly", "to sum it where it is of each hour, or 'since 00 UTC'"),
            )
        text = f"the truth of {name} is summed from its {way.inputs[0]} ({accumulated})"
        made = accumulated_over(truth, name, accumulated)
        truth = told_as(truth.assign({name: made}), text)
    return truth


def _target(grid: LatLonGrid | str, forecast: xr.Dataset, truth: xr.Dataset) -> LatLonGrid:
    named = {"truth": truth, "forecast": forecast}
    if isinstance(grid, LatLonGrid):
        return grid
    return LatLonGrid.from_dataset(named[grid]) if grid in named else LatLonGrid.named(grid)


def _on_grid(dataset: xr.Dataset, target: LatLonGrid, owner: str) -> xr.Dataset:
    own = LatLonGrid.from_dataset(dataset)
    if own.is_same(target):
        return dataset
    text = f"the {owner} is regridded conservatively, from {own.n_lat} x {own.n_lon} to {target.n_lat} x {target.n_lon}"
    return told_as(regrid(dataset, target), text)
