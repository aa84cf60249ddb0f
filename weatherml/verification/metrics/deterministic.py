"""Metrics of one field: of the ensemble mean where there are members."""

import numpy as np

from weatherml.verification import formulas
from weatherml.verification.metrics.base import itself
from weatherml.verification.metrics.entries import enter
from weatherml.verification.statistics.deterministic import (
    AbsoluteError,
    AnomalyCovariance,
    Error,
    SquaredError,
    SquaredForecastAnomaly,
    SquaredTruthAnomaly,
)

enter("rmse", [SquaredError()], np.sqrt)
enter("mse", [SquaredError()], itself)
enter("mae", [AbsoluteError()], itself)
enter("bias", [Error()], itself, better="zero")
enter(
    "acc",
    [AnomalyCovariance(), SquaredForecastAnomaly(), SquaredTruthAnomaly()],
    formulas.anomaly_correlation,
    better="higher",
)
# How lively the forecast is: its root-mean-square anomaly. The truth's own activity is the rmse of the climatology
# forecast, so a forecast whose activity falls below that is blurred.
enter("activity", [SquaredForecastAnomaly()], np.sqrt, better="neither")
