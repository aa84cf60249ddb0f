"""Metrics of precipitation."""

from typing import Any

from weatherml.verification.metrics.base import Metric
from weatherml.verification.metrics.entries import registry
from weatherml.verification.metrics.precipitation.statistics import SeepsError


@registry.register("seeps")
def seeps(dry: float = 0.00025, lowest: float = 0.1, highest: float = 0.85) -> Metric:
    """Of 24, 12 or 6 hours, over places whose probability of dryness lies between two; `dry` in m.

    0.25 mm in 24 h and 0.1 mm in 6 h are WeatherBench 2's. `baselines.seeps_climate` makes the references.
    """
    return Metric((SeepsError(float(dry), float(lowest), float(highest)),), _mean_where_told)


def _mean_where_told(means: Any) -> Any:
    return means[..., 0] / means[..., 1]
