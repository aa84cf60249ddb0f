"""Extreme forecast index and shift of tails of an ensemble against a climate, as ECMWF defines them."""

from functools import partial

import numpy as np
import xarray as xr

from weatherml.errors import Option, UserError
from weatherml.extremes.thresholds.climates import Climate, described, probabilities_of
from weatherml.extremes.thresholds.indices import extreme_forecast_index, shift_of_tails
from weatherml.extremes.thresholds.pointwise import Pointwise, forecast_variables, require_forecast
from weatherml.variables import find

DRY = 1e-4
"""Of precipitation, m: up to there it is dry, to both indices."""

PERCENTILES = tuple(round(0.01 * i, 2) for i in range(101))
"""What ECMWF's climate of the model has: from the least value to the greatest."""

_FURTHEST = 0.02  # that the outermost quantiles may lie from 0 and 1
_PRECIPITATION = "lwe_thickness_of_precipitation_amount"


def efi(forecast: xr.Dataset, climate: Climate, dry: float = DRY) -> xr.Dataset:
    """Return the extreme forecast index of an ensemble: from -1, all members below all of the climate, to 1, above it.

    Exact for the members as they are against a climate that is linear between its quantiles; ECMWF's own program takes
    the members' distribution to be linear between percentiles of the climate, which differs by some thousandths.
    Members beyond the outermost quantile count as beyond all of the climate. Of precipitation the part of the climate
    that is dry is left out of the integral, and the index divided by the largest that is left, as ECMWF's program does:
    where it never rains it is 0.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude).
        climate: Quantiles, from 0.02 or less to 0.98 or more: `calendar_quantiles` of analyses, a
            `QuantileClimatology`, `reforecast_quantiles`, or a dataset with a dimension `quantile`, which says in an
            attribute `climate` of what it is.
        dry: The most precipitation of a dry case, m.

    Returns:
        Dims (init_time, lead_time, level, latitude, longitude), computed where it is read, an init time, lead time and
        level at a time. Attribute `climate` says of what the climate is.

    Raises:
        UserError: The forecast lacks a dimension, or the climate a variable, level, time or the tails.
    """
    probabilities = probabilities_of(climate)
    _require_tails(probabilities)
    function = partial(_index, probabilities=probabilities, dry=dry)
    return _against(forecast, climate, function, "extreme forecast index of {}")


def sot(
    forecast: xr.Dataset, climate: Climate, quantile: float = 0.9, tail: float | None = None, dry: float = DRY
) -> xr.Dataset:
    """Return the shift of tails: above 0 where the forecast's outermost tenth lies beyond the climate's tail.

    (Qf(90) - Qc(99)) / (Qc(99) - Qc(90)) with the forecast's quantiles Qf and the climate's Qc; with `quantile=0.1`
    that of the lower tail. Limited to -10 .. 10, and NaN where the climate's tail has no width, as ECMWF's program has
    it; of precipitation, less than `dry` is none.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude).
        climate: As of `efi`.
        quantile: Of the members, 0.9 or 0.1.
        tail: Of the climate; 0.99 of an upper tail and 0.01 of a lower one when None.
        dry: As of `efi`.

    Returns:
        As `efi`.

    Raises:
        UserError: As of `efi`; or the quantiles are none of a tail.
    """
    levels = (quantile, tail if tail is not None else 0.99 if quantile > 0.5 else 0.01)
    if not (0 < levels[1] < levels[0] < 0.5 or 0.5 < levels[0] < levels[1] < 1):
        raise UserError(
            f"a tail lies beyond its quantile, on the same side of the median: not {levels[0]} and {levels[1]}; pass"
            " quantile=0.9 with tail=0.99, or 0.1 with 0.01"
        )
    probabilities = probabilities_of(climate)
    if not probabilities[0] <= min(levels) or not probabilities[-1] >= max(levels):
        raise UserError(
            f"the climate has quantiles from {probabilities[0]:g} to {probabilities[-1]:g} alone, and no {levels[1]:g};"
            " pass one that has, or another tail="
        )
    function = partial(_shift, probabilities=probabilities, levels=levels, dry=dry)
    words = f"shift of tails ({100 * levels[0]:g}, {100 * levels[1]:g} %) of {{}}"
    return _against(forecast, climate, function, words)


def _index(members: np.ndarray, quantiles: np.ndarray, name: str, probabilities: np.ndarray, dry: float) -> np.ndarray:
    return extreme_forecast_index(members, quantiles, probabilities, dry if _is_precipitation(name) else None)


def _shift(
    members: np.ndarray,
    quantiles: np.ndarray,
    name: str,
    probabilities: np.ndarray,
    levels: tuple[float, float],
    dry: float,
) -> np.ndarray:
    return shift_of_tails(members, quantiles, probabilities, levels, dry if _is_precipitation(name) else None)


def _against(forecast: xr.Dataset, climate: Climate, function: partial[np.ndarray], words: str) -> xr.Dataset:
    require_forecast(forecast)
    told = described(climate)
    attributes = {
        name: {"units": "1", "long_name": words.format(find(name).long_name.lower()), "climate": told}
        for name in forecast_variables(forecast)
    }
    found = Pointwise(forecast, climate, function).dataset(attributes)
    return found.assign_attrs(climate=told, members=forecast.sizes.get("number", 1))


def _is_precipitation(name: str) -> bool:
    return find(name).standard_name == _PRECIPITATION


def _require_tails(probabilities: np.ndarray) -> None:
    if probabilities[0] > _FURTHEST or probabilities[-1] < 1 - _FURTHEST:
        raise UserError(
            f"the climate has quantiles from {probabilities[0]:g} to {probabilities[-1]:g} alone, and the index is of"
            " their tails; pass one with quantiles from 0.02 or less to 0.98 or more",
            Option("probabilities", "PERCENTILES", python="probabilities=extremes.PERCENTILES"),
        )
