"""Statistics of ensembles, their spread and their CRPS."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weatherml.verification import formulas
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import PointStatistic


@dataclass(frozen=True)
class Crps(PointStatistic):
    """CRPS of the ensemble as the whole distribution."""

    of_members: ClassVar[bool] = True

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the units of the field."""
        return _crps(pair, fairness=0.0)


@dataclass(frozen=True)
class CrpsFair(PointStatistic):
    """Fair CRPS."""

    of_members: ClassVar[bool] = True

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the units of the field."""
        return _crps(pair, fairness=1.0)


@dataclass(frozen=True)
class EnsembleVariance(PointStatistic):
    """Unbiased variance of the members."""

    needs_members: ClassVar[bool] = True
    of_members: ClassVar[bool] = True

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the squared units of the field."""
        return pair.variance


@dataclass(frozen=True)
class ExpectedSquaredError(PointStatistic):
    """Squared error that the ensemble mean has if the ensemble is reliable."""

    needs_members: ClassVar[bool] = True
    of_members: ClassVar[bool] = True

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the squared units of the field."""
        return np.asarray(formulas.expected_squared_error(pair.variance, pair.n_members))


def _crps(pair: Pair, fairness: float) -> np.ndarray:
    terms = pair.mean_absolute_error, pair.mean_absolute_difference  # which all CRPS of a pair share
    return np.asarray(formulas.crps_of(*terms, pair.n_members, fairness))
