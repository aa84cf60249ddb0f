"""Verdicts on extreme events."""

from weatherml.extremes.thresholds import (
    PERCENTILES,
    calendar_quantiles,
    efi,
    exceedance_probability,
    local_quantile,
    reforecast_quantiles,
    sot,
    verdict,
)

__all__ = [
    "PERCENTILES",
    "calendar_quantiles",
    "efi",
    "exceedance_probability",
    "local_quantile",
    "reforecast_quantiles",
    "sot",
    "verdict",
]
