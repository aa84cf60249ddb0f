"""Distributions of extremes fitted at each place."""

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.extremes.return_periods import likelihood
from weatherml.extremes.return_periods.families import GEV, GPD, Family
from weatherml.extremes.return_periods.lmoments import sample_lmoments
from weatherml.extremes.return_periods.peaks import Peaks

_logger = logging.getLogger(__name__)

Method = Literal["lmoments", "likelihood"]
"""By L-moments, of all places at once, which does well on short records; or by maximum likelihood, place by place (some
ten milliseconds each)."""

STATIONARY = "not modelled: the climate of the record is taken to stay"
"""What is said of trends."""

LEAST = 5
"""Values that a distribution is fitted to at least."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A distribution of extremes at each place.

    Attributes:
        family: Which distribution.
        method: How it was fitted.
        sample: What it was fitted to: yearly maxima, or excesses over the threshold, dims (sample, ...); NaN where a
            place has fewer than another.
        array: Parameters, float64 `[parameter, ...]`, NaN where a place has fewer than five values; by likelihood
            also where more than a quarter of them, and than two, are equal, so that there is no likeliest.
        threshold: From where on excesses are counted, dims (...); 0 of yearly maxima.
        rate: How many values of the sample there are a year, dims (...); 1 of yearly maxima.
        years: How many years the record is of.
    """

    family: Family
    method: Method
    sample: xr.DataArray
    array: np.ndarray
    threshold: xr.DataArray
    rate: xr.DataArray
    years: float

    @property
    def parameters(self) -> xr.Dataset:
        """Each parameter, dims (...), units of the field, the shape without; positive where the tail is heavy."""
        cells, units = self.threshold, {"units": str(self.sample.attrs.get("units", ""))}
        pairs = zip(self.family.parameters, self.array, strict=True)
        made = {name: cells.copy(data=own).assign_attrs({} if name == "shape" else units) for name, own in pairs}
        if self.family is GPD:
            made |= {"threshold": self.threshold.assign_attrs(units), "rate": self.rate.assign_attrs(units="year-1")}
        return xr.Dataset(made).assign_attrs(self.attributes)

    @property
    def attributes(self) -> dict[str, object]:
        """What it is and of what, for results."""
        return {"family": self.family.words, "method": self.method, "years": self.years, "trends": STATIONARY}


def fit_gev(maxima: xr.DataArray, method: Method = "lmoments") -> Fit:
    """Fit a generalized extreme value distribution to the largest values of years.

    Args:
        maxima: As `block_maxima` returns them, dims (year, ...). A place that lacks one is left out: NaN.
        method: `lmoments` or `likelihood`.

    Raises:
        UserError: There are fewer than five, or no such method.
    """
    _require_method(method)
    if "year" not in maxima.dims:
        raise UserError(f"maxima have a dimension 'year', got {dict(maxima.sizes)}; pass what block_maxima returns")
    _require_enough(maxima.sizes["year"], "yearly maxima", "a longer record, or peaks_over_threshold of this one")
    sample = maxima.transpose("year", ...).rename(year="sample")
    sample = sample.where(sample.notnull().all("sample"))
    nothing = xr.zeros_like(sample.isel(sample=0, drop=True), np.float64)
    array = fitted(_records(sample), GEV, method)
    return Fit(GEV, method, sample, array, nothing, nothing + 1, float(maxima.sizes["year"]))


def fit_gpd(peaks: Peaks, method: Method = "lmoments") -> Fit:
    """Fit a generalized Pareto distribution to the excesses of peaks over their threshold.

    Args:
        peaks: As `peaks_over_threshold` returns them. Places with fewer than five are left out: NaN.
        method: `lmoments` or `likelihood`.

    Raises:
        UserError: No place has five peaks, or there is no such method.
    """
    _require_method(method)
    counts = peaks.n_peaks
    _require_enough(int(counts.max()), "peaks", "a lower threshold, or a longer record")
    if few := int((counts < LEAST).sum()):
        _logger.warning("%s of %d have fewer than %d peaks and are left out", counted(few, "place"), counts.size, LEAST)
    sample = peaks.excess.rename(peak="sample").where(counts >= LEAST)
    array = fitted(_records(sample), GPD, method)
    threshold, rate = peaks.threshold.astype(np.float64), counts / peaks.years
    return Fit(GPD, method, sample, array, threshold, rate.astype(np.float64), peaks.years)


def fitted(records: np.ndarray, family: Family, method: Method) -> np.ndarray:
    """Return parameters `[parameter, ...]` of records `[..., value]`, NaN where one has fewer values than another."""
    array = family.from_lmoments(*sample_lmoments(records))
    n_tied = 0
    if method == "likelihood":
        for cell in np.ndindex(records.shape[:-1]):
            own = records[cell][np.isfinite(records[cell])]
            if len(own) < LEAST:
                continue
            is_tied = _many_tie(own)
            n_tied += is_tied
            start = array[(slice(None), *cell)]
            array[(slice(None), *cell)] = np.nan if is_tied else likelihood.fit(own, family, start)
    if n_tied:
        _logger.warning(
            "%s of %d have a value more than a quarter of their extremes, which no likelihood allows: they are left"
            " out; fit higher peaks there, or by method='lmoments'",
            counted(n_tied, "place"),
            records[..., 0].size,
        )
    return array


def _many_tie(values: np.ndarray) -> bool:
    """Return whether so many values `[value]` are equal that the likelihood grows without end as the scale shrinks."""
    return bool(np.unique(values, return_counts=True)[1].max() > max(2, len(values) / 4))


def _require_method(method: str) -> None:
    if method not in ("lmoments", "likelihood"):
        raise UserError(f"a fit is by 'lmoments' or by 'likelihood', not {method!r}; pass one of both")


def _require_enough(n: int, what: str, remedy: str) -> None:
    if n < LEAST:
        raise UserError(f"{n} {what} are too few for a distribution of extremes, which takes {LEAST}; pass {remedy}")


def _records(sample: xr.DataArray) -> np.ndarray:
    return np.moveaxis(sample.values.astype(np.float64), 0, -1)
