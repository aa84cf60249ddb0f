"""Verdicts on extreme events."""

from weatherml.extremes.thresholds import calendar_quantiles, local_quantile, verdict

__all__ = ["calendar_quantiles", "local_quantile", "verdict"]
