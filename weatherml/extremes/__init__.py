"""Verdicts on extreme events."""

from weatherml.extremes.exceedance import verdict
from weatherml.extremes.thresholds import local_quantile

__all__ = ["local_quantile", "verdict"]
