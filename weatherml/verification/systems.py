"""Several systems judged alike: on the initial times that all of them have."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.references import Reference
from weatherml.storage.files import replacing
from weatherml.verification.aggregation.grouping import By
from weatherml.verification.aggregation.regions import Region
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.judging import Metrics, accumulate, summarize
from weatherml.verification.metrics.base import Metric
from weatherml.verification.metrics.registry import metrics_named
from weatherml.verification.pairing.matched import Missing
from weatherml.wording import listed

MEMBERS = "n_members"
"""Attribute of a system's sums: how many members it has, 1 where it is deterministic."""

_REQUEST = "request"
SystemProgress = Callable[[int, int, str], None]
"""Told how many init times of all systems are done, of how many, and whose the last one is."""


def evaluate_systems(
    forecasts: Mapping[str, xr.Dataset],
    truth: xr.Dataset,
    metrics: Metrics = ("rmse", "mae", "bias"),
    climatology: xr.Dataset | Reference | None = None,
    progress: SystemProgress | None = None,
    *,
    regions: Sequence[str] | Mapping[str, Region] | None = None,
    by: By | None = None,
    missing: Missing = "refuse",
    references: Mapping[str, xr.Dataset | Reference] | None = None,
) -> xr.Dataset:
    """Score several systems on the init times that they share; arguments as in `evaluate`.

    Args:
        forecasts: By the name of the system.
        truth: With every valid time.
        metrics: What is wanted; a deterministic system has none of those that need members, where another has.
        climatology: For the metrics of anomalies.
        progress: Called after each init time.
        regions: Over which parts of the globe.
        by: Into which groups of times.
        missing: What becomes of what is not there.
        references: Other fields that metrics compare with, by name.

    Returns:
        As `evaluate`, with a dimension `system` before the others and the coordinate `n_members` along it; NaN where a
        system lacks the metric, channel or lead time.

    Raises:
        UserError: The systems have no init time in common, or what `evaluate` refuses.
    """
    sums = accumulate_systems(
        forecasts, truth, metrics, climatology, progress, regions=regions, missing=missing, references=references
    )
    return summarize_systems(sums, metrics, by)


def accumulate_systems(
    forecasts: Mapping[str, xr.Dataset],
    truth: xr.Dataset,
    metrics: Metrics,
    climatology: xr.Dataset | Reference | None = None,
    progress: SystemProgress | None = None,
    *,
    regions: Sequence[str] | Mapping[str, Region] | None = None,
    missing: Missing = "refuse",
    references: Mapping[str, xr.Dataset | Reference] | None = None,
    earlier: Mapping[str, StatisticSums] | None = None,
) -> dict[str, StatisticSums]:
    """Take what the metrics need of each system, at the init times that all have; arguments as in `evaluate_systems`.

    What `earlier` holds of a system, with all statistics that are wanted, is not read again.
    """
    own = _metrics_of_each(forecasts, metrics_named(metrics))
    held = {name: sums for name, sums in (earlier or {}).items() if name in own and _holds(sums, own[name])}
    shared = common_init_times({name: forecast["init_time"].values for name, forecast in forecasts.items()})
    left = {name: _without(shared, held.get(name)) for name in forecasts}
    take = partial(
        accumulate, truth=truth, climatology=climatology, regions=regions, missing=missing, references=references
    )
    n_done, n_all, sums = 0, sum(map(len, left.values())), {}
    for name, forecast in forecasts.items():
        parts = [held[name]] if name in held else []
        if len(left[name]):
            told = None if progress is None else _telling(progress, name, n_done, n_all)
            parts.append(take(forecast.sel(init_time=left[name]), metrics=own[name], progress=told))
        n_done += len(left[name])
        total = StatisticSums.total(parts).dataset
        sums[name] = StatisticSums(total.assign_attrs({MEMBERS: forecast.sizes.get("number", 1)}))
    return paired(sums)


def summarize_systems(sums: Mapping[str, StatisticSums], metrics: Metrics, by: By | None = None) -> xr.Dataset:
    """Score what `accumulate_systems` has kept; returns as `evaluate_systems`."""
    chosen = metrics_named(metrics)
    scored = [summarize(own, _in(own, chosen), by) for own in sums.values()]
    systems = xr.Variable("system", list(sums))
    joined = xr.concat(scored, systems, join="outer", data_vars="all", combine_attrs="override")
    members = ("system", [int(own.dataset.attrs.get(MEMBERS, 1)) for own in sums.values()])
    channels = list(dict.fromkeys(str(channel) for own in scored for channel in own["channel"].values))
    return joined.assign_coords({MEMBERS: members}).sel(channel=channels)


