"""Statistics of one field: of the ensemble mean where there are members."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import PointStatistic

_CLIMATOLOGY: tuple[str, ...] = ("climatology",)


@dataclass(frozen=True)
class Error(PointStatistic):
    """Forecast less truth."""

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the units of the field."""
        return pair.error


@dataclass(frozen=True)
class AbsoluteError(PointStatistic):
    """Absolute error."""

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the units of the field."""
        return np.asarray(np.abs(pair.error))


@dataclass(frozen=True)
class SquaredError(PointStatistic):
    """Squared error."""

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the squared units of the field."""
        return pair.error**2


@dataclass(frozen=True)
class AnomalyCovariance(PointStatistic):
    """Product of the forecast's and the truth's anomalies from climatology."""

    references: ClassVar[tuple[str, ...]] = _CLIMATOLOGY

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the squared units of the field."""
        return np.asarray(pair.forecast_anomaly() * pair.truth_anomaly())


@dataclass(frozen=True)
class SquaredForecastAnomaly(PointStatistic):
    """Squared anomaly of the forecast from climatology."""

    references: ClassVar[tuple[str, ...]] = _CLIMATOLOGY

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the squared units of the field."""
        return pair.forecast_anomaly() ** 2


@dataclass(frozen=True)
class SquaredTruthAnomaly(PointStatistic):
    """Squared anomaly of the truth from climatology."""

    references: ClassVar[tuple[str, ...]] = _CLIMATOLOGY

    def at(self, pair: Pair) -> np.ndarray:
        """Return `[*point]` in the squared units of the field."""
        return pair.truth_anomaly() ** 2
