"""From sums of statistics to scores with intervals: the mean over init times first, each metric's function last."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

from weatherml.errors.wording import listed
from weatherml.verification.aggregation.grouping import By, labels_of
from weatherml.verification.aggregation.regions import GLOBAL
from weatherml.verification.aggregation.sums import DIMS, StatisticSums
from weatherml.verification.metrics.base import Metric
from weatherml.verification.metrics.units import field_units
from weatherml.verification.pairing.notes import as_attribute, sentences
from weatherml.verification.significance.method import CONFIDENCE, Method
from weatherml.verification.significance.methods import method_named
from weatherml.verification.significance.sample import Sample

_ESTIMATE = "estimate"
_ALL_BUT_CHANNELS = (0, 1, 3)
_ROUNDING = 1e-9
"""Of areas, relative."""
BOUNDS = (_ESTIMATE, "lower", "upper")


def summarize(
    sums: StatisticSums, metrics: Mapping[str, Metric], by: By | None = None, interval: str | Method = "circular"
) -> xr.Dataset:
    """Score sums of statistics.

    Args:
        sums: What was gathered.
        metrics: By name.
        by: Into which groups of times; all together when None.
        interval: How intervals are had, by a name in `significance.methods` or a method with parameters.

    Returns:
        One variable for each metric, dims (bound, [by,] channel, [region,] lead_time, *axes of the metric); no region
        where there is the globe alone. The bounds are the estimate and a 95 % interval over init times, NaN where these
        are too few to tell. `share_judged` says where less counted than could have.
    """
    scored = {name: score([sums], own, by, interval).assign_coords(own.coords) for name, own in metrics.items()}
    share = without_globe(sums.share_judged).transpose("channel", ...)
    whole = np.allclose(share, 1, rtol=0, atol=1e-9)
    attributes = {"n_init_times": sums.n_init_times, "confidence": CONFIDENCE}
    attributes |= sums.dataset.attrs
    clauses = [clause for name, own in metrics.items() for clause in _undefined(name, own, scored[name])]
    clauses += [clause for name, own in metrics.items() for clause in _without_events(name, own, sums)]
    scores = xr.Dataset(scored if whole else scored | {"share_judged": share}, attrs=attributes)
    return scores.assign_attrs(as_attribute([*sentences(scores), *clauses]))


def score(
    systems: Sequence[StatisticSums], metric: Metric, by: By | None = None, interval: str | Method = "circular"
) -> xr.DataArray:
    """As `judge`, without what is tested: dims (bound, [by,] channel, [region,] lead_time, *axes)."""
    judged = judge(systems, metric, by, interval)
    bounds = xr.concat([judged[name] for name in BOUNDS], xr.Variable("bound", list(BOUNDS)))
    return without_globe(bounds)


def judge(
    systems: Sequence[StatisticSums], metric: Metric, by: By | None = None, interval: str | Method = "circular"
) -> xr.Dataset:
    """Apply the function of a metric to means of its statistics, of each system in turn.

    Args:
        systems: With the same init times, lead times, channels and regions.
        metric: Its statistics are of each system, its function is of all means, those of the first system first.
        by: Into which groups of times.
        interval: How intervals are had.

    Returns:
        `estimate`, `lower`, `upper` and `p_value`, dims ([by,] channel, region, lead_time, *axes of the metric).
    """
    if by is None:
        return _judge(systems, metric, interval)
    labels, names = labels_of(systems[0].dataset, by)
    groups = [_judge(systems, metric, interval, labels == label) for label in range(len(names))]
    return xr.concat(groups, xr.Variable(by, names)).transpose(by, ...)


def without_globe(scored: xr.DataArray) -> xr.DataArray:
    """Drop the region where there is the globe alone."""
    return scored.isel(region=0, drop=True) if list(scored["region"].values) == list(GLOBAL) else scored


def _undefined(name: str, metric: Metric, scored: xr.DataArray) -> Iterator[str]:
    """Yield that a score is NaN throughout, or along an axis of its own the parts that are, and where it would be."""
    why = f", as it is where {metric.undefined}" if metric.undefined else ""
    there = scored.sel(bound=_ESTIMATE).notnull()
    if not there.any():
        yield f"{name} is NaN throughout{why}"
        return
    for axis in metric.labels:
        absent = there[axis].values[~there.any([dim for dim in there.dims if dim != axis]).values]
        if absent.size:
            yield f"{name} is NaN throughout for {listed(absent)}{why}"


def _without_events(name: str, metric: Metric, sums: StatisticSums) -> Iterator[str]:
    """Yield that the event of a metric came never, or everywhere and always, in all that was judged.

    It may be what was asked for, and is what comes of a threshold in other units. Where it came now and then in any
    channel, it is meant for that one.
    """
    for own in metric.statistics:
        values = sums.of([own])[0]
        if (area := own.events(np.nansum(values, axis=_ALL_BUT_CHANNELS))) is None:
            continue
        whole = sums.weights.sum(axis=_ALL_BUT_CHANNELS)
        by_channel = np.moveaxis(np.isfinite(values), 2, 0).reshape(len(whole), -1)
        is_judged = (whole > 0) & by_channel.any(axis=1)  # by this statistic
        never, always = (area <= 0)[is_judged], (area >= whole * (1 - _ROUNDING))[is_judged]
        if is_judged.any() and (never | always).all():
            how = "never" if never.all() else "everywhere and always" if always.all() else "never, or always"
            units = listed(list(dict.fromkeys(map(field_units, sums.dataset["channel"].values[is_judged]))))
            yield f"the truth exceeds the threshold of {name} {how}" + (f" (it is in {units})" if units else "")
        return


def _judge(
    systems: Sequence[StatisticSums], metric: Metric, interval: str | Method, chosen: np.ndarray | None = None
) -> xr.Dataset:
    """Judge the init and lead times that are chosen, `[init, lead]`; all of them where none are."""
    first = systems[0].dataset
    coords = {dim: first[dim].values for dim in DIMS[1:]}
    sums, weights = [], []
    for system in systems:
        area = _in_cells(system.weights, chosen)
        for own in system.of(metric.statistics):
            sums.append(_in_cells(own, chosen))
            weights.append(area)
    bounds = method_named(interval).judge(Sample(sums, weights, metric.function, first["init_time"].values))
    shape, dims = tuple(len(own) for own in coords.values()), (*coords, *metric.axes)
    judged = {name: (dims, own.reshape(*shape, *own.shape[1:])) for name, own in vars(bounds).items()}
    return xr.Dataset(judged, coords).transpose("channel", "region", "lead_time", ...)


def _in_cells(values: np.ndarray, chosen: np.ndarray | None) -> np.ndarray:
    """Lay `[init, lead, channel, region, *axes]` out as `[init, cell, *axes]`, 0 where it is not chosen."""
    if chosen is not None:
        values = values * chosen.reshape(*chosen.shape, *[1] * (values.ndim - 2))
    return values.reshape(len(values), -1, *values.shape[4:])
