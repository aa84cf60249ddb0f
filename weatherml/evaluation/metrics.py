"""The metrics by name: which statistics each averages, and its function of their means.

Where a forecast has members, the metrics of one field (rmse, mse, mae, bias, acc, activity) are those of the ensemble
mean.
"""

import numpy as np

from weatherml import scores
from weatherml.matching import Fields
from weatherml.registry import Registry
from weatherml.verification import Metric
from weatherml.wording import counted

registry: Registry[Metric] = Registry("metric")
_OF_MEMBERS = ("crps", "crps_fair", "spread", "spread_skill")


def error(fields: Fields) -> np.ndarray:
    """Mean error, forecast less truth."""
    return fields.area_mean(fields.error)


def absolute_error(fields: Fields) -> np.ndarray:
    """Mean absolute error."""
    return fields.area_mean(np.abs(fields.error))


def squared_error(fields: Fields) -> np.ndarray:
    """Mean squared error."""
    return fields.area_mean(fields.error**2)


def anomaly_covariance(fields: Fields) -> np.ndarray:
    """Mean product of the forecast's and the truth's anomalies from climatology."""
    return fields.area_mean(fields.forecast_anomaly * fields.truth_anomaly)


def squared_forecast_anomaly(fields: Fields) -> np.ndarray:
    """Mean squared anomaly of the forecast from climatology."""
    return fields.area_mean(fields.forecast_anomaly**2)


def squared_truth_anomaly(fields: Fields) -> np.ndarray:
    """Mean squared anomaly of the truth from climatology."""
    return fields.area_mean(fields.truth_anomaly**2)


def crps(fields: Fields) -> np.ndarray:
    """Mean CRPS of the ensemble as the whole distribution."""
    return fields.area_mean(scores.crps(fields.members, fields.truth))


def crps_fair(fields: Fields) -> np.ndarray:
    """Mean fair CRPS."""
    return fields.area_mean(scores.crps_fair(fields.members, fields.truth))


def ensemble_variance(fields: Fields) -> np.ndarray:
    """Mean unbiased variance of the members."""
    return fields.area_mean(fields.ensemble_variance)


def expected_squared_error(fields: Fields) -> np.ndarray:
    """Mean squared error that the ensemble mean has if the ensemble is reliable."""
    return fields.area_mean(scores.expected_squared_error(fields.ensemble_variance, len(fields.members)))


def judged(metric: str, n_members: int) -> str:
    """Return what of a forecast a metric judges, in words; empty where there is but one field."""
    if n_members < 2:
        return "of one member, whose mae it is" if metric in _OF_MEMBERS else ""
    members = counted(n_members, "member")
    return f"of {members}" if metric in _OF_MEMBERS else f"of the mean of {members}"


def _itself(mean: np.ndarray) -> np.ndarray:
    return mean


registry.register("rmse")(Metric((squared_error,), np.sqrt))
registry.register("mse")(Metric((squared_error,), _itself))
registry.register("mae")(Metric((absolute_error,), _itself))
registry.register("bias")(Metric((error,), _itself))
registry.register("acc")(
    Metric(
        (anomaly_covariance, squared_forecast_anomaly, squared_truth_anomaly),
        scores.anomaly_correlation,
        needs_reference=True,
    )
)
# How lively the forecast is: its root-mean-square anomaly. The truth's own activity is the rmse of the climatology
# forecast, so a forecast whose activity falls below that is blurred.
registry.register("activity")(Metric((squared_forecast_anomaly,), np.sqrt, needs_reference=True))
registry.register("crps")(Metric((crps,), _itself))
registry.register("crps_fair")(Metric((crps_fair,), _itself))
# The square root of the mean variance, not the mean standard deviation, so that it compares with the rmse.
registry.register("spread")(Metric((ensemble_variance,), np.sqrt, needs_members=True))
# Spread over the rmse of the ensemble mean, 1 for a reliable ensemble whatever its size.
registry.register("spread_skill")(
    Metric((expected_squared_error, squared_error), scores.spread_skill, needs_members=True)
)
