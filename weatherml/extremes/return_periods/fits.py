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
"""By L-moments, which does well on short records; or by maximum likelihood. Both are of all places at once."""

STATIONARY = "not modelled: the climate of the record is taken to stay"
"""What is said of trends."""

LEAST = 5
"""Values that a distribution is fitted to at least."""

_AT_ONCE = 2**19
"""Values of records that are fitted together: each takes some hundred bytes."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A distribution of extremes at each place.

    Attributes:
        family: Which distribution.
        method: How it was fitted.
        sample: What it was fitted to: yearly maxima, or excesses over the threshold, dims (sample, ...); NaN where a
            place has fewer than another.
        array: Parameters, float64 `[parameter, ...]`, NaN where a place has fewer than five values, or an infinite one;
            by likelihood also where there is no likeliest: more than a quarter of the values, and than two, are equal,
            or the likelihood rises up to a shape of -1 or of 1, as it may of short records.
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


def fitted(records: np.ndarray, family: Family, method: Method, *, keep_ends: bool = False) -> np.ndarray:
    """Return parameters `[parameter, ...]` of records `[..., value]`, NaN where one has fewer values than another.

    Args:
        records: Those with an infinite value have none.
        family: What is fitted.
        method: How.
        keep_ends: Whether records whose likelihood rises up to an end of the shapes have the parameters near there,
            as those drawn for a bootstrap do: without them its percentiles would be of fits that went well alone.
    """
    records = np.where(np.isinf(records).any(axis=-1, keepdims=True), np.nan, records)
    array = family.from_lmoments(*sample_lmoments(records))
    if method == "lmoments":
        return array
    cells = records.reshape(-1, records.shape[-1])
    counts = np.isfinite(cells).sum(axis=1)
    is_tied = (counts >= LEAST) & _many_tie(cells, counts)
    chosen = np.flatnonzero((counts >= LEAST) & ~is_tied)
    found, start = np.full((len(array), len(cells)), np.nan), array.reshape(len(array), -1)
    done = np.ones(len(cells), bool)
    n_at_once = max(1, _AT_ONCE // max(1, cells.shape[1]))
    for place in range(0, len(chosen), n_at_once):
        own = chosen[place : place + n_at_once]
        found[:, own], done[own] = likelihood.fit_all(cells[own], family, start[:, own])
    if not keep_ends:
        found[:, ~done] = np.nan
        _warn_of_ends(int((~done).sum()), len(cells))
    _warn_of_ties(int(is_tied.sum()), len(cells))
    return np.where((counts >= LEAST) & ~is_tied, found, np.where(is_tied, np.nan, start)).reshape(array.shape)


def _many_tie(records: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return of which records `[record, value]` so many values are equal that the likelihood grows without end as the
    scale shrinks."""
    ordered, found = np.sort(records, axis=1), np.zeros(len(records), bool)
    for count in np.unique(counts):
        apart = max(2, int(count) // 4)
        own = ordered[counts == count]
        found[counts == count] = (own[:, apart:] == own[:, :-apart]).any(axis=1)
    return found


def _warn_of_ties(n: int, n_all: int) -> None:
    if n:
        _logger.warning(
            "%s of %d have a value more than a quarter of their extremes, which no likelihood allows: they are left"
            " out; fit higher peaks there, or by method='lmoments'",
            counted(n, "place"),
            n_all,
        )


def _warn_of_ends(n: int, n_all: int) -> None:
    if n:
        _logger.warning(
            "%s of %d have extremes whose likelihood rises up to a shape of -1 or 1, so that none is the likeliest:"
            " they are left out; fit a longer record, or by method='lmoments'",
            counted(n, "place"),
            n_all,
        )


def _require_method(method: str) -> None:
    if method not in ("lmoments", "likelihood"):
        raise UserError(f"a fit is by 'lmoments' or by 'likelihood', not {method!r}; pass one of both")


def _require_enough(n: int, what: str, remedy: str) -> None:
    if n < LEAST:
        raise UserError(f"{n} {what} are too few for a distribution of extremes, which takes {LEAST}; pass {remedy}")


def _records(sample: xr.DataArray) -> np.ndarray:
    return np.moveaxis(sample.values.astype(np.float64), 0, -1)
