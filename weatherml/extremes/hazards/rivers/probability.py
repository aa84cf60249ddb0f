"""Climatologies of transport, and the probability of a river at each place."""

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards.registry import Hazard, registry
from weatherml.extremes.hazards.rivers.definition import Definition
from weatherml.extremes.hazards.rivers.detection import DIMS, rivers
from weatherml.extremes.hazards.rivers.transport import ON_LEVELS, TRANSPORT, transport
from weatherml.extremes.thresholds import CalendarQuantiles, calendar_quantiles
from weatherml.extremes.tracks.members import Member, map_members
from weatherml.process.workers import HERE, Workers
from weatherml.references import Reference
from weatherml.times import Periods


def climatology(
    analyses: xr.Dataset, period: Periods, definition: Definition | None = None, times: np.ndarray | None = None
) -> CalendarQuantiles:
    """Return the percentile of transport of the season around each date.

    Args:
        analyses: Dims (time, [level,] latitude, longitude), as `transport` takes them.
        period: What counts: years that are not judged.
        definition: Its percentile and window.
        times: What will be asked for; all dates when None.

    Raises:
        UserError: The definition has no percentile; or as `calendar_quantiles`.
    """
    own = definition or Definition()
    if own.percentile is None:
        raise UserError("a definition without percentile needs no climatology; leave it out")
    carried = transport(analyses)[[TRANSPORT]]
    return calendar_quantiles(carried, [own.percentile / 100], period, own.window_days, times=times)


def probability(
    forecast: xr.Dataset,
    definition: Definition | None = None,
    threshold: Reference | None = None,
    workers: Workers = HERE,
) -> xr.DataArray:
    """Return the share of members that have a river at each place: one member is held at a time.

    Args:
        forecast: Dims (init_time, lead_time, number, [level,] latitude, longitude).
        definition: As of `rivers`.
        threshold: As of `rivers`.
        workers: By whom members are done, side by side.

    Returns:
        Dims (init_time, lead_time, latitude, longitude), float32; NaN where a member is missing.
    """

    def event(member: Member) -> tuple[np.datetime64 | None, np.ndarray]:
        found = rivers(member.fields, definition, threshold)[0].transpose("time", *DIMS[1:])
        is_known = transport(member.fields)[TRANSPORT].notnull().transpose("time", *DIMS[1:])
        return member.init_time, np.where(is_known, found > 0, np.float32(np.nan))

    init_times = np.atleast_1d(forecast["init_time"].values)
    coords = {name: np.atleast_1d(forecast[name].values) for name in ("init_time", "lead_time", *DIMS[1:])}
    share = np.zeros([len(own) for own in coords.values()], np.float32)
    n_members = forecast.sizes.get("number", 1)
    for init_time, own in map_members(event, forecast, workers):
        share[init_times == init_time] += own.astype(np.float32) / n_members
    told = {"long_name": "probability of an atmospheric river", "units": "1"}
    return xr.DataArray(share, coords, list(coords), "probability", told)


def _event(fields: xr.Dataset, definition: Definition, threshold: Reference | None) -> xr.DataArray:
    return (rivers(fields, definition, threshold)[0] > 0).rename("event")


def _index(fields: xr.Dataset, definition: Definition, threshold: Reference | None) -> xr.DataArray:
    return transport(fields)[TRANSPORT]


def _threshold(analyses: xr.Dataset, definition: Definition, times: np.ndarray) -> Reference:
    first, last = analyses["time"].values[[0, -1]]
    return climatology(analyses, (first, last), definition, times)


def _asks(definition: Definition) -> bool:
    return definition.percentile is not None


registry.register("atmospheric_river")(
    Hazard(
        "atmospheric river",
        ON_LEVELS,
        Definition,
        _event,
        _index,
        summary="maximum",
        threshold=_threshold,
        asks=_asks,
        extent="everything",
    )
)
