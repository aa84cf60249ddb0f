"""Judge forecasts against truth, per channel and lead time, with intervals over init times."""

from collections.abc import Sequence

import xarray as xr

from weatherml import verification
from weatherml.errors import UserError, require_kind
from weatherml.evaluation.metrics import registry
from weatherml.grid import OPEN_FIRST
from weatherml.matching import Domain
from weatherml.references import Reference
from weatherml.verification import AreaMeans, Metric, Progress


def evaluate(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    metrics: str | Sequence[str] = ("rmse", "mae", "bias"),
    climatology: xr.Dataset | Reference | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Score a forecast.

    Every statistic is first averaged over the area, weighted with exact cell areas, for each init time; then over
    init times; the metric's function (a root, a ratio) comes last. One init time and some lead times are in memory at
    once, so either dataset may be larger than memory.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude); no number where deterministic. The
            metrics of one field, such as rmse, are those of the mean over number.
        truth: Dims (time, level, latitude, longitude), with every valid time. Where it is NaN (a sea surface
            temperature over land) the point does not count; that mask must be the same at all times.
        metrics: One or more names in `evaluation.metrics.registry`.
        climatology: For the metrics of anomalies, acc and activity: a `Climatology`, which is asked for the valid times
            of each block; a dataset that holds them; or one by hour and dayofyear, as WeatherBench 2's.
        progress: Called with the number of init times done and of all.

    Returns:
        One variable for each metric, dims (bound, channel, lead_time): estimate, and lower and upper bound of the 95 %
        bootstrap interval over init times (NaN where these are too few); channels such as "geopotential_500".

    Raises:
        UserError: A metric is unknown or lacks the climatology or ensemble it needs; a channel, a valid time or a
            value of the truth or forecast is missing; or the grids differ.
    """
    return summarize(accumulate(forecast, truth, metrics, climatology, progress), metrics)


def accumulate(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    metrics: str | Sequence[str],
    climatology: xr.Dataset | Reference | None = None,
    progress: Progress | None = None,
    domain: Domain | None = None,
) -> AreaMeans:
    """Take what the metrics need of each init time; parts add up in any order.

    Arguments are as in `evaluate`. For parts of one forecast, `domain` is what all of it is judged on
    (`matching.Matched.domain`); a part would take it from its own first valid time.
    """
    for name, given in (("forecast", forecast), ("truth", truth), ("climatology", climatology)):
        if name != "climatology" or not (given is None or isinstance(given, Reference)):
            require_kind(given, xr.Dataset, name, OPEN_FIRST)
    counts = [name for name in forecast.data_vars if str(name).endswith("_count")]
    if counts:
        raise UserError(
            f"the forecast holds statistics of members ({counts[0]}), which are not scored; make a forecast"
            " without statistics"
        )
    return verification.accumulate(forecast, truth, _metrics(metrics), climatology, progress, domain)


def summarize(means: AreaMeans, metrics: str | Sequence[str]) -> xr.Dataset:
    """Score what `accumulate` has kept; returns as `evaluate`."""
    return verification.summarize(means, _metrics(metrics))


def _metrics(names: str | Sequence[str]) -> dict[str, Metric]:
    names = [names] if isinstance(names, str) else names
    if not names:
        raise UserError(f"metrics are empty; pass at least one of {', '.join(registry)}")
    return {name: registry[name] for name in names}
