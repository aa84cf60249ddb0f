"""Statistics of an event: that a field exceeds a threshold."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import ClassStatistic


@dataclass(frozen=True)
class EventCounts(ClassStatistic):
    """The area where k members exceeded a threshold of each place and the truth did not (0) or did (1).

    Axis `event` is the truth's, axis `class` is k, from 0 to the number of members.
    """

    axes: ClassVar[tuple[str, ...]] = ("event", "class")
    references: ClassVar[tuple[str, ...]] = ("threshold",)

    def classes(self, pair: Pair) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return the class of each point, and how many events and classes there are."""
        threshold, n_classes = pair.references["threshold"], pair.n_members + 1
        members_above = np.count_nonzero(pair.members > threshold, axis=0)
        return (pair.truth > threshold) * n_classes + members_above, (2, n_classes)
