"""Storms go east: an ensemble of the last analysis, carried with the mean flow at several speeds."""

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.references import time_index
from weatherml.state import with_metadata
from weatherml.times import parse_times
from weatherml.verification.baselines.lazy_forecast import lazy_forecast
from weatherml.verification.baselines.reference_forecasts import varying

FASTEST = 20.0
"""Degrees of longitude a day: 15 m/s at 50 degrees north, about what the fastest lows of middle latitudes do."""
_DAY = np.timedelta64(1, "D")


def carried_ensemble(
    truth: xr.Dataset,
    init_times: np.ndarray,
    lead_times: np.ndarray,
    members: int = 11,
    fastest: float = FASTEST,
) -> xr.Dataset:
    """Forecast that the analysis of the init time moves east as a whole, each member at a speed of its own.

    Persistence of motion rather than of weather, as simple as that: what a forecast of where a storm goes must beat.

    Args:
        truth: Analyses of whole circles of latitude, with every init time.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.
        members: How many, from one that stays to one at the highest speed, evenly.
        fastest: Highest speed, degrees of longitude a day.

    Returns:
        Dims (init_time, lead_time, number, level, latitude, longitude); interpolated linearly along circles of latitude
        where it is read.

    Raises:
        UserError: The truth lacks an init time, or its columns close no circle.
    """
    init_times, fields = parse_times(init_times, "init_time"), varying(truth)
    time_index(truth, init_times, "the truth")
    grid = LatLonGrid.from_dataset(truth)
    if not grid.is_cyclic:
        raise UserError("analyses of a region cannot be carried around the globe; give those of whole circles")
    speeds = np.linspace(0, fastest, members)

    def compute(name: str, init: np.ndarray, lead: np.ndarray) -> xr.DataArray:
        begun = fields[name].sel(time=init).compute().rename(time="init_time")
        steps = np.asarray(lead) / _DAY * speeds[:, None] / (360 / grid.n_lon)  # columns, [member, lead]
        by_lead = [_stacked([_rolled(begun, own) for own in at], "number") for at in steps.T]
        return _stacked(by_lead, "lead_time").transpose("init_time", "lead_time", "number", ...)

    first = fields.isel(time=[0]).rename(time="init_time").expand_dims(lead_time=lead_times[:1], axis=1)
    numbered = first.expand_dims(number=np.arange(members), axis=2).compute()
    return with_metadata(lazy_forecast(compute, numbered, init_times, lead_times))


def _rolled(field: xr.DataArray, columns: float) -> xr.DataArray:
    """Move a field east by columns, between which it is linear."""
    whole, part = int(np.floor(columns)), float(columns % 1)
    axis = field.dims.index("longitude")
    near, far = (np.roll(field.values, whole + own, axis) for own in (0, 1))
    return field.copy(data=(1 - part) * near + part * far)


def _stacked(fields: list[xr.DataArray], dim: str) -> xr.DataArray:
    return xr.concat(fields, dim, coords="minimal", compat="override")
