"""Statistics of the probability of an event: that a field exceeds a threshold, one for all or by place and date."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weatherml.verification import formulas
from weatherml.verification.metrics.thresholds import level, named
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import ClassStatistic, PointStatistic


@dataclass(frozen=True)
class EventCounts(ClassStatistic):
    """The area where k members exceeded a threshold and the truth did not (0) or did (1).

    Axis `event` is the truth's, axis `class` is k, from 0 to the number of members.

    Attributes:
        threshold: In the units of the field; that of each place and date, the reference `threshold`, when None.
    """

    threshold: float | None = None

    axes: ClassVar[tuple[str, ...]] = ("event", "class")
    of_members: ClassVar[bool] = True

    @property
    def references(self) -> tuple[str, ...]:
        """What it compares with."""
        return named(self.threshold)

    def events(self, sums: np.ndarray) -> np.ndarray:
        """Return the area where the truth exceeded the threshold."""
        return np.asarray(sums[..., 1, :].sum(axis=-1))

    def classes(self, pair: Pair) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return the class of each point, and how many events and classes there are."""
        threshold, n_classes = level(pair, self.threshold), pair.n_members + 1
        members_above = formulas.how_many(pair.members > threshold)
        return (pair.truth > threshold) * n_classes + members_above, (2, n_classes)


@dataclass(frozen=True)
class ReferenceBrier(PointStatistic):
    """Squared error of a probability that is known without the forecast: the reference `probability`.

    Attributes:
        threshold: As of `EventCounts`.
    """

    threshold: float | None = None

    @property
    def references(self) -> tuple[str, ...]:
        """What it compares with."""
        return (*named(self.threshold), "probability")

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]`, 0 to 1."""
        event = pair.truth > level(pair, self.threshold)
        return np.asarray((pair.references["probability"].astype(np.float64) - event) ** 2)


@dataclass(frozen=True)
class _Ranked(PointStatistic):
    """Something of probabilities of exceeding several thresholds.

    Attributes:
        thresholds: Numbers in the units of the field, or names of references.
    """

    thresholds: tuple[float | str, ...]

    of_members: ClassVar[bool] = True

    @property
    def references(self) -> tuple[str, ...]:
        """What it compares with."""
        return named(*self.thresholds)

    @abstractmethod
    def score(self, pair: Pair, levels: Sequence[np.ndarray | np.float32]) -> np.ndarray:
        """Return `[*point]` of the thresholds at all points."""

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]`, 0 to the number of thresholds."""
        return self.score(pair, [level(pair, own) for own in self.thresholds])


@dataclass(frozen=True)
class RankedProbability(_Ranked):
    """Ranked probability score."""

    def score(self, pair: Pair, levels: Sequence[np.ndarray | np.float32]) -> np.ndarray:
        """Return `[*point]`."""
        return np.asarray(formulas.ranked_probability(pair.members, pair.truth, levels))


@dataclass(frozen=True)
class RankedProbabilityFair(_Ranked):
    """Fair ranked probability score."""

    def score(self, pair: Pair, levels: Sequence[np.ndarray | np.float32]) -> np.ndarray:
        """Return `[*point]`."""
        return np.asarray(formulas.ranked_probability_fair(pair.members, pair.truth, levels))
