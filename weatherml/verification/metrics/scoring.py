"""From sums of statistics to scores with intervals: the mean over init times first, each metric's function last."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from weatherml.verification.aggregation.grouping import By, labels_of
from weatherml.verification.aggregation.regions import GLOBAL
from weatherml.verification.aggregation.sums import DIMS, StatisticSums
from weatherml.verification.metrics.base import Metric
from weatherml.verification.significance.bootstrap import CONFIDENCE, block_length, bootstrap_interval
from weatherml.verification.statistics.base import Statistic

BOUNDS = ("estimate", "lower", "upper")


def summarize(sums: StatisticSums, metrics: Mapping[str, Metric], by: By | None = None) -> xr.Dataset:
    """Score sums of statistics.

    Args:
        sums: What was gathered.
        metrics: By name.
        by: Into which groups of times; all together when None.

    Returns:
        One variable for each metric, dims (bound, [by,] channel, [region,] lead_time, *axes of the metric); no region
        where there is the globe alone. The bounds are the estimate and a 95 % bootstrap interval over init times, NaN
        where these are too few to tell. `share_judged` says where less counted than could have.
    """
    scored = {
        name: score([sums], own.statistics, own.function, own.axes, by).assign_coords(own.labels)
        for name, own in metrics.items()
    }
    share = _without_globe(sums.share_judged).transpose("channel", ...)
    whole = np.allclose(share, 1, rtol=0, atol=1e-9)
    attributes = {"n_init_times": sums.dataset.sizes["init_time"], "confidence": CONFIDENCE}
    attributes |= sums.dataset.attrs
    return xr.Dataset(scored if whole else scored | {"share_judged": share}, attrs=attributes)


def score(
    systems: Sequence[StatisticSums],
    statistics: Sequence[Statistic],
    function: Callable[..., Any],
    axes: Sequence[str] = (),
    by: By | None = None,
) -> xr.DataArray:
    """Apply a function to means of the statistics of each system in turn.

    Args:
        systems: With the same init times, lead times, channels and regions.
        statistics: Of each system.
        function: Of all means, those of the first system first.
        axes: That the result has beside those of all.
        by: Into which groups of times.

    Returns:
        Dims (bound, [by,] channel, [region,] lead_time, *axes).
    """
    if by is None:
        return _without_globe(_score(systems, statistics, function, axes))
    labels, names = labels_of(systems[0].dataset, by)
    groups = [_score(systems, statistics, function, axes, labels == label) for label in range(len(names))]
    joined = xr.concat(groups, xr.Variable(by, names)).transpose("bound", by, ...)
    return _without_globe(joined)


def _score(
    systems: Sequence[StatisticSums],
    statistics: Sequence[Statistic],
    function: Callable[..., Any],
    axes: Sequence[str],
    chosen: np.ndarray | None = None,
) -> xr.DataArray:
    """Score the init and lead times that are chosen, `[init, lead]`; all of them where none are."""
    first = systems[0].dataset
    sums = [own for system in systems for own in system.of(statistics)]
    weights = [system.weights for system in systems for _ in statistics]
    if chosen is not None:
        sums = [own * chosen.reshape(*chosen.shape, *[1] * (own.ndim - 2)) for own in sums]
        weights = [own * chosen[:, :, None, None] for own in weights]
    init_times = first["init_time"].values
    values = bootstrap_interval(sums, weights, function, block_length=block_length(init_times))
    coords = {"bound": list(BOUNDS), **{dim: first[dim].values for dim in DIMS[1:]}}
    return xr.DataArray(values, coords, (*coords, *axes)).transpose("bound", "channel", "region", "lead_time", ...)


def _without_globe(scored: xr.DataArray) -> xr.DataArray:
    return scored.isel(region=0, drop=True) if list(scored["region"].values) == list(GLOBAL) else scored
