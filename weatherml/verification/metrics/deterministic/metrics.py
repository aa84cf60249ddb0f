"""Metrics of one field: of the ensemble mean where there are members."""

import numpy as np

from weatherml.verification import formulas
from weatherml.verification.metrics.base import Metric, itself
from weatherml.verification.metrics.deterministic.quantiles import QuantileError, RelativeQuantileError
from weatherml.verification.metrics.deterministic.statistics import (
    AbsoluteError,
    AnomalyCovariance,
    CentredAnomalies,
    Error,
    SquaredError,
    SquaredForecastAnomaly,
    SquaredTruthAnomaly,
)
from weatherml.verification.metrics.deterministic.winds import SquaredVectorError
from weatherml.verification.metrics.entries import enter, registry

enter("rmse", [SquaredError()], np.sqrt)
enter("mse", [SquaredError()], itself)
enter("mae", [AbsoluteError()], itself)
# Of winds at levels, at 10 m and at 100 m whose components a forecast has: the channels `wind_850` and `10m_wind`.
enter("wind_vector_rmse", [SquaredVectorError()], np.sqrt)
enter("bias", [Error()], itself, better="zero")
# Of anomalies as they are, as WeatherBench 2 and FourCastNet have it; of mean products.
enter(
    "acc",
    [AnomalyCovariance(), SquaredForecastAnomaly(), SquaredTruthAnomaly()],
    formulas.anomaly_correlation,
    better="higher",
)
# Of anomalies less their mean over the region in each forecast, as WMO-No. 485 and ECMWF have it.
enter(
    "acc_centred",
    [CentredAnomalies()],
    lambda products: formulas.anomaly_correlation(products[..., 0], products[..., 1], products[..., 2]),
    better="higher",
)
# How lively the forecast is: its root-mean-square anomaly. The truth's own activity is the rmse of the climatology
# forecast, so a forecast whose activity falls below that is blurred.
enter("activity", [SquaredForecastAnomaly()], np.sqrt, better="neither")


@registry.register("quantile_error")
def quantile_error(lowest: float = 0.9, highest: float = 0.9999, n_levels: int = 50) -> Metric:
    """How much too high the highest values of a field are, wherever they lie: FourCastNet's top quantiles error."""
    return Metric((QuantileError(float(lowest), float(highest), int(n_levels)),), itself, better="zero")


@registry.register("relative_quantile_error")
def relative_quantile_error(lowest: float = 0.9, highest: float = 0.9999, n_levels: int = 50) -> Metric:
    """The same, each level relative to the truth, their sum: the RQE of FourCastNet's paper."""
    return Metric((RelativeQuantileError(float(lowest), float(highest), int(n_levels)),), itself, better="zero")
