"""How unusual a system found the event where it was most extreme: extreme forecast index and shift of tails."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.extremes.cases.stage import Stage
from weatherml.extremes.cases.watching import SystemOutcome
from weatherml.extremes.thresholds.efi import DRY, PERCENTILES
from weatherml.extremes.thresholds.indices import extreme_forecast_index, shift_of_tails
from weatherml.times import is_within, show_periods

_logger = logging.getLogger(__name__)

_WINDOW = 31  # days around the date, where a definition has none of its own
_MOST_HELD = 2**29
"""Bytes of a climate's values: of what is larger no index is had."""


@dataclass(frozen=True, eq=False)
class LocalClimate:
    """What the index is around the date of the peak, at each cell of the region.

    Attributes:
        quantiles: Rising `[quantile, lat, lon]`, units of the index, at `PERCENTILES`.
        n_values: Of how many values.
        words: Of what they are.
    """

    quantiles: np.ndarray
    n_values: int
    words: str


def local_climate(stage: Stage, usual: xr.Dataset, peak: np.datetime64) -> LocalClimate | None:
    """Return the quantiles of the index around a date, from the analyses of the case's climatology.

    Args:
        stage: Of a case that names a climatology; its period counts.
        usual: Analyses.
        peak: The date that days lie around, `window_days` of the definition, or 31 where it has none.

    Returns:
        None where the case has no climatology, no analysis lies around the date, or they are too many to hold.
    """
    climatology = stage.case.climatology
    if climatology is None:
        return None
    window = int(getattr(stage.definition, "window_days", _WINDOW))
    own = stage.usual(usual)
    near = is_within(own["time"].values, climatology.period) & _around(own["time"].values, peak, window // 2)
    values = list(_values(stage, own, near))
    if not values:
        return None
    held = np.concatenate(values)
    quantiles = np.quantile(held, PERCENTILES, axis=0)
    words = f"analyses of {show_periods(climatology.period)}, {window} days around {peak.astype('datetime64[D]')}"
    return LocalClimate(quantiles, len(held), words)


def unusual(own: SystemOutcome, climate: LocalClimate, stage: Stage, peak: np.datetime64) -> xr.Dataset | None:
    """Return the extreme forecast index and the shift of tails of an ensemble at a time.

    Returns:
        Dims (init_time, latitude, longitude): `efi` and `sot`, of the upper tail, or of the lower where low values are
        extreme; NaN outside the region. None of one forecast.
    """
    if not own.at_peak:
        return None
    is_low = stage.hazard.summary == "minimum"
    tail = (0.1, 0.01) if is_low else (0.9, 0.99)
    dry = DRY if "precipitation" in stage.true.name else None
    probabilities, shape = np.array(PERCENTILES), stage.grid.shape
    flat = climate.quantiles.reshape(len(probabilities), -1)
    found: dict[str, list[np.ndarray]] = {"efi": [], "sot": []}
    for members in own.at_peak.values():
        points = members.reshape(len(members), -1).astype(np.float64)
        found["efi"].append(extreme_forecast_index(points, flat, probabilities, dry).reshape(shape))
        found["sot"].append(shift_of_tails(points, flat, probabilities, tail, dry).reshape(shape))
    coords = {"init_time": np.array(list(own.at_peak), "datetime64[ns]")}
    fields = {name: stage.as_field(np.stack(values), coords) for name, values in found.items()}
    return xr.Dataset(fields, attrs={"climate": climate.words, "valid_time": str(peak), "tail": 100 * tail[0]})


def _values(stage: Stage, usual: xr.Dataset, near: np.ndarray) -> Iterator[np.ndarray]:
    """Yield values of the index `[time, lat, lon]`, of one year after another."""
    chosen = usual.isel(time=np.flatnonzero(near))
    if chosen.sizes["time"] * stage.inside.size * 8 > _MOST_HELD:
        _logger.warning("the region is too large for an extreme forecast index of all its cells, and the page has none")
        return
    years = pd.DatetimeIndex(chosen["time"].values).year
    for year in np.unique(years):
        yield stage.index_of(chosen.isel(time=np.flatnonzero(years == year)))


def _around(times: np.ndarray, peak: np.datetime64, n_days: int) -> np.ndarray:
    """Return which times lie within days of a date of any year, across New Year, bool `[time]`."""
    days = pd.DatetimeIndex(times).day_of_year.values - pd.Timestamp(peak).day_of_year
    apart = np.abs((days + 182) % 365 - 182)
    return np.asarray(apart <= n_days)
