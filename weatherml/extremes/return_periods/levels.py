"""Return levels and return periods with their uncertainty."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import xarray as xr
from scipy.stats import norm, poisson

from weatherml.errors import Option, UserError
from weatherml.errors.wording import counted
from weatherml.extremes.return_periods import likelihood
from weatherml.extremes.return_periods.families import GPD
from weatherml.extremes.return_periods.fits import LEAST, Fit, fitted

_logger = logging.getLogger(__name__)

Interval = Literal["bootstrap", "delta", "profile"]
"""How sure a level is: `bootstrap`, records drawn from the fitted distribution and fitted anew (parametric,
percentiles); `delta`, as if levels were normally distributed, by the observed information; `profile`, by the likelihood
of the level. The last two follow a fit by likelihood."""

BOUNDS = ("estimate", "lower", "upper")
_AT_ONCE = 2**22  # values that are drawn at once
_LEAST_REGULAR = -0.5
"""Shapes down to it have estimates that are normally distributed where records are long, and no others (Smith 1985,
doi:10.1093/biomet/72.1.67)."""


def return_levels(
    fit: Fit, periods: Sequence[float], interval: Interval = "bootstrap", confidence: float = 0.95, draws: int = 500
) -> xr.Dataset:
    """Return what is exceeded once in so many years on average, at each place.

    Args:
        fit: As `fit_gev` or `fit_gpd` returns it. Of yearly maxima a year's largest value exceeds the level with
            probability 1 / period.
        periods: Years; of peaks more than one is to be expected in.
        interval: How bounds are found.
        confidence: Of the interval.
        draws: Of a bootstrap; places draw the same random numbers, so that the same record has the same bounds
            wherever it lies.

    Returns:
        `level`, dims (bound, return_period, ...), units of the field; attributes say the family, method, interval and
        length of the record, and that trends are not modelled. A period longer than the record is warned of with its
        interval.

    Raises:
        UserError: A period is too short, or the interval does not go with the fit.
    """
    years = _require_periods(fit, periods)
    _require_interval(fit, interval, confidence)
    estimate = _levels(fit, fit.array.reshape(len(fit.array), -1), fit.rate.values.ravel(), years)
    bounds = _METHODS[interval](fit, years, confidence, draws)
    above = np.moveaxis(np.stack([estimate, *bounds]), -1, 1)
    values = above.reshape(*above.shape[:2], *fit.threshold.shape) + fit.threshold.values
    level = _labelled(fit, values, {"return_period": years}).assign_attrs(fit.sample.attrs)
    _warn_of_extrapolation(level, fit, confidence)
    return xr.Dataset({"level": level}).assign_attrs(_told(fit, interval, confidence))


def return_periods(
    fit: Fit,
    values: xr.DataArray | float,
    confidence: float = 0.95,
    draws: int = 500,
    *,
    interval: Interval = "bootstrap",
) -> xr.Dataset:
    """Return in how many years a value is exceeded once on average, at each place, with bounds by bootstrap.

    Args:
        fit: As `fit_gev` or `fit_gpd` returns it.
        values: Dims (...), or one for all places; units of the field. Of peaks not below the threshold: NaN there.
        confidence: Of the interval.
        draws: Of the bootstrap.
        interval: By bootstrap alone; of levels there are others.

    Returns:
        `return_period`, dims (bound, ...), years; infinite where a value lies beyond the upper end of a distribution:
        an upper bound is so where that of many records drawn anew does, and the record then sets no bound.

    Raises:
        UserError: The confidence or the interval is none.
    """
    _require_interval(fit, interval, confidence)
    if interval != "bootstrap":
        raise UserError(
            f"bounds of return periods are by bootstrap alone, not {interval!r}; leave interval out, or ask for the"
            f" levels of some periods, return_levels(fit, [20, 50, 100], interval={interval!r})"
        )
    cells = fit.threshold
    own = np.broadcast_to(xr.DataArray(values).broadcast_like(cells).values if cells.dims else values, cells.shape)
    place = (own - cells.values).ravel()
    estimate = _periods(fit, fit.array.reshape(len(fit.array), -1), fit.rate.values.ravel(), place)
    redrawn = [_periods(fit, array, rate, place[some, None]) for some, array, rate in _redrawn(fit, draws)]
    bounds = _percentiles(np.concatenate(redrawn), confidence)
    values_of = np.stack([estimate, *bounds]).reshape(len(BOUNDS), *cells.shape)
    period = _labelled(fit, values_of, {}).assign_attrs(units="year")
    return xr.Dataset({"return_period": period}).assign_attrs(_told(fit, "bootstrap", confidence))


def _levels(fit: Fit, array: np.ndarray, rate: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Return `[..., period]`, above the threshold, of parameters `[parameter, ...]` and rates `[...]`.

    NaN where less than one value of the sample is to be expected in a period.
    """
    with np.errstate(divide="ignore"):
        beyond = 1 / (rate[..., None] * years)
    return fit.family.quantile(np.where(beyond < 1, 1 - beyond, np.nan), array[..., None])


