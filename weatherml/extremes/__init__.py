"""Verdicts on extreme events."""

from weatherml.extremes.thresholds import local_quantile, verdict

__all__ = ["local_quantile", "verdict"]
