"""Shares of neighbourhoods in which an event is: for forecasts that are right but for a little way."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from weatherml.grid import LatLonGrid
from weatherml.verification.metrics.contingency.neighbourhoods import Neighbourhoods
from weatherml.verification.metrics.thresholds import level, named
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import Statistic, weighted_sums

Unit = Literal["km", "points"]


@dataclass(frozen=True)
class Fractions(Statistic):
    """Squares of shares of neighbourhoods where a threshold is exceeded, of members the mean share.

    Axis `share`: of the difference of forecast and truth, of the forecast, of the truth.

    Attributes:
        radius: Half the width of neighbourhoods.
        threshold: In the units of the field; that of each place and date, the reference `threshold`, when None.
        unit: Of the radius: km, of the same size everywhere, or points of the grid.

    Raises:
        ValueError: The radius or its unit is none.
    """

    radius: float
    threshold: float | None = None
    unit: Unit = "km"

    axes: ClassVar[tuple[str, ...]] = ("share",)
    of_members: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.radius >= 0 or self.unit not in get_args(Unit):
            raise ValueError(f"a neighbourhood has a radius of 0 or more km or points, not {self.radius} {self.unit}")
        if self.unit == "points" and self.radius != int(self.radius):
            raise ValueError(f"a radius in points of the grid is a whole number, not {self.radius}")

    @property
    def references(self) -> tuple[str, ...]:
        """What it compares with."""
        return named(self.threshold)

    def events(self, sums: np.ndarray) -> np.ndarray:
        """Return what is 0 where the truth never exceeded the threshold, and all of the area where it always did."""
        return np.asarray(sums[..., 2])

    def sums(self, pair: Pair, weights: np.ndarray, mask: np.ndarray, **_: Any) -> np.ndarray:
        """Return `[lead, region, share]`."""
        assert pair.grid is not None
        around, threshold = self._around(pair.grid), level(pair, self.threshold)
        forecast = around.mean((pair.members > threshold).mean(axis=0), mask)
        truth = around.mean(pair.truth > threshold, mask)
        return weighted_sums(np.stack([(forecast - truth) ** 2, forecast**2, truth**2]), weights)

    def _around(self, grid: LatLonGrid) -> Neighbourhoods:
        if self.unit == "km":
            return Neighbourhoods.within(grid, self.radius)
        return Neighbourhoods.of_points(grid, int(min(self.radius, max(grid.shape))))
