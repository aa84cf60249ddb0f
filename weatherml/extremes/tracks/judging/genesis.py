"""Storms that begin after the initial time: whether forecasts say so, where and when they do."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.assignment import of_matrix
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.forecasts import KEYS, LONGEST, forecasts_of
from weatherml.extremes.tracks.judging.by_lead import BOUNDS
from weatherml.extremes.tracks.judging.counts import SCORES
from weatherml.extremes.tracks.judging.pairing import STORM, first_met
from weatherml.sphere.great_circles import distance
from weatherml.verification.significance.method import CONFIDENCE
from weatherml.verification.significance.methods import method_named
from weatherml.verification.significance.sample import Sample

_COUNTS = ("hits", "false_alarms", "misses")


@dataclass(frozen=True)
class Genesis:
    """When a storm that a forecast makes is one that came (after Halperin et al. 2013, doi:10.1175/WAF-D-13-00008.1).

    Attributes:
        within: Most that both begin apart, km.
        hours: Most that both begin apart in time.
        after: Hours from the initial time; a storm that is there by then was there before.
        statuses: Of best tracks that have a `status`: the first record with one of these is the storm's beginning.
    """

    within: float = 500.0
    hours: float = 24.0
    after: float = 12.0
    statuses: tuple[str, ...] = ("TD", "TS", "HU", "SD", "SS", "TY", "ST", "TC")


def genesis(
    forecast: xr.Dataset,
    best: xr.Dataset,
    rules: Genesis | None = None,
    init_times: npt.ArrayLike | None = None,
    n_members: int | None = None,
) -> pd.DataFrame:
    """Count hits, misses and false alarms of genesis, of each initial time and member.

    Each forecast that the tracks tell of (`tracks.track` and `tracks.tell` do) is one, also one without a storm. Of a
    forecast's tracks count those that begin later than `rules.after`; one that is where an older storm of the best
    tracks is, at the first time that both have, is that storm, found late, and counts as nothing.

    Args:
        forecast: Tracks of forecasts, all of the tropics or of a region.
        best: Best tracks of the same region; storms that begin later than a forecast goes are no misses.
        rules: What is a hit; `Genesis()` when None.
        init_times: `datetime64` of all forecasts; those that the tracks tell when None.
        n_members: Members of each, numbered from 0; those that the tracks tell when None.

    Returns:
        Columns `init_time`, `number` of members, `hits`, `misses`, `false_alarms`, and the means over hits of
        `time_error` (hours, late is positive) and `place_error` (km), NaN where there is none.

    Raises:
        UserError: A table is none of tracks, the first is of no forecasts, or it is not known which ones or how far
            they go.
    """
    rules = rules or Genesis()
    table.check(forecast)
    table.check(best)
    if "init_time" not in forecast:
        raise UserError("genesis is judged of forecasts, the tracks have no init_time; see matching.match for analyses")
    told = forecasts_of(forecast, init_times, n_members)
    if told[LONGEST].isna().any():
        raise UserError("there are no tracks, so it is not known how far forecasts go; tell it by tracks.tell(...)")
    rows, true = table.to_frame(forecast), table.to_frame(best)
    begun = true[true["status"].isin(rules.statuses)] if "status" in true else true
    begun = begun.groupby("track_id").head(1)
    first = rows.groupby("track_id", sort=False).head(1)
    met = first_met(rows, true, rules.hours)
    met = met[met["apart"] <= rules.within]
    counted = []
    for run in told.to_dict("records"):
        key = {name: run[name] for name in KEYS if name in run}
        own = first[np.logical_and.reduce([first[name] == value for name, value in key.items()])]
        init_time = pd.Timestamp(key["init_time"])
        later = init_time + pd.Timedelta(hours=rules.after)
        events = begun[(begun["time"] > later) & (begun["time"] <= init_time + run[LONGEST])]
        older = met[~met[STORM].isin(begun.loc[begun["time"] > later, "track_id"])]
        new = own[(own["time"] > later) & ~own["track_id"].isin(older["track_id"])]
        counted.append(key | _met(new, events, rules))
    return pd.DataFrame(counted)


def genesis_scores(counts: pd.DataFrame, interval: str = "circular") -> xr.Dataset:
    """Score what `genesis` returns: `pod`, `far`, `csi` and `frequency_bias`, dims (bound), over initial times.

    Args:
        counts: Of all initial times.
        interval: How intervals are had from the initial times, by a name in `significance.methods`.
    """
    own = counts.groupby("init_time")[list(_COUNTS)].sum()
    hits, false_alarms, misses = (own[name].to_numpy(np.float64) for name in _COUNTS)
    laid = np.stack([np.stack([0 * hits, misses], -1), np.stack([false_alarms, hits], -1)], -2)[:, None]
    weights, judged = np.ones((len(own), 1)), {}
    for name, function in SCORES.items():
        sample = Sample([laid], [weights], function, own.index.to_numpy("datetime64[ns]"))
        bounds = method_named(interval).judge(sample)
        judged[name] = ("bound", [getattr(bounds, bound)[0] for bound in BOUNDS])
    scores = xr.Dataset(judged, {"bound": list(BOUNDS)}, {"confidence": CONFIDENCE})
    return scores.assign({name: int(own[name].sum()) for name in _COUNTS})


def _met(new: pd.DataFrame, events: pd.DataFrame, rules: Genesis) -> dict[str, float]:
    """Assign as many forecast beginnings to true ones as may be, the nearest ones, and count."""
    hits = list(_hits(new, events, rules))
    times, places = (float(np.mean(own)) for own in zip(*hits, strict=True)) if hits else (np.nan, np.nan)
    counts = {"hits": len(hits), "misses": len(events) - len(hits), "false_alarms": len(new) - len(hits)}
    return counts | {"time_error": times, "place_error": places}


def _hits(new: pd.DataFrame, events: pd.DataFrame, rules: Genesis) -> Iterator[tuple[float, float]]:
    """Give how late, hours, and how far off, km, each hit is."""
    one, other = ({name: own[name].to_numpy() for name in ("time", "latitude", "longitude")} for own in (new, events))
    late = (one["time"][:, None] - other["time"]) / np.timedelta64(1, "h")
    apart = distance(one["latitude"][:, None], one["longitude"][:, None], other["latitude"], other["longitude"])
    may = (np.abs(late) <= rules.hours) & (apart <= rules.within)
    for row, column in zip(*of_matrix(apart, may), strict=True):
        yield float(late[row, column]), float(apart[row, column])
