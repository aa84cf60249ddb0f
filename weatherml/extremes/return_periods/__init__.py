"""How rare extremes are: return levels and periods of yearly maxima and of peaks over a threshold."""

from weatherml.extremes.return_periods.fits import Fit, fit_gev, fit_gpd
from weatherml.extremes.return_periods.levels import return_levels, return_periods
from weatherml.extremes.return_periods.maxima import block_maxima
from weatherml.extremes.return_periods.peaks import Peaks, peaks_over_threshold

__all__ = [
    "Fit",
    "Peaks",
    "block_maxima",
    "fit_gev",
    "fit_gpd",
    "peaks_over_threshold",
    "return_levels",
    "return_periods",
]
