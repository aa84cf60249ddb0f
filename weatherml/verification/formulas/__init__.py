"""Every score's formula once, on plain arrays of numpy or jax.

Arrays bring their own namespace (`__array_namespace__`), so the same line serves a verification in numpy and a loss
under `jit`. A formula either turns fields into a statistic of each point, or means of statistics into a score;
averages over area and over forecasts lie between the two (average first, transform last).
"""

from weatherml.verification.formulas.deterministic import anomaly_correlation, area_mean
from weatherml.verification.formulas.ensembles import (
    crps,
    crps_almost_fair,
    crps_fair,
    ensemble_variance,
    expected_squared_error,
    mean_absolute_difference,
    spread_skill,
)
from weatherml.verification.formulas.probabilities import (
    brier,
    brier_fair,
    brier_skill,
    forecast_probability,
    forecast_share,
    observed_frequency,
    roc_area,
)

__all__ = [
    "anomaly_correlation",
    "area_mean",
    "brier",
    "brier_fair",
    "brier_skill",
    "crps",
    "crps_almost_fair",
    "crps_fair",
    "ensemble_variance",
    "expected_squared_error",
    "forecast_probability",
    "forecast_share",
    "mean_absolute_difference",
    "observed_frequency",
    "roc_area",
    "spread_skill",
]