def common_init_times(init_times: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the init times that all systems have.

    Raises:
        UserError: There are none.
    """
    shared: np.ndarray = reduce(np.intersect1d, init_times.values())
    if not shared.size:
        spans = [f"{name} has {_span(np.sort(own))}" for name, own in init_times.items()]
        raise UserError(
            f"the systems have no init time in common: {listed(spans)}; give forecasts that were started together"
        )
    return shared


def paired(sums: Mapping[str, StatisticSums]) -> dict[str, StatisticSums]:
    """Return the sums of each system at the init times that all have.

    Raises:
        UserError: There are none.
    """
    shared = common_init_times({name: own.dataset["init_time"].values for name, own in sums.items()})
    return {name: StatisticSums(own.dataset.sel(init_time=shared)) for name, own in sums.items()}


def save_systems(path: str | Path, sums: Mapping[str, StatisticSums], request: Mapping[str, object]) -> None:
    """Write the sums of several systems to one NetCDF file, whole or not at all.

    Args:
        path: Where to.
        sums: By system; each is a group of the file.
        request: What they were made of, as JSON can say it: `load_systems` refuses another.
    """
    with replacing(Path(path)) as partial:
        xr.Dataset(attrs={_REQUEST: json.dumps(request, sort_keys=True)}).to_netcdf(partial, engine="netcdf4")
        for place, (name, own) in enumerate(sums.items()):
            named = own.dataset.assign_attrs(system=name)
            named.to_netcdf(partial, mode="a", group=f"system_{place}", engine="netcdf4")


def load_systems(path: str | Path, request: Mapping[str, object]) -> dict[str, StatisticSums]:
    """Read what `save_systems` wrote.

    Raises:
        UserError: It is no such file, or was made of something else.
    """
    try:
        groups = xr.open_groups(path, engine="netcdf4", decode_timedelta=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} holds no sums of statistics: {error}; choose a new file") from None
    text = groups["/"].attrs.get(_REQUEST)
    if text is None:
        raise UserError(f"{path} holds no sums of several systems; choose a new file")
    _require_same(path, json.loads(text), dict(request))
    systems = [groups[name].load() for name in groups if name != "/"]
    for own in groups.values():
        own.close()
    return {str(own.attrs["system"]): StatisticSums(own) for own in systems}


def _require_same(path: str | Path, made_of: Mapping[str, object], request: Mapping[str, object]) -> None:
    for key in (key for key in {**made_of, **request} if made_of.get(key) != request.get(key)):
        raise UserError(f"{path} was made with {key} {made_of.get(key)!r}, not {request.get(key)!r}; choose a new file")


def _metrics_of_each(
    forecasts: Mapping[str, xr.Dataset], metrics: Mapping[str, Metric]
) -> dict[str, Mapping[str, Metric]]:
    """Return the metrics that each system can have; all of them where none could, so that it is said why."""
    ensembles = {name for name, own in forecasts.items() if own.sizes.get("number", 1) > 1}
    of_one = {name: metric for name, metric in metrics.items() if not metric.needs_members}
    return {name: metrics if name in ensembles or not ensembles else of_one for name in forecasts}


def _telling(progress: SystemProgress, name: str, n_before: int, n_all: int) -> Callable[[int, int], None]:
    return lambda done, _: progress(n_before + done, n_all, name)


def _holds(sums: StatisticSums, metrics: Mapping[str, Metric]) -> bool:
    return len(_in(sums, metrics)) == len(metrics)


def _in(sums: StatisticSums, metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Return the metrics whose statistics are all there."""
    names = set(map(str, sums.dataset.data_vars))
    return {name: metric for name, metric in metrics.items() if {own.name for own in metric.statistics} <= names}


def _without(init_times: np.ndarray, held: StatisticSums | None) -> np.ndarray:
    return init_times if held is None else np.setdiff1d(init_times, held.dataset["init_time"].values)


def _span(times: np.ndarray) -> str:
    return f"{times[0]:.16} .. {times[-1]:.16}" if len(times) else "none"
