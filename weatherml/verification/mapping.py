"""Scores at each point of the globe: maps of error, of skill, of events."""

from typing import Unpack

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.references import Reference
from weatherml.verification.aggregation.gathering import Progress
from weatherml.verification.aggregation.grouping import By
from weatherml.verification.aggregation.maps import MapSums, gather_maps
from weatherml.verification.judging import How, Metrics, judgement
from weatherml.verification.metrics.registry import metrics_named


def evaluate_maps(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    metrics: Metrics = ("rmse", "bias"),
    climatology: xr.Dataset | Reference | None = None,
    progress: Progress | None = None,
    *,
    by: By | None = None,
    **how: Unpack[How],
) -> xr.Dataset:
    """Score a forecast at each point.

    Statistics are averaged over init times, and the metric's function comes last. Memory is that of the maps (8 bytes
    a point, lead time, channel, group and statistic), however many init times there are; one is read after the other.

    Args:
        forecast: As for `evaluate`.
        truth: As for `evaluate`.
        metrics: What is wanted; those that need whole fields, such as spectra, have no maps.
        climatology: As for `evaluate`.
        progress: Called with the number of init times done and of all.
        by: Into which groups of times: `season`, `month`, `init_hour` or `valid_hour`.
        **how: As for `evaluate`, but for regions; where what is missing is counted, a point that never counted is NaN.

    Returns:
        One variable for each metric, dims ([by,] channel, lead_time, latitude, longitude). `plot.score` draws one field
        of it.

    Raises:
        UserError: As of `evaluate`, a metric has no map, or regions are asked for.
    """
    sums = accumulate_maps(forecast, truth, metrics, climatology, progress, by=by, **how)
    return summarize_maps(sums, metrics)


def accumulate_maps(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    metrics: Metrics,
    climatology: xr.Dataset | Reference | None = None,
    progress: Progress | None = None,
    *,
    by: By | None = None,
    **how: Unpack[How],
) -> MapSums:
    """Take what maps of the metrics need; parts of other init times add up. Arguments are as of `evaluate_maps`."""
    if how.get("regions") is not None:
        raise UserError("a map is of each point and has no regions; leave regions out, or score them with evaluate")
    asked = judgement(forecast, truth, metrics, climatology, **how)
    return gather_maps(asked, by, progress)


def summarize_maps(sums: MapSums, metrics: Metrics) -> xr.Dataset:
    """Score what `accumulate_maps` has kept; returns as `evaluate_maps`."""
    count = sums.dataset["count"]
    scored = {}
    for name, metric in metrics_named(metrics).items():
        with np.errstate(divide="ignore", invalid="ignore"):
            values = metric.function(*sums.means(metric.statistics))
        made = xr.DataArray(values, count.coords, (*count.dims, *metric.axes))
        labelled = made.assign_coords({axis: list(own) for axis, own in metric.labels.items()})
        groups = count.dims[:-4]
        scored[name] = labelled.transpose(*groups, "channel", "lead_time", "latitude", "longitude", ...)
    return xr.Dataset(scored, attrs={"n_init_times": sums.n_init_times, **sums.dataset.attrs})
