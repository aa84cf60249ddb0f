"""Probabilities that an ensemble exceeds a threshold, at each place and date."""

from functools import partial
from typing import Literal

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.thresholds.climates import Thresholds, described, on_fields
from weatherml.extremes.thresholds.indices import POSITIONS, probability_by_position
from weatherml.extremes.thresholds.pointwise import Pointwise, forecast_variables, require_forecast
from weatherml.references import as_reference, require_times
from weatherml.registry import nearest
from weatherml.variables import find

Side = Literal["above", "below"]


def exceedance_probability(
    forecast: xr.Dataset, threshold: Thresholds, position: str = "frequency", side: Side = "above"
) -> xr.Dataset:
    """Return the probability that each place exceeds its threshold, as the ensemble tells it.

    With k of M members beyond, (k + 1 - a) / (M + 2 - 2 a), where a goes by the name of a plotting position: with
    `frequency` (a = 1) the share k / M; `tukey` (1/3), `hazen` (1/2), `gringorten` (0.44), `cunnane` (0.4) and
    `weibull` (0) never say 0 or 1, which M members cannot know.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude).
        threshold: Dims (level, latitude, longitude), as from `local_quantile`, with `time` or by day of the year; or
            what is asked for each valid time, such as one quantile, `.of(0.95)`, of `calendar_quantiles`; or one
            number for all places of a forecast of one variable, such as 303.15 K; of several a dataset of numbers.
        position: Which plotting position.
        side: Whether values above the threshold count, or those below.

    Returns:
        Dims (init_time, lead_time, level, latitude, longitude), 0 to 1, computed where it is read, an init time, lead
        time and level at a time; NaN where a member or the threshold is missing. Attributes `threshold`, of what that
        is, and `position`.

    Raises:
        UserError: The forecast lacks a dimension, or the threshold a variable, level or valid time.
    """
    require_forecast(forecast)
    if position not in POSITIONS:
        raise UserError(f"unknown plotting position {position!r}{nearest(position, list(POSITIONS))}")
    if side not in ("above", "below"):
        raise UserError(f"a threshold is exceeded 'above' or 'below', not {side!r}; pass one of both")
    variables = forecast_variables(forecast)
    reference = as_reference(on_fields(threshold, forecast, variables), "the threshold")
    require_times(reference, forecast["init_time"].values[:, None] + forecast["lead_time"].values)
    function = partial(_probability, position=POSITIONS[position], side=side)
    _require_one_quantile(reference.at((forecast["init_time"].values + forecast["lead_time"].values[:1])[:1]))
    words = f"probability of {{}} {side} the threshold"
    attributes = {name: {"units": "1", "long_name": words.format(find(name).long_name.lower())} for name in variables}
    found = Pointwise(forecast, reference, function, "the threshold").dataset(attributes)
    told = {"threshold": described(threshold), "position": f"{position}: {_formula(POSITIONS[position])}"}
    return found.assign_attrs(told, members=forecast.sizes.get("number", 1))


def _require_one_quantile(fields: xr.Dataset) -> None:
    if "quantile" in fields.dims:
        known = listed(f"{q:g}" for q in fields["quantile"].values)
        raise UserError(f"the threshold has several quantiles, {known}; choose one, threshold.of(0.95)")


def _probability(members: np.ndarray, threshold: np.ndarray, _: str, position: float, side: Side) -> np.ndarray:
    is_beyond = members > threshold if side == "above" else members < threshold
    probability = probability_by_position(is_beyond.sum(axis=0), len(members), position)
    missing = np.isnan(members).any(axis=0) | np.isnan(threshold).any(axis=0)
    return np.where(missing, np.nan, probability)


def _formula(a: float) -> str:
    return "k / M" if a == 1 else f"(k + {1 - a:.3g}) / (M + {2 - 2 * a:.3g})"
