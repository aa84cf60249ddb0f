"""Statistics of members that are kept instead of the members."""

from weatherml.forecast.statistics.config import StatisticsConfig

__all__ = ["StatisticsConfig"]