def _periods(fit: Fit, array: np.ndarray, rate: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return `[...]` of values above the threshold; NaN of those below it."""
    with np.errstate(divide="ignore"):
        years = 1 / (rate * (1 - fit.family.probability(values, array)))
    known = np.isfinite(array).all(axis=0) & ((values >= 0) | (fit.family is not GPD))
    return np.where(known, years, np.nan)


def _by_bootstrap(fit: Fit, years: np.ndarray, confidence: float, draws: int) -> tuple[np.ndarray, np.ndarray]:
    made = [_percentiles(_levels(fit, array, rate, years), confidence) for _, array, rate in _redrawn(fit, draws)]
    lower, upper = (np.concatenate(own) for own in zip(*made, strict=True))
    return lower, upper


def _redrawn(fit: Fit, draws: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield some cells, and what is fitted to records that are drawn from their distributions.

    Of peaks the number is drawn, too, as a Poisson process has it, of five or more.

    Yields:
        Which cells, parameters `[parameter, cell, draw]` and rates `[cell, draw]`.
    """
    array, rate = fit.array.reshape(len(fit.array), -1), fit.rate.values.ravel()
    counts = np.isfinite(fit.sample.values).sum(axis=0).ravel()
    generator = np.random.default_rng(0)
    size = generator.random(draws)
    most = int(poisson.ppf(size.max(), counts.max())) if fit.family is GPD else int(counts.max())
    chance = generator.random((draws, max(most, LEAST)))
    n_cells = max(1, _AT_ONCE // chance.size)
    for start in range(0, len(counts), n_cells):
        some = slice(start, start + n_cells)
        own = np.broadcast_to(counts[some, None], (len(counts[some]), draws))
        own = np.maximum(poisson.ppf(size, own), LEAST) if fit.family is GPD else own
        values = fit.family.quantile(chance, array[:, some, None, None])
        if (own < chance.shape[1]).any():
            values = np.where(np.arange(chance.shape[1]) < own[..., None], values, np.nan)
        rates = rate[some, None] * own / counts[some, None] if fit.family is GPD else np.broadcast_to(1.0, own.shape)
        yield some, fitted(values, fit.family, fit.method, keep_ends=True), rates


def _by_delta(fit: Fit, years: np.ndarray, confidence: float, _: int) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds by the slope of levels with parameters, and with the rate, whose variance is Poisson's.

    NaN where the shape is one of which estimates are not normally distributed, or nothing is curved.
    """

    def bounds(values: np.ndarray, parameters: np.ndarray, rate: float) -> np.ndarray:
        together = np.append(parameters, rate)
        spread = np.zeros((len(together), len(together)))
        spread[:-1, :-1] = likelihood.covariance(values, fit.family, parameters)
        spread[-1, -1] = rate / fit.years if fit.family is GPD else 0.0
        step = 1e-5 * np.where(np.array([*fit.family.parameters, "rate"]) == "shape", 1.0, np.abs(together) + 1e-12)
        ends = [
            _levels(fit, end[:-1], np.asarray(end[-1]), years)
            for change in np.diag(step)
            for end in (together + change, together - change)
        ]
        slope = (np.array(ends[::2]) - np.array(ends[1::2])) / (2 * step[:, None])
        variance = np.einsum("ip,ij,jp->p", slope, spread, slope)
        is_normal = (parameters[-1] > _LEAST_REGULAR) & (variance > 0)
        error = np.sqrt(np.where(is_normal, variance, np.nan))
        level = _levels(fit, parameters, np.asarray(rate), years)
        sign = np.array([[-1.0], [1.0]])
        return np.asarray(level + sign * norm.ppf((1 + confidence) / 2) * error)

    found = _of_each(fit, years, bounds)
    _warn_of_no_interval(int((np.isfinite(fit.array[-1]).ravel() & np.isnan(found[0]).all(axis=-1)).sum()), fit)
    return found


def _by_profile(fit: Fit, years: np.ndarray, confidence: float, _: int) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds by the likelihood of each level; the rate of peaks is taken as known."""

    def bounds(values: np.ndarray, parameters: np.ndarray, rate: float) -> np.ndarray:
        ends = [likelihood.profile(values, fit.family, parameters, 1 - 1 / (rate * own), confidence) for own in years]
        return np.array(ends).T

    return _of_each(fit, years, bounds)


_Bounds = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def _of_each(fit: Fit, years: np.ndarray, bounds: _Bounds) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper bounds `[cell, period]`, cell by cell; NaN where there is no fit."""
    array, rate = fit.array.reshape(len(fit.array), -1), fit.rate.values.ravel()
    samples = fit.sample.values.reshape(len(fit.sample), -1).T.astype(np.float64)
    found = np.full((2, len(rate), len(years)), np.nan)
    for cell in np.flatnonzero(np.isfinite(array).all(axis=0)):
        found[:, cell] = bounds(samples[cell][np.isfinite(samples[cell])], array[:, cell], float(rate[cell]))
    return found[0], found[1]


_METHODS = {"bootstrap": _by_bootstrap, "delta": _by_delta, "profile": _by_profile}


def _percentiles(values: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return those of draws `[cell, draw, ...]`, `[cell, ...]` each."""
    shares = [(1 - confidence) / 2, (1 + confidence) / 2]
    lower, upper = np.quantile(values, shares, axis=1, method="inverted_cdf")  # infinite periods are not averaged
    return lower, upper


def _labelled(fit: Fit, values: np.ndarray, extra: dict[str, np.ndarray]) -> xr.DataArray:
    """Return `(bound, *extra, ...)`."""
    coords = {"bound": list(BOUNDS), **extra, **{str(name): own for name, own in fit.threshold.coords.items()}}
    return xr.DataArray(values, coords, ("bound", *extra, *fit.threshold.dims))


def _told(fit: Fit, interval: str, confidence: float) -> dict[str, object]:
    return {**fit.attributes, "interval": interval, "confidence": confidence}


def _warn_of_no_interval(n: int, fit: Fit) -> None:
    if n:
        _logger.warning(
            "%s of %d have no interval by the delta method: their shape is at most %g, where estimates are not normally"
            " distributed, or their likelihood is not curved; ask for interval='profile' or 'bootstrap'",
            counted(n, "place"),
            fit.threshold.size,
            _LEAST_REGULAR,
        )


def _warn_of_extrapolation(level: xr.DataArray, fit: Fit, confidence: float) -> None:
    """Say how sure the level of the longest period is that the record does not have."""
    longest = float(level["return_period"].max())
    if longest <= fit.years:
        return
    own = level.sel(return_period=longest)
    lower, upper = (own.sel(bound=bound) for bound in ("lower", "upper"))
    units = f" {level.attrs['units']}" if "units" in level.attrs else ""
    if not (upper - lower).notnull().any():
        return  # that there is no fit, or no interval, has been said
    one, many = f"from {float(lower.mean()):.4g} to {float(upper.mean()):.4g}{units}", "{:.3g}{} wide on average"
    _logger.warning(
        "a return period of %g years is longer than the record of %.3g: its level is extrapolated, its %g %% interval"
        " %s",
        longest,
        fit.years,
        100 * confidence,
        one if lower.size == 1 else many.format(float((upper - lower).mean()), units),
    )


def _require_periods(fit: Fit, periods: Sequence[float]) -> np.ndarray:
    years = np.atleast_1d(np.asarray(periods, np.float64))
    shortest = 1.0 if fit.family is not GPD else 1 / float(fit.rate.max())
    if not len(years) or not (years > shortest).all():
        raise UserError(
            f"return periods are years above {shortest:.3g}, of which one value of the sample is to be expected in, got"
            f" {list(periods)}; pass longer ones"
        )
    return years


def _require_interval(fit: Fit, interval: str, confidence: float) -> None:
    if interval not in _METHODS:
        raise UserError(f"an interval is by {', '.join(_METHODS)}, not {interval!r}; pass one of them")
    if interval != "bootstrap" and fit.method != "likelihood":
        raise UserError(
            f"a {interval} interval follows from a likelihood, and the fit is by L-moments",
            Option("interval", "bootstrap"),
            Option("method", "likelihood", "to the fit"),
        )
    if not 0 < confidence < 1:
        raise UserError(f"a confidence lies between 0 and 1, not {confidence}; write 0.95 for 95 %")
