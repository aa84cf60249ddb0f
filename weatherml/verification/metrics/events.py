"""The area of an event, which says where a score of it means little: it came never, or always."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weatherml.verification.metrics.thresholds import Threshold, level, named
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import PointStatistic


@dataclass(frozen=True)
class EventArea(PointStatistic):
    """Share of some thresholds that the truth exceeds: 0 where it exceeds none, 1 where it exceeds all of them.

    Attributes:
        thresholds: As `weatherml.verification.metrics.thresholds` has them.
    """

    thresholds: tuple[Threshold, ...]

    of_members: ClassVar[bool] = True

    @property
    def references(self) -> tuple[str, ...]:
        """What it compares with."""
        return named(*self.thresholds)

    def events(self, sums: np.ndarray) -> np.ndarray:
        """Return the area where the truth exceeded thresholds, each share of them as that share of it."""
        return sums

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]`, 0 to 1."""
        return np.asarray(np.mean([pair.truth > level(pair, own) for own in self.thresholds], axis=0))
