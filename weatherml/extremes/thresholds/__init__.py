"""What counts as extreme at each place and time of the year, and how probable a forecast says it is."""

from weatherml.extremes.thresholds.exceedance import verdict
from weatherml.extremes.thresholds.local_quantiles import local_quantile

__all__ = ["local_quantile", "verdict"]
