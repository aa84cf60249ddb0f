"""Statistics of parts of a forecast distribution: quantiles, and what lies beyond a threshold."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weatherml.verification import formulas
from weatherml.verification.formulas.distributions import Tail
from weatherml.verification.metrics.thresholds import level, named
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import PointStatistic


@dataclass(frozen=True)
class QuantileScore(PointStatistic):
    """Pinball loss of a quantile of the members.

    Attributes:
        quantile: Between 0 and 1.
    """

    quantile: float

    of_members: ClassVar[bool] = True

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the units of the field."""
        errors = pair.errors
        return np.asarray(
            formulas.quantile_score(
                formulas.ensemble_quantile(errors, self.quantile), np.zeros_like(pair.truth), self.quantile
            )
        )


@dataclass(frozen=True)
class _Beyond(PointStatistic):
    """Something of what lies beyond a threshold.

    Attributes:
        threshold: In the units of the field; that of each place and date, the reference `threshold`, when None.
        tail: Above it, or below.
    """

    threshold: float | None = None
    tail: Tail = "upper"

    of_members: ClassVar[bool] = True

    @property
    def references(self) -> tuple[str, ...]:
        """What it compares with."""
        return named(self.threshold)

    @abstractmethod
    def score(self, members: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return `[*point]` of what lies beyond, `[member, *point]` and `[*point]`."""

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the units of the field."""
        threshold = level(pair, self.threshold)
        members, truth = (formulas.beyond(own, threshold, self.tail) for own in (pair.members, pair.truth))
        return self.score(members, truth)


@dataclass(frozen=True)
class ThresholdWeightedCrps(_Beyond):
    """CRPS of what lies beyond a threshold."""

    def score(self, members: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return `[*point]` in the units of the field."""
        return np.asarray(formulas.crps(members, truth))


@dataclass(frozen=True)
class ThresholdWeightedCrpsFair(_Beyond):
    """Fair CRPS of what lies beyond a threshold."""

    def score(self, members: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return `[*point]` in the units of the field."""
        return np.asarray(formulas.crps_fair(members, truth))
