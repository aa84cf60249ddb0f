"""Where metrics are entered: by the name of what makes them from their parameters."""

from collections.abc import Callable, Sequence
from typing import Any

from weatherml.registry import Registry
from weatherml.verification.metrics.base import Better, Metric
from weatherml.verification.statistics.base import Statistic

Maker = Callable[..., Metric]

registry: Registry[Maker] = Registry("metric", "weatherml evaluate --list")
"""What makes each metric from its parameters; one that has parameters is entered by `@registry.register(name)`."""


def enter(name: str, statistics: Sequence[Statistic], function: Callable[..., Any], better: Better = "lower") -> None:
    """Enter a metric without parameters."""
    registry.register(name)(lambda: Metric(tuple(statistics), function, better=better))
