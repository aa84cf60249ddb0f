"""What thresholds are taken from: quantiles at each place and time of the year, of analyses or of re-forecasts."""

from typing import Protocol, Self, runtime_checkable

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.references import Fitted, Reference
from weatherml.times import show_periods
from weatherml.wording import listed

UNTOLD = "of what it was made is not told"


@runtime_checkable
class QuantileClimate(Fitted, Protocol):
    """A reference that knows quantiles around each date, and of what: a `QuantileClimatology`, `CalendarQuantiles`."""

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Rising, between 0 and 1."""
        ...

    @property
    def window_days(self) -> int:
        """How many days around each date count, of all years of the period."""
        ...

    def of(self, probability: float) -> Self:
        """Return one of the quantiles, whose fields have no dimension `quantile`."""
        ...


def described(climate: xr.Dataset | Reference) -> str:
    """Return of what a climate or a threshold is: analyses or re-forecasts, of when, and in which window.

    A dataset says it in its attribute `climate`, or what `local_quantile` has told in `period`.
    """
    if isinstance(climate, xr.Dataset):
        period = climate.attrs.get("period")
        return str(climate.attrs.get("climate", f"analyses of {period}, all days" if period else UNTOLD))
    if isinstance(climate, QuantileClimate):
        days, period = climate.window_days, show_periods(climate.period, " to ")
        return f"analyses of {period}, {days} days around each date"
    return UNTOLD


def position(probabilities: np.ndarray, probability: float) -> int:
    """Return where a probability is among those that are known.

    Raises:
        UserError: It is not there.
    """
    known = np.asarray(probabilities)
    if not np.isclose(known, probability).any():
        there = listed(f"{q:g}" for q in known)
        raise UserError(f"there is no quantile {probability}, only {there}; choose one of them")
    return int(np.abs(known - probability).argmin())
