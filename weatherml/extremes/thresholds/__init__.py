"""What counts as extreme at each place and time of the year, and how probable a forecast says it is."""

from weatherml.extremes.thresholds.calendar_quantiles import CalendarQuantiles, calendar_quantiles
from weatherml.extremes.thresholds.climates import QuantileClimate, described
from weatherml.extremes.thresholds.efi import PERCENTILES, efi, sot
from weatherml.extremes.thresholds.exceedance import verdict
from weatherml.extremes.thresholds.local_quantiles import local_quantile
from weatherml.extremes.thresholds.probability import exceedance_probability
from weatherml.extremes.thresholds.reforecasts import ReforecastQuantiles, reforecast_quantiles

__all__ = [
    "PERCENTILES",
    "CalendarQuantiles",
    "QuantileClimate",
    "ReforecastQuantiles",
    "calendar_quantiles",
    "described",
    "efi",
    "exceedance_probability",
    "local_quantile",
    "reforecast_quantiles",
    "sot",
    "verdict",
]
