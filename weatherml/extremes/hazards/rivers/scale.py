"""How strong a river is where it arrives: the scale of Ralph et al. (2019, doi:10.1175/BAMS-D-18-0023.1)."""

import numpy as np
import xarray as xr

from weatherml.extremes.hazards.rivers.steps import hours_and_holes
from weatherml.times import parse_times

LEAST = 250.0
"""kg m-1 s-1, below which a place has no river."""
_RANKS = np.array([250.0, 500.0, 750.0, 1000.0, 1250.0])  # kg m-1 s-1
_SHORT, _LONG = 24.0, 48.0  # hours


def category(peak: np.ndarray, hours: np.ndarray) -> np.ndarray:
    """Return the category of rivers, int: 1 (weak) to 5 (exceptional), 0 for none.

    Args:
        peak: Greatest transport at the place, kg m-1 s-1.
        hours: How long it is at or above 250 there: below 24 the rank is one less, from 48 on one more.
    """
    rank = np.searchsorted(_RANKS, peak, side="right")
    shift = np.where(hours < _SHORT, -1, np.where(hours >= _LONG, 1, 0))
    return np.where(rank > 0, np.clip(rank + shift, 0, 5), 0).astype(np.int8)


def highest_category(transport: xr.DataArray) -> xr.DataArray:
    """Return the highest category that any spell at or above 250 kg m-1 s-1 reaches at each place, int8.

    Args:
        transport: kg m-1 s-1, with `time` that rises; read time after time.

    Returns:
        Without `time`. A time stands for the whole step to the next one; no spell goes on across times that are
        missing.

    Raises:
        UserError: Times do not rise.
    """
    times = parse_times(transport["time"].values)
    steps, is_behind_hole = hours_and_holes(times)
    shape = transport.isel(time=0, drop=True)
    peak, hours, highest = np.zeros(shape.shape), np.zeros(shape.shape), np.zeros(shape.shape, np.int8)
    for number, step in enumerate(steps):
        own = transport.isel(time=number, drop=True).values
        if is_behind_hole[number]:
            peak, hours = np.zeros(shape.shape), np.zeros(shape.shape)
        inside = own >= LEAST
        peak, hours = np.where(inside, np.maximum(peak, own), 0), np.where(inside, hours + step, 0)
        highest = np.maximum(highest, category(peak, hours))
    return shape.copy(data=highest).rename("category").drop_attrs()
