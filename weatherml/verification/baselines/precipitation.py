"""What of precipitation is usual at each place: how often it is dry, and from where on it is heavy."""

from collections.abc import Hashable
from typing import Literal

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.references import Reference, as_slice, values_of
from weatherml.times import Periods, is_within, show_periods

_HEAVY = 2 / 3  # quantile of wet cases: of three, two are light
_NEVER = np.float32(1e30)  # m: where it was never wet, nothing is heavy
_BAND_BYTES = 2**27

_WB2 = {"dry_probability": "seeps_dry_fraction", "heavy_threshold": "seeps_threshold"}


def seeps_climate(
    truth: xr.Dataset,
    period: Periods,
    variable: str = "total_precipitation_24hr",
    dry: float = 0.00025,
    by: Literal["month"] | None = None,
) -> dict[str, xr.Dataset | Reference]:
    """Return the references of `seeps`, over all times of a period or those of each month, read band by band.

    Args:
        truth: Analyses, dims (time, latitude, longitude).
        period: First and last time that count, both included; none that will be judged.
        variable: Of precipitation, m.
        dry: Most precipitation of a dry case, m: as the metric has it.
        by: `month` for a climate of each month of the year, that of the time at which precipitation ends, as Rodwell et
            al. 2010 have it, of 30 years (doi:10.1002/qj.656); one for all when None.

    Returns:
        `dry_probability` and `heavy_threshold`, for `references=`.

    Raises:
        UserError: There is no such variable, or no time in the period; or another group is asked for.
    """
    if by not in (None, "month"):
        raise UserError(f"a climate of seeps is by month or of all times, not by {by!r}; leave by out")
    _require(variable, list(truth.data_vars))
    is_chosen = is_within(truth["time"].values, period)
    if not is_chosen.any():
        raise UserError(f"no precipitation from {show_periods(period, ' to ')}; choose a period inside the truth")
    if by is None:
        return dict(_climate(truth[variable], is_chosen, np.float32(dry)))
    months = truth["time"].dt.month.values
    known = np.unique(months[is_chosen])
    climates = [_climate(truth[variable], is_chosen & (months == month), np.float32(dry)) for month in known]
    of_months = xr.Variable("month", known)
    return {name: xr.concat([own[name] for own in climates], of_months) for name in _WB2}


def seeps_of_weatherbench(
    climatology: xr.Dataset, variable: str = "total_precipitation_24hr"
) -> dict[str, xr.Dataset | Reference]:
    """Return the references of `seeps` from a climatology of WeatherBench 2, which are used as it uses them.

    The probability is the mean over days and hours, the threshold that of the day and the hour.

    Args:
        climatology: Dims (hour, dayofyear, latitude, longitude), canonical; `..._seeps_dry_fraction` and
            `..._seeps_threshold`, m.
        variable: Of precipitation.

    Raises:
        UserError: There is no such variable.
    """
    for own in _WB2.values():
        _require(f"{variable}_{own}", list(climatology.data_vars))
    dry, heavy = (climatology[f"{variable}_{own}"].rename(variable) for own in _WB2.values())
    mean = dry.mean([dim for dim in ("hour", "dayofyear") if dim in dry.dims])
    return {
        "dry_probability": mean.fillna(1).astype(np.float32).to_dataset(),
        "heavy_threshold": heavy.fillna(_NEVER).to_dataset(),
    }


def _climate(amount: xr.DataArray, is_chosen: np.ndarray, dry: np.float32) -> dict[str, xr.Dataset]:
    """Return the references of the times that are chosen, `[time]`."""
    chosen = amount.isel(time=as_slice(np.flatnonzero(is_chosen)))
    n_rows = max(1, _BAND_BYTES // (4 * chosen.sizes["time"] * chosen.sizes["longitude"]))
    bands = [slice(row, row + n_rows) for row in range(0, chosen.sizes["latitude"], n_rows)]
    parts = [_of_band(values_of(chosen.isel(latitude=band), (), "time")[:, 0], dry) for band in bands]
    grid = {name: amount[name].values for name in ("latitude", "longitude")}
    return {
        name: xr.Dataset({str(amount.name): (tuple(grid), np.concatenate(own))}, grid)
        for name, own in zip(_WB2, zip(*parts, strict=True), strict=True)
    }


def _of_band(amount: np.ndarray, dry: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of dry cases and the threshold of heavy ones, of `[time, lat, lon]`; NaN where one is NaN."""
    is_wet, is_whole = amount > dry, np.isfinite(amount).all(axis=0)
    n_wet = is_wet.sum(axis=0)
    ordered = np.sort(np.where(is_wet, amount, np.inf), axis=0)  # the wet first
    place = _HEAVY * np.maximum(n_wet - 1, 0)
    below, above = (
        np.take_along_axis(ordered, own.astype(int)[None], axis=0)[0] for own in (np.floor(place), np.ceil(place))
    )
    with np.errstate(invalid="ignore"):
        threshold = below + (place - np.floor(place)) * (above - below)
    heavy = np.where(n_wet > 0, threshold, _NEVER)
    dry_probability, heavy_threshold = (
        np.where(is_whole, own, np.nan).astype(np.float32) for own in (1 - n_wet / len(amount), heavy)
    )
    return dry_probability, heavy_threshold


def _require(name: str, known: list[Hashable]) -> None:
    if name not in known:
        raise UserError(f"there is no {name}, but {', '.join(map(str, known))}; pass a dataset that has it")
