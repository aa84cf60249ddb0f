"""Whether one system is better than another, from forecasts that both made."""

from typing import Any

import xarray as xr

from weatherml.errors import UserError
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.metrics.registry import find
from weatherml.verification.metrics.scoring import score


def compare(first: StatisticSums, second: StatisticSums, metric: str) -> xr.DataArray:
    """Return the score of the first system less that of the second, over the init times, lead times and channels of
    both.

    Args:
        first: What `accumulate` kept of the first system, for this metric.
        second: The same of the second system.
        metric: Name of the metric.

    Returns:
        Dims (bound, channel, lead_time), units of the metric. The interval is that of the paired difference: where it
        leaves out zero the systems differ; for an error such as rmse, upper < 0 says that the first is better.

    Raises:
        UserError: The systems share no init time, lead time or channel.
    """
    recipe = find(metric)
    left, right = map(StatisticSums, xr.align(first.dataset, second.dataset, join="inner"))
    for dim in (dim for dim in left.dataset.dims if left.dataset.sizes[dim] == 0):
        raise UserError(
            f"the two systems share no {dim}; compare forecasts that have init times, lead times and channels in common"
        )
    half = len(recipe.statistics)

    def difference(*means: Any) -> Any:
        return recipe.function(*means[:half]) - recipe.function(*means[half:])

    return score([left, right], recipe.statistics, difference, recipe.axes)
