"""How forecasts of an event and the event itself met."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weatherml.verification.metrics.thresholds import level, named
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import ClassStatistic


@dataclass(frozen=True)
class Contingency(ClassStatistic):
    """The area where a field exceeded a threshold or did not, in the forecast and in truth; of the ensemble mean.

    Attributes:
        threshold: In the units of the field; that of each place and date, the reference `threshold`, when None.
    """

    threshold: float | None = None

    axes: ClassVar[tuple[str, ...]] = ("forecast_event", "truth_event")

    @property
    def references(self) -> tuple[str, ...]:
        """What it compares with."""
        return named(self.threshold)

    def events(self, sums: np.ndarray) -> np.ndarray:
        """Return the area where the truth exceeded the threshold."""
        return np.asarray(sums[..., :, 1].sum(axis=-1))

    def classes(self, pair: Pair) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return the class of each point: twice whether it was forecast, and whether it came."""
        threshold = level(pair, self.threshold)
        return 2 * (pair.forecast > threshold) + (pair.truth > threshold), (2, 2)
