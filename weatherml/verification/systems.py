"""Several systems judged alike: on the initial times that all of them have."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.references import Reference
from weatherml.verification.aggregation.grouping import By, require_groups
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.campaign.online import OnlineForecast
from weatherml.verification.campaign.place import make_place
from weatherml.verification.campaign.running import Campaign
from weatherml.verification.judging import How, Metrics, accumulate, summarize
from weatherml.verification.metrics.base import Metric
from weatherml.verification.metrics.registry import metrics_named
from weatherml.verification.metrics.units import with_units
from weatherml.verification.pairing.control import N_MEMBERS
from weatherml.verification.pairing.notes import as_attribute, sentences
from weatherml.verification.pairing.plausible import NAME
from weatherml.verification.significance.method import Method
from weatherml.verification.significance.methods import method_named

Forecast = xr.Dataset | OnlineForecast
"""Stored, or judged as it is made."""

SystemProgress = Callable[[int, int, str], None]
"""Told how many init times of all systems are done, of how many, and whose the last one is."""


def evaluate_systems(
    forecasts: Mapping[str, Forecast],
    truth: xr.Dataset,
    metrics: Metrics = ("rmse", "mae", "bias"),
    climatology: xr.Dataset | Reference | None = None,
    progress: SystemProgress | None = None,
    *,
    by: By | None = None,
    interval: str | Method = "circular",
    campaign: Campaign | None = None,
    **how: Unpack[How],
) -> xr.Dataset:
    """Score several systems on the init times that they share.

    Args:
        forecasts: By the name of the system.
        truth: With every valid time.
        metrics: What is wanted; a deterministic system has none of those that need members, where another has.
        climatology: As in `evaluate`.
        progress: Called after each init time.
        by: Into which groups of times.
        interval: How intervals are had, by a name in `significance.methods` or a method with parameters.
        campaign: Who judges, and where sums are kept: of each system in a folder of its own within that.
        **how: As in `evaluate`.

    Returns:
        As `evaluate`, with a dimension `system` before the others and the coordinate `n_members` along it; NaN where a
        system lacks the metric, channel or lead time.

    Raises:
        UserError: The systems have no init time in common, or what `evaluate` refuses.
    """
    method_named(interval)
    require_groups(by)
    sums = accumulate_systems(forecasts, truth, metrics, climatology, progress, campaign=campaign, **how)
    return summarize_systems(sums, metrics, by, interval)


def accumulate_systems(
    forecasts: Mapping[str, Forecast],
    truth: xr.Dataset,
    metrics: Metrics,
    climatology: xr.Dataset | Reference | None = None,
    progress: SystemProgress | None = None,
    *,
    campaign: Campaign | None = None,
    **how: Unpack[How],
) -> dict[str, StatisticSums]:
    """Take what the metrics need of each system, at init times that all have; arguments as in `evaluate_systems`."""
    if campaign is not None and campaign.folder is not None:
        make_place(Path(campaign.folder))
    own = _metrics_of_each(forecasts, metrics_named(metrics))
    shared = common_init_times(forecasts)
    n_all, sums = len(shared) * len(forecasts), {}
    for place, (name, forecast) in enumerate(forecasts.items()):
        own_how: How = how if _n_members(forecast) > 1 else {**how, "control": "in"}
        sums[name] = accumulate(
            _started_at(forecast, shared, name),
            truth,
            own[name],
            climatology,
            None if progress is None else _telling(progress, name, place * len(shared), n_all),
            campaign=None if campaign is None else _within(campaign, name),
            **own_how,
        )
    return sums


def summarize_systems(
    sums: Mapping[str, StatisticSums], metrics: Metrics, by: By | None = None, interval: str | Method = "circular"
) -> xr.Dataset:
    """Score what `accumulate_systems` has kept; returns as `evaluate_systems`."""
    chosen = metrics_named(metrics)
    scored = [_numbered(summarize(own, metrics_in(own, chosen), by, interval)) for own in sums.values()]
    have = {name: own for name, own in zip(sums, scored, strict=True) if own.data_vars}  # a system may have no metric
    systems = xr.Variable("system", list(have))
    how: dict[str, Any] = {"join": "outer", "data_vars": "all", "coords": "minimal", "compat": "override"}
    joined = xr.concat(have.values(), systems, combine_attrs="drop_conflicts", **how)
    joined = joined.reindex(system=list(sums)).assign_attrs(as_attribute(sentences(*scored)))
    members = ("system", [int(own.dataset.attrs.get(N_MEMBERS, 1)) for own in sums.values()])
    channels = list(dict.fromkeys(str(channel) for own in sums.values() for channel in own.dataset["channel"].values))
    times = np.sort(next(iter(sums.values())).dataset["init_time"].values)
    said = {"init_times": f"{times[0]:.16} to {times[-1]:.16}", "interval": _said(interval)}
    return with_units(joined.assign_coords({N_MEMBERS: members}).sel(channel=channels).assign_attrs(said), chosen)


def _numbered(scores: xr.Dataset) -> xr.Dataset:
    """Number what stands along axes of metrics, such as ranks: of an ensemble of more members there are more."""
    return scores.assign_coords({dim: np.arange(n) for dim, n in scores.sizes.items() if dim not in scores.coords})


def metrics_in(sums: StatisticSums, metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Return the metrics whose statistics were all taken."""
    names = set(map(str, sums.dataset.data_vars))
    return {name: metric for name, metric in metrics.items() if {own.name for own in metric.statistics} <= names}


