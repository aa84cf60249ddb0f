"""What a metric is: statistics, and a function of their means."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from weatherml.verification.statistics.base import Statistic

Better = Literal["lower", "higher", "zero", "one", "neither"]
"""Which of two scores is the better one: the smaller or the larger, or that nearer to zero (a bias) or to one (a
spread-skill ratio); neither where a score describes a forecast and does not judge it (its spread, its activity)."""


@dataclass(frozen=True)
class Metric:
    """A score: statistics, and a function of their means over forecasts.

    Attributes:
        statistics: What is averaged over the area and over the init times.
        function: Takes the means in that order, `[..., *axes of the statistic]`, and returns the score `[..., *axes]`.
        axes: Names of the score's own axes, where it is not one number for each channel and lead time.
        labels: What stands along some of them, such as the names of parts.
        better: Which of two scores is the better one.
        has_best: Whether a forecast that is never wrong has the least that there is, or 1 where larger is better; a
            wavelength, of which the shorter is the better one, has no best.
        undefined: Where the score is NaN although something was judged, as a clause.
    """

    statistics: tuple[Statistic, ...]
    function: Callable[..., Any]
    axes: tuple[str, ...] = ()
    labels: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    better: Better = "lower"
    has_best: bool = True
    undefined: str = ""

    @property
    def perfect(self) -> float | None:
        """The score of a forecast that is never wrong, where nearer to it is better; None where none is best."""
        return None if self.axes or not self.has_best else {"lower": 0.0, "higher": 1.0}.get(self.better)

    @property
    def coords(self) -> dict[str, list[Any]]:
        """What `labels` says, as xarray takes it."""
        return {axis: list(own) for axis, own in self.labels.items()}

    @property
    def references(self) -> frozenset[str]:
        """Names of the fields that its statistics compare with."""
        return frozenset(name for statistic in self.statistics for name in statistic.references)

    @property
    def needs_members(self) -> bool:
        """Whether a deterministic forecast has no such score."""
        return any(statistic.needs_members for statistic in self.statistics)

    @property
    def of_members(self) -> bool:
        """Whether it judges the members themselves and not their mean alone."""
        return any(statistic.of_members for statistic in self.statistics)


def itself(mean: Any) -> Any:
    """Return a mean that is a score as it is."""
    return mean


def first(mean: Any, *_: Any) -> Any:
    """Return the mean of the first of some statistics, as a score of which the others tell where it means nothing."""
    return mean
