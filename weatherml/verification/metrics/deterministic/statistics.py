"""Statistics of one field: of the ensemble mean where there are members."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import PointStatistic, Statistic, weighted_sums

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


@dataclass(frozen=True)
class CentredAnomalies(Statistic):
    """Products of anomalies from climatology, less their mean over each region: of each forecast by itself.

    Axis `product`: forecast by truth, forecast by forecast, truth by truth; squared units of the field.
    """

    axes: ClassVar[tuple[str, ...]] = ("product",)
    references: ClassVar[tuple[str, ...]] = _CLIMATOLOGY

    def sums(self, pair: Pair, weights: np.ndarray, **_: Any) -> np.ndarray:
        """Return `[lead, region, product]`."""
        forecast, truth = pair.forecast_anomaly(), pair.truth_anomaly()
        products = weighted_sums(np.stack([forecast * truth, forecast**2, truth**2]), weights)
        means = weighted_sums(np.stack([forecast, truth]), weights)
        area = weights.sum(axis=(-2, -1)).T[..., None]
        of_means = np.stack([means[..., 0] * means[..., 1], means[..., 0] ** 2, means[..., 1] ** 2], axis=-1)
        return np.asarray(products - of_means / np.where(area == 0, 1, area))
