"""A forecast member by member, and functions of members, which need nothing of each other.

What members share, chunks of dask that hold several of them, is read once: such members are taken one after the other
by the same worker.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import dask
import numpy as np
import xarray as xr

from weatherml.errors import UserError, require_kind
from weatherml.errors.wording import listed
from weatherml.extremes.tracks.read_once import read_once
from weatherml.grid import OPEN_FIRST
from weatherml.process.workers import HERE, Workers, in_order
from weatherml.times import require_told

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Member:
    """One member of a forecast from one initial time, or an analysis.

    Attributes:
        init_time: When the forecast began; None of an analysis.
        number: Of the member; None where the forecast has no members.
        fields: Along `time`, which are valid times and rise, read where they are asked for; those that do not change in
            time lack it.
    """

    init_time: np.datetime64 | None
    number: int | None
    fields: xr.Dataset

    @property
    def columns(self) -> dict[str, np.datetime64 | int]:
        """What of `init_time` and `number` there is, by its name."""
        both = {"init_time": self.init_time, "number": self.number}
        return {name: own for name, own in both.items() if own is not None}


def each_member(forecast: xr.Dataset) -> Iterator[Member]:
    """Give each member of each initial time of a forecast; of an analysis, the one that it is.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude), of which all but the horizontal may
            be missing, or (time, ...) of an analysis. Nothing is read; a chunk of dask that holds several members is
            read when the first of them asks for it, and kept for the others, in a nameless file if it is large.

    Raises:
        UserError: It has no times, or they do not rise, or its members have no numbers of their own.
    """
    for group in each_group(forecast):
        yield from members_of(group)


def each_group(forecast: xr.Dataset) -> Iterator[xr.Dataset]:
    """Give the members that share chunks together, as parts of the forecast, in the order of `each_member`.

    Raises:
        UserError: As `each_member`.
    """
    _require_times(forecast)
    _require_numbers(forecast)
    inits, numbers = (borders(forecast, dim) for dim in ("init_time", "number"))
    for runs in pairwise(inits):
        for own in pairwise(numbers if runs[1] - runs[0] == 1 else [0, numbers[-1]]):
            cut = {"init_time": slice(*runs), "number": slice(*own)}
            yield lean(forecast.isel({dim: where for dim, where in cut.items() if dim in forecast.dims}))


def members_of(group: xr.Dataset) -> Iterator[Member]:
    """Give each member of some that share chunks, of which each is read once."""
    n_members = group.sizes.get("init_time", 1) * group.sizes.get("number", 1)
    shared = read_once(group, ("init_time", "number")) if n_members > 1 else group
    for init_time, run in _along(shared, "init_time"):
        for number, own in _along(run, "number"):
            is_member = number is not None and ("number" in run.dims or init_time is not None)  # analyses have 0, too
            yield Member(init_time, int(number) if is_member else None, _at_valid_times(own, init_time))


def borders(forecast: xr.Dataset, dim: str) -> list[int]:
    """Return where along a dim a forecast may be cut without cutting a chunk, from 0 to its length."""
    n_all = forecast.sizes.get(dim, 1)
    common = set(range(n_all + 1))
    for own in forecast.variables.values():
        if dim in own.chunksizes:
            common &= {0, *np.cumsum(own.chunksizes[dim]).tolist()}
    return sorted(common)


def map_members(
    function: Callable[[Member], Result], forecast: xr.Dataset, workers: Workers = HERE
) -> Iterator[Result]:
    """Apply a function to each member; give the results in the order of `each_member`, each as soon as it may come.

    Args:
        function: Of a member; what it returns is sent to this process.
        forecast: As `each_member`.
        workers: Who does the work: this process, or `weatherml.process.workers.Dask(...)`.

    Raises:
        UserError: As `each_member` and `workers`.
    """
    for results in in_order(workers, partial(_of_group, function), each_group(forecast)):
        yield from results


def _of_group(function: Callable[[Member], Result], group: xr.Dataset) -> list[Result]:
    return [function(member) for member in members_of(group)]


def _along(dataset: xr.Dataset, dim: str) -> Iterator[tuple[Any, xr.Dataset]]:
    """Give what lies at each value of a dim, and the value; all and None where there is no such dim."""
    if dim not in dataset.dims:
        yield (dataset[dim].values[()] if dim in dataset.coords else None), dataset.drop_vars(dim, errors="ignore")
        return
    for place, value in enumerate(dataset[dim].values):
        yield value, dataset.isel({dim: place}).drop_vars(dim)


def _at_valid_times(run: xr.Dataset, init_time: np.datetime64 | None) -> xr.Dataset:
    """Return fields by valid time."""
    own = run.drop_vars("valid_time", errors="ignore")
    if "lead_time" in own.coords:
        if "lead_time" not in own.dims:
            own = own.expand_dims("lead_time")
        own = own.assign_coords(lead_time=init_time + own["lead_time"].values).rename(lead_time="time")
    return lean(own)


def lean(part: xr.Dataset) -> xr.Dataset:
    """Return a part of a dataset whose graph of dask, if it has one, makes nothing else: it may travel to a worker."""
    is_lazy = any(own.chunks for own in part.variables.values())
    return dask.optimize(part)[0] if is_lazy else part  # type: ignore[attr-defined, no-untyped-call]


def _require_times(forecast: xr.Dataset) -> None:
    require_kind(forecast, xr.Dataset, "fields", OPEN_FIRST)
    require_told(forecast, "the data")
    if "lead_time" in forecast.coords and "init_time" not in forecast.coords:
        raise UserError("the data have lead_time and no init_time, so no valid time; add it with assign_coords")
    dim = "lead_time" if "lead_time" in forecast.coords else "time"
    if dim not in forecast.coords:
        raise UserError(
            f"the data have no times, only {sorted(map(str, forecast.dims))}; pass analyses with a dimension 'time', or"
            " forecasts with init_time and lead_time"
        )
    for name, kind in (("init_time", "M"), ("lead_time", "m"), ("time", "M")):
        if name in forecast.coords and forecast[name].dtype.kind != kind:
            wanted = "datetime64" if kind == "M" else "timedelta64"
            raise UserError(f"{name} of the data is {forecast[name].dtype}, not {wanted}; read them by read_forecast")
    if (np.diff(forecast[dim].values.ravel()) <= np.timedelta64(0, "ns")).any():
        raise UserError(f"{dim} of the data does not rise, or comes twice; sort it by sortby({dim!r}), and keep one")


def _require_numbers(forecast: xr.Dataset) -> None:
    """Require that initial times and members are told apart by their coordinates."""
    numbers = np.atleast_1d(forecast["number"].values) if "number" in forecast.coords else np.zeros(0, int)
    if numbers.dtype.kind not in "iuf" or (numbers != np.round(numbers)).any():
        raise UserError(
            f"number of the data is {listed(numbers)}, no whole numbers; count members by"
            " assign_coords(number=range(n_members))"
        )
    for name in forecast.indexes.keys() & {"init_time", "number"}:
        index = forecast.indexes[name]
        if not index.is_unique:
            raise UserError(
                f"{name} {index[index.duplicated()][0]} of the data comes twice; keep one, or tell it apart"
            )
