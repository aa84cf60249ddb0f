"""Rapid intensification: whether storms gain as much wind in a day as few do, and whether forecasts say so."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.best_tracks.units import KNOT, WIND
from weatherml.extremes.tracks.judging.by_lead import BOUNDS, STORMS, storm_sample
from weatherml.extremes.tracks.judging.counts import SCORES
from weatherml.extremes.tracks.judging.pairing import BEST, STORM, Proximity, pair
from weatherml.verification.significance.method import CONFIDENCE, Method

CHANGE, RAPID = "wind_change", "is_rapid"
_ROUNDING = 1e-6  # m s-1: 30 knots are as many, however they were computed


@dataclass(frozen=True)
class RapidIntensification:
    """How much is rapid: 30 knots in a day, as of 5 of 100 storms at sea (Kaplan and DeMaria 2003,
    doi:10.1175/1520-0434(2003)018<1093:LCORIT>2.0.CO;2).

    Attributes:
        increase: Of the maximum wind, m s-1, at least.
        hours: Within.
    """

    increase: float = 30 * KNOT
    hours: float = 24.0


def intensification(tracks: xr.Dataset, rules: RapidIntensification | None = None) -> xr.Dataset:
    """Return tracks with `wind_change` over the hours before each record, m s-1, and `is_rapid` (1 or 0).

    NaN where the wind is not known at both ends; nothing is taken between records.

    Raises:
        UserError: The tracks have no `maximum_wind_speed`.
    """
    rules = rules or RapidIntensification()
    table.check(tracks)
    if WIND not in tracks:
        raise UserError(f"tracks have no {WIND}, whose growth is intensification; add it, in m s-1")
    rows = table.to_frame(tracks)[["track_id", "time", WIND]]
    before = rows.assign(time=rows["time"] + pd.Timedelta(hours=rules.hours))
    change = (rows[WIND] - rows.merge(before, on=["track_id", "time"], how="left")[f"{WIND}_y"]).to_numpy()
    rapid = np.where(np.isnan(change), np.nan, change >= rules.increase - _ROUNDING)
    return tracks.assign({CHANGE: ("record", change, {"units": "m s-1"}), RAPID: ("record", rapid, {"units": "1"})})


def intensification_scores(
    forecast: xr.Dataset,
    best: xr.Dataset,
    by: str | Proximity = "storm_id",
    rules: RapidIntensification | None = None,
    interval: Method = STORMS,
) -> xr.Dataset:
    """Judge forecasts of rapid intensification, at each lead time of at least the hours that it takes.

    Args:
        forecast: Tracks of forecasts, of members too, with `maximum_wind_speed`.
        best: Best tracks with it.
        by: What tells which storm a forecast track is of, as `pairing.pair`.
        rules: What is rapid; `RapidIntensification()` when None.
        interval: How intervals are had from the storms.

    Returns:
        Dims (bound, lead_time): `pod`, `far`, `csi` and `frequency_bias` of all members' tracks, and `brier` of the
        share of members that intensify so, of those that still follow the storm; and `n_events`, how many times
        storms did.
    """
    rules = rules or RapidIntensification()
    rows = table.to_frame(pair(intensification(forecast, rules), intensification(best, rules), by))
    rows = rows.dropna(subset=[RAPID, f"{BEST}{RAPID}"])
    if rows.empty or "lead_time" not in rows:
        raise UserError("no forecast has a best track whose wind is known over the hours before; pass longer forecasts")
    leads = np.unique(rows["lead_time"])
    ways = [_ways(rows, own, true) for own in (0, 1) for true in (0, 1)]
    sample = storm_sample(ways, leads)
    judged = {
        name: interval.judge(replace(sample, function=lambda *means, own=own: own(_laid(*means))))
        for name, own in SCORES.items()
    }
    judged["brier"] = interval.judge(storm_sample([_squares(rows)], leads))
    fields = {name: (("bound", "lead_time"), np.stack([getattr(own, bound) for bound in BOUNDS]))
              for name, own in judged.items()}  # fmt: skip
    events = rows[rows[f"{BEST}{RAPID}"] == 1].drop_duplicates(["init_time", STORM, "time"])
    n_events = events["lead_time"].value_counts().reindex(leads, fill_value=0).to_numpy()
    scores = xr.Dataset(fields, {"bound": list(BOUNDS), "lead_time": leads})
    told = {"increase": rules.increase, "hours": rules.hours, "confidence": CONFIDENCE, "intervals": "over storms"}
    return scores.assign(n_events=("lead_time", n_events)).assign_attrs(told)


def _ways(rows: pd.DataFrame, own: int, true: int) -> pd.DataFrame:
    """Return where forecast and truth met in one of four ways, as a number."""
    met = (rows[RAPID] == own) & (rows[f"{BEST}{RAPID}"] == true)
    return rows[[STORM, "time", "lead_time"]].assign(value=met.astype(float))


def _laid(*means: np.ndarray) -> np.ndarray:
    """Return four shares `[..., cell]` as a table `[..., cell, forecast, truth]`."""
    stacked = np.stack(means, axis=-1)
    return stacked.reshape(*stacked.shape[:-1], 2, 2)


def _squares(rows: pd.DataFrame) -> pd.DataFrame:
    keys = ["init_time", STORM, "time", "lead_time"]
    own = rows.groupby(keys, as_index=False)[[RAPID, f"{BEST}{RAPID}"]].mean()
    return own.assign(value=(own[RAPID] - own[f"{BEST}{RAPID}"]) ** 2)
