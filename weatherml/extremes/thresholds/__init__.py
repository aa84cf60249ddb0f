"""What counts as extreme at each place and time of the year, and how probable a forecast says it is."""

from weatherml.extremes.thresholds.calendar_quantiles import CalendarQuantiles, calendar_quantiles
from weatherml.extremes.thresholds.climates import QuantileClimate, described
from weatherml.extremes.thresholds.exceedance import verdict
from weatherml.extremes.thresholds.local_quantiles import local_quantile

__all__ = ["CalendarQuantiles", "QuantileClimate", "calendar_quantiles", "described", "local_quantile", "verdict"]
