"""How much of what a baseline lacks a forecast has gained, from forecasts that both made."""

from dataclasses import replace
from typing import Any

import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.verification.aggregation.grouping import By
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.comparing import pair_up
from weatherml.verification.metrics import scoring
from weatherml.verification.metrics.base import Metric
from weatherml.verification.metrics.registry import find, plain
from weatherml.verification.significance.method import Method

_MOST_NAMED = 4  # metrics in a remedy


def skill(
    first: StatisticSums,
    against: StatisticSums,
    metric: str | Metric,
    *,
    by: By | None = None,
    interval: str | Method = "circular",
) -> xr.DataArray:
    """Return the part of the way from a baseline's score to the perfect one that a system has gone.

    1 is perfect, 0 as good as the baseline, below 0 worse. For an error such as rmse it is 1 - rmse / rmse of the
    baseline; of crps_fair against a climatological ensemble, the CRPSS.

    Args:
        first: What `accumulate` kept of the system, for this metric.
        against: The same of the baseline.
        metric: Its name, or one of one's own.
        by: Into which groups of times; all together when None.
        interval: How the interval is had, by a name in `significance.methods` or a method with parameters.

    Returns:
        Dims (bound, [by,] channel, [region,] lead_time), of the init times, lead times and channels of both. Both are
        resampled together, so the interval is that of paired forecasts. Attributes say of how many init times, and what
        was left out.

    Raises:
        UserError: They share no init time, lead time, channel or region, or no value of the metric is the best.
    """
    recipe = find(metric) if isinstance(metric, str) else metric
    perfect, half, function = recipe.perfect, len(recipe.statistics), recipe.function
    if perfect is None:
        raise UserError(f"metric {metric!r} has no best value, so there is no skill in it; {_with_skill()}")
    pair = pair_up(first, against).of(recipe)

    def gained(*means: Any) -> Any:
        own, other = function(*means[:half]), function(*means[half:])
        return (own - other) / (perfect - other)

    scored = scoring.score([pair.first, pair.second], replace(recipe, function=gained), by, interval)
    return scored.assign_attrs(pair.attributes)


def _with_skill() -> str:
    names = [name for name in plain() if find(name).perfect is not None]
    return f"take one that has, such as {listed(names[:_MOST_NAMED])}"