def common_init_times(forecasts: Mapping[str, Forecast]) -> np.ndarray:
    """Return the init times that all systems have.

    Raises:
        UserError: There are none.
    """
    times = {name: np.sort(_init_times(forecast)) for name, forecast in forecasts.items()}
    shared: np.ndarray = reduce(np.intersect1d, times.values())
    if not shared.size:
        spans = [f"{name} has {_span(own)}" for name, own in times.items()]
        raise UserError(
            f"the systems have no init time in common: {listed(spans)}; give forecasts that were started together"
        )
    return shared


def _metrics_of_each(
    forecasts: Mapping[str, Forecast], metrics: Mapping[str, Metric]
) -> dict[str, Mapping[str, Metric]]:
    """Return the metrics that each system can have; all of them where none could, so that it is said why."""
    ensembles = {name for name, own in forecasts.items() if _n_members(own) > 1}
    of_one = {name: metric for name, metric in metrics.items() if not metric.needs_members}
    return {name: metrics if name in ensembles or not ensembles else of_one for name in forecasts}


def _n_members(forecast: Forecast) -> int:
    return forecast.n_members if isinstance(forecast, OnlineForecast) else forecast.sizes.get("number", 1)


def _init_times(forecast: Forecast) -> np.ndarray:
    return forecast.init_times if isinstance(forecast, OnlineForecast) else forecast["init_time"].values


def _started_at(forecast: Forecast, init_times: np.ndarray, name: str) -> Forecast:
    """Keep some initial times; what is judged as it is made is called as the system is, where it has no other name."""
    if isinstance(forecast, OnlineForecast):
        return replace(forecast, init_times=init_times, name=forecast.name or name)
    return forecast.sel(init_time=init_times).assign_attrs({NAME: name})


def _telling(progress: SystemProgress, name: str, n_before: int, n_all: int) -> Callable[[int, int], None]:
    return lambda done, _: progress(n_before + done, n_all, name)


def _within(campaign: Campaign, name: str) -> Campaign:
    return campaign if campaign.folder is None else replace(campaign, folder=Path(campaign.folder) / name)


def _said(interval: str | Method) -> str:
    return interval if isinstance(interval, str) else repr(interval)


def _span(times: np.ndarray) -> str:
    return f"{times[0]:.16} .. {times[-1]:.16}" if len(times) else "no init time"
