"""What thresholds are taken from: quantiles at each place and time of the year, of analyses or of re-forecasts."""

from collections.abc import Callable, Sequence
from typing import Protocol, Self, runtime_checkable

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.references import Fitted, Reference, as_reference, narrowed
from weatherml.times import Period, each_period

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


@runtime_checkable
class LeadClimate(Protocol):
    """Quantiles that differ by lead time: of a model's own re-forecasts."""

    @property
    def told(self) -> str:
        """Of what re-forecasts they are."""
        ...

    @property
    def dataset(self) -> xr.Dataset:
        """Dims (quantile, lead_time, level, latitude, longitude), in SI units."""
        ...

    def at_lead(self, lead_time: np.timedelta64) -> xr.Dataset:
        """Return the quantiles of a lead time, dims (quantile, level, latitude, longitude)."""
        ...


Climate = xr.Dataset | Reference | LeadClimate
"""Quantiles of each place: at each date, or at each lead time."""


Ask = Callable[[np.datetime64, np.timedelta64], xr.Dataset]
"""From an init time and a lead time to fields, dims ([quantile,] [level,] latitude, longitude)."""


NUMBER = (int, float, np.number)
Thresholds = float | xr.Dataset | Reference
"""One for all places, or of each place (and date)."""


def on_fields(threshold: Thresholds, fields: xr.Dataset, names: Sequence[str]) -> xr.Dataset | Reference:
    """Return a threshold of each place: a number, or a dataset of numbers, is that of all places of the fields.

    Args:
        threshold: SI units.
        fields: Dims (..., [level,] latitude, longitude).
        names: Of the variables that are compared with it.

    Raises:
        UserError: It is a number, and there are several variables.
    """
    if isinstance(threshold, NUMBER):
        if len(names) != 1:
            raise UserError(
                f"a threshold of {threshold:g} is of one variable, and there are {listed(names)}; select one,"
                f" [[{names[0]!r}]], or pass xr.Dataset({{{names[0]!r}: {threshold:g}, ...}})"
            )
        threshold = xr.Dataset({names[0]: float(threshold)})
    if not isinstance(threshold, xr.Dataset):
        return threshold
    there = [name for name in names if name in threshold and "latitude" not in threshold[name].dims]
    return threshold.assign({name: _everywhere(threshold[name], fields[name]) for name in there})


def _everywhere(number: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    dims = [dim for dim in ("level", "latitude", "longitude") if dim in like.dims and dim not in number.dims]
    return number.expand_dims({dim: like[dim].values for dim in dims})


def asked(climate: Climate, name: str, levels: Sequence[int], owner: str = "the climate") -> Ask:
    """Return what knows a variable at an init time and a lead time, and computes no other where that is computed.

    Args:
        climate: Of one quantile or of several.
        name: Of the variable.
        levels: hPa; none where it has one height.
        owner: What it is, for messages.
    """
    if isinstance(climate, LeadClimate):
        return lambda init, lead: climate.at_lead(lead)
    reference = narrowed(as_reference(climate, owner), {name: levels})

    def at(init: np.datetime64, lead: np.timedelta64) -> xr.Dataset:
        fields = reference.at(np.array([init + lead]))
        return fields.isel(time=0, drop=True) if "time" in fields.dims else fields

    return at


def probabilities_of(climate: Climate) -> np.ndarray:
    """Return the rising probabilities of a climate's quantiles.

    Raises:
        UserError: It has none.
    """
    if isinstance(climate, QuantileClimate):
        return np.array(climate.probabilities)
    dataset = climate.dataset if isinstance(climate, LeadClimate) else climate
    if not isinstance(dataset, xr.Dataset) or "quantile" not in dataset.dims:
        raise UserError(
            "the climate has no dimension 'quantile'; pass quantiles, extremes.calendar_quantiles(analyses,"
            " extremes.PERCENTILES, period)"
        )
    probabilities = np.asarray(dataset["quantile"].values, np.float64)
    if (np.diff(probabilities) <= 0).any():
        raise UserError(f"the climate's quantiles do not rise: {listed(probabilities)}; sort them, .sortby('quantile')")
    if probabilities[0] < 0 or probabilities[-1] > 1:
        raise UserError(
            f"the climate's quantiles are probabilities from 0 to 1, got {probabilities[0]:g} to {probabilities[-1]:g};"
            " divide per cent by 100, climate.assign_coords(quantile=climate['quantile'] / 100)"
        )
    return probabilities


def described(climate: Climate | float) -> str:
    """Return of what a climate or a threshold is: analyses or re-forecasts, of when, and in which window.

    A dataset says it in its attribute `climate`, or what `local_quantile` has told in `period`.
    """
    if isinstance(climate, NUMBER):
        return f"{climate:g} everywhere"
    if isinstance(climate, LeadClimate):
        return climate.told
    if isinstance(climate, xr.Dataset):
        period = climate.attrs.get("period")
        return str(climate.attrs.get("climate", f"analyses of {period}, all days" if period else UNTOLD))
    if isinstance(climate, QuantileClimate):
        days, period = climate.window_days, " and ".join(map(_written, each_period(climate.period)))
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


def _written(period: Period) -> str:
    first, last = period
    return f"{first}" if first == last else f"{first} to {last}"
