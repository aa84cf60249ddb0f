"""Scores at each point of the globe: maps of error, of skill, of events."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from weatherml.references import Reference
from weatherml.verification.aggregation.gathering import Progress
from weatherml.verification.aggregation.grouping import By
from weatherml.verification.aggregation.maps import MapSums, gather_maps
from weatherml.verification.judging import Metrics, judgement
from weatherml.verification.metrics.registry import metrics_named
from weatherml.verification.pairing.control import Control
from weatherml.verification.pairing.matched import Missing


def evaluate_maps(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    metrics: Metrics = ("rmse", "bias"),
    climatology: xr.Dataset | Reference | None = None,
    progress: Progress | None = None,
    *,
    by: By | None = None,
    missing: Missing = "refuse",
    references: Mapping[str, xr.Dataset | Reference] | None = None,
    control: Control = "in",
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
        missing: As for `evaluate`; a point that never counted is NaN.
        references: As for `evaluate`.
        control: As for `evaluate`.

    Returns:
        One variable for each metric, dims ([by,] channel, lead_time, latitude, longitude). `plot.score` draws one field
        of it.

    Raises:
        UserError: As of `evaluate`, or a metric has no map.
    """
    sums = accumulate_maps(
        forecast,
        truth,
        metrics,
        climatology,
        progress,
        by=by,
        missing=missing,
        references=references,
        control=control,
    )
    return summarize_maps(sums, metrics)


def accumulate_maps(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    metrics: Metrics,
    climatology: xr.Dataset | Reference | None = None,
    progress: Progress | None = None,
    *,
    by: By | None = None,
    missing: Missing = "refuse",
    references: Mapping[str, xr.Dataset | Reference] | None = None,
    control: Control = "in",
) -> MapSums:
    """Take what maps of the metrics need; parts of other init times add up. Arguments are as of `evaluate_maps`."""
    asked = judgement(forecast, truth, metrics, climatology, missing=missing, references=references, control=control)
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
