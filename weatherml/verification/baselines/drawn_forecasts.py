"""Ensembles whose members are analyses of other times: of other years, or of the days before."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from weatherml.references import as_slice, time_index
from weatherml.state import with_metadata
from weatherml.times import Periods, parse_times
from weatherml.verification.baselines.lazy_forecast import lazy_forecast
from weatherml.verification.baselines.other_years import WINDOW_DAYS, drawing_of, sequences, time_of_day
from weatherml.verification.baselines.reference_forecasts import varying

_DAY = np.timedelta64(1, "D")


def climatological_ensemble(
    truth: xr.Dataset,
    init_times: np.ndarray,
    lead_times: np.ndarray,
    period: Periods | None = None,
    window_days: int | None = WINDOW_DAYS,
    members: int | None = None,
) -> xr.Dataset:
    """Forecast the analyses of other years, at the hour of the valid time on the days around its date.

    A forecast that knows place, date and hour, and nothing of the weather: what an ensemble must beat to have skill.
    Years that are judged, of which any time from an initial to a valid time is, lend no members. Near New Year a window
    goes on at the other end of the same year, so that each year lends as many.

    Args:
        truth: Analyses of several years with rising `time`.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.
        period: From which members are taken, and no such time may lie in it; all years but those judged when None.
        window_days: Width of the window around the date, odd; None where seasons do not matter, as on a simulated
            planet: members are then of the hour, and of any date.
        members: How many, evenly out of all; all of them when None.

    Returns:
        Dims (init_time, lead_time, number, level, latitude, longitude), read from the truth where it is read.

    Raises:
        UserError: The period holds what is judged, the hour of a valid time is not among the truth's, or too few years
            or days are left.
    """
    init_times = parse_times(init_times, "init_time")
    drawing = drawing_of(truth["time"].values, init_times, lead_times, period, window_days, members)
    return _drawn(truth, lambda init, lead: drawing.times_for(init[:, None] + lead), init_times, lead_times)


def persistence_ensemble(
    truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray, members: int = 10
) -> xr.Dataset:
    """Forecast the last analyses, up to the init time, that are of the hour of the valid time: one of each day.

    Args:
        truth: Analyses with every init time, and those of as many days before it as there are members.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.
        members: How many; the first is the latest.

    Returns:
        Dims (init_time, lead_time, number, level, latitude, longitude), read from the truth where it is read.

    Raises:
        UserError: The truth lacks one of these times.
    """
    days = np.arange(members) * _DAY

    def times_for(init: np.ndarray, lead: np.ndarray) -> np.ndarray:
        latest = init[:, None] - (-np.asarray(lead, "timedelta64[ns]")) % _DAY
        return latest[..., None] - days

    init_times = parse_times(init_times, "init_time")
    time_index(truth, times_for(init_times, lead_times), "the truth")
    return _drawn(truth, times_for, init_times, lead_times)


def sequence_ensemble(
    truth: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray, period: Periods, members: int | None = None
) -> xr.Dataset:
    """Forecast the weather of other dates as it went on: member k at each lead is what followed one other day.

    Where those of `climatological_ensemble` are of other dates at each valid time, and so no weather that moves, these
    have storms and spells. They know place and season, and nothing of the weather.

    Args:
        truth: Analyses with rising `time`.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.
        period: In which members begin and end; no forecast may reach into it.
        members: How many, evenly out of all days that begin at the hour of the init time; all of them when None.

    Returns:
        Dims (init_time, lead_time, number, level, latitude, longitude), read from the truth where it is read.

    Raises:
        UserError: Forecasts reach into the period, or too few days of it are there.
    """
    init_times = parse_times(init_times, "init_time")
    times = truth["time"].values
    begins = sequences(times, init_times, np.asarray(lead_times, "timedelta64[ns]"), period, members)

    def times_for(init: np.ndarray, lead: np.ndarray) -> np.ndarray:
        return np.stack([begins[time_of_day(own)][None] + np.asarray(lead)[:, None] for own in init])

    return _drawn(truth, times_for, init_times, lead_times)


def _drawn(
    truth: xr.Dataset,
    times_for: Callable[[np.ndarray, np.ndarray], np.ndarray],
    init_times: np.ndarray,
    lead_times: np.ndarray,
) -> xr.Dataset:
    """Return an ensemble of analyses, each read where it is read.

    Args:
        truth: Analyses.
        times_for: From init and lead times to the times of members `[init, lead, member]`.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.
    """
    fields = varying(truth)

    def compute(name: str, init: np.ndarray, lead: np.ndarray) -> xr.DataArray:
        return _chosen(fields[[name]], times_for(init, lead))[name]

    first = _chosen(fields, times_for(init_times[:1], lead_times[:1]))
    numbered = first.assign_coords(number=np.arange(first.sizes["number"]))
    return with_metadata(lazy_forecast(compute, numbered, init_times, lead_times))


def _chosen(truth: xr.Dataset, times: np.ndarray) -> xr.Dataset:
    """Read each time once, and return it wherever it is asked for: `times` [init, lead, member]."""
    needed, places = np.unique(time_index(truth, times, "the truth"), return_inverse=True)
    index = xr.DataArray(places.reshape(times.shape), dims=("init_time", "lead_time", "number"))
    chosen = truth.isel(time=as_slice(needed)).compute().isel(time=index).drop_vars("time")
    return chosen.transpose("init_time", "lead_time", "number", ...)
