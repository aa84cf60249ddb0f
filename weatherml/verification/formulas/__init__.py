"""Every score's formula once, on plain arrays of numpy or jax; few are of one theme alone and stand by its statistic.

Arrays bring their own namespace (`__array_namespace__`), so the same line serves a verification in numpy and a loss
under `jit`. A formula either turns fields into a statistic of each point, or means of statistics into a score;
averages over area and over forecasts lie between the two (average first, transform last).
"""

from weatherml.verification.formulas.decompositions import brier_parts, crps_reliability, crps_terms, crps_uncertainty
from weatherml.verification.formulas.deterministic import anomaly_correlation, area_mean
from weatherml.verification.formulas.distributions import beyond, ensemble_quantile, quantile_score
from weatherml.verification.formulas.ensembles import (
    crps,
    crps_almost_fair,
    crps_fair,
    crps_of,
    ensemble_variance,
    expected_squared_error,
    mean_absolute_difference,
    spread_skill,
)
from weatherml.verification.formulas.multivariate import energy_score, energy_score_fair, variogram_score
from weatherml.verification.formulas.probabilities import (
    brier,
    brier_fair,
    brier_skill,
    economic_value,
    forecast_probability,
    forecast_share,
    observed_frequency,
    ranked_probability,
    ranked_probability_fair,
    roc_area,
    roc_curve,
)
from weatherml.verification.formulas.ranks import frequencies, how_many, members_below, reliability_index
from weatherml.verification.formulas.spectra import effective_resolution, wavelength, zonal_power

__all__ = [
    "anomaly_correlation",
    "area_mean",
    "beyond",
    "brier",
    "brier_fair",
    "brier_parts",
    "brier_skill",
    "crps",
    "crps_almost_fair",
    "crps_fair",
    "crps_of",
    "crps_reliability",
    "crps_terms",
    "crps_uncertainty",
    "economic_value",
    "effective_resolution",
    "energy_score",
    "energy_score_fair",
    "ensemble_quantile",
    "ensemble_variance",
    "expected_squared_error",
    "forecast_probability",
    "forecast_share",
    "frequencies",
    "how_many",
    "mean_absolute_difference",
    "members_below",
    "observed_frequency",
    "quantile_score",
    "ranked_probability",
    "ranked_probability_fair",
    "reliability_index",
    "roc_area",
    "roc_curve",
    "spread_skill",
    "variogram_score",
    "wavelength",
    "zonal_power",
]
