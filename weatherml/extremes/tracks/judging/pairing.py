"""Forecast tracks beside the best tracks of the same storms, a row for each time that both have."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.assignment import assigned
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.best_tracks.units import require_si
from weatherml.grid import on_circle
from weatherml.sphere.great_circles import bearing, distance

BEST = "best_"
"""What names of columns of the best track begin with."""
STORM = "storm"
"""The best track's `track_id`: what is one storm, whichever forecast it is in."""
FORECAST = ("init_time", "number")
_STANDING = 1e-6  # km
_KEYS = ("track_id", "time")


@dataclass(frozen=True)
class Proximity:
    """A forecast track is of the best track that is nearest at the first time that both have.

    No two tracks of a member are of one storm: of all ways to pair them, the least distance in all.

    Attributes:
        within: Most that they are apart there, km.
        begins_within: How many hours after the initial time a forecast track may begin, to be of a storm of then; and
            how many hours later, at most, it must meet the best track.
    """

    within: float = 300.0
    begins_within: float = 12.0


def pair(forecast: xr.Dataset, best: xr.Dataset, by: str | Proximity = "storm_id") -> xr.Dataset:
    """Put each record of a forecast beside the best track's of the same storm and time.

    Args:
        forecast: Tracks of any number of initial times and members, or of an analysis.
        best: Best tracks.
        by: A column that both have and that names the storm, "storm_id" or "name" (of storms of other years, too: times
            tell them apart); or a distance at the beginning.

    Returns:
        The forecast's records that have a partner, as a table of tracks, with `storm` (the best track's `track_id`),
        `lead_time` of forecasts, and the best track's columns as `best_latitude` ...; `best_direction` is where it
        moves, degrees clockwise from north, by the records before and after, and `best_speed` how fast, m s-1.

    Raises:
        UserError: A table is none of tracks in SI units, they share no such column, or no record has a partner.
    """
    for own in (forecast, best):
        table.check(own)
        require_si(own)
    if not forecast.sizes[table.RECORD]:
        raise UserError("the forecast has no tracks, so there is nothing to pair; genesis and strikes judge it, too")
    rows, best_rows = table.to_frame(forecast), _moving(best)
    rows = _by_proximity(rows, best_rows, by) if isinstance(by, Proximity) else _by_column(rows, best_rows, by)
    renamed = {name: f"{BEST}{name}" for name in best_rows if name not in (*_KEYS, "name", "storm_id", "basin")}
    own = best_rows.drop(columns=[name for name in ("name", "storm_id", "basin") if name in rows and name in best_rows])
    joined = rows.merge(own.rename(columns=renamed | {"track_id": STORM}), on=[STORM, "time"])
    if joined.empty:
        raise UserError("no record of the forecast tracks has a best track at its time; pass best tracks of then")
    if "init_time" in joined:
        joined["lead_time"] = joined["time"] - joined["init_time"]
    return table.make({str(name): joined[name].to_numpy() for name in joined}, _units(forecast, best))


def _units(forecast: xr.Dataset, best: xr.Dataset) -> dict[str, str]:
    units = {name: str(forecast[name].attrs.get("units", "")) for name in table.columns_of(forecast)}
    units |= {f"{BEST}{name}": str(best[name].attrs.get("units", "")) for name in table.columns_of(best)}
    return units | {f"{BEST}direction": "degrees", f"{BEST}speed": "m s-1"}


def _by_column(rows: pd.DataFrame, best: pd.DataFrame, by: str) -> pd.DataFrame:
    for owner, own in (("forecast", rows), ("best", best)):
        if by not in own:
            raise UserError(
                f"the {owner} tracks have no column {by!r}, only {listed(own.columns)}; pair them by one that both"
                " have, or by=Proximity()"
            )
    asked = rows[[by, "time"]].drop_duplicates()  # others may have one name, such as those that have none
    known = best[[by, "time", "track_id"]].rename(columns={"track_id": STORM}).merge(asked, on=[by, "time"])
    if len(twice := known[known.duplicated([by, "time"])]):
        first = twice.iloc[0]
        raise UserError(f"two best tracks of {first['time']} are {by} {first[by]!r}; pair them by=Proximity()")
    return rows.merge(known, on=[by, "time"])


def _by_proximity(rows: pd.DataFrame, best: pd.DataFrame, by: Proximity) -> pd.DataFrame:
    first = rows.groupby("track_id", sort=False).head(1)
    if "init_time" in rows:
        first = first[first["time"] - first["init_time"] <= pd.Timedelta(hours=by.begins_within)]
    near = first_met(rows[rows["track_id"].isin(first["track_id"])], best, by.begins_within)
    near = near[near["apart"] <= by.within]
    forecasts = [name for name in FORECAST if name in near]
    groups = [own for _, own in near.groupby(forecasts)] if forecasts else [near]
    kept = [_nearest(own, by.within) for own in groups if len(own)]
    return rows.merge(pd.concat(kept or [near])[["track_id", STORM]], on="track_id")


def first_met(rows: pd.DataFrame, best: pd.DataFrame, hours: float) -> pd.DataFrame:
    """Return each track beside each best track at the first time that both have, a row for each two.

    Forecasts may have times that best tracks have not, and a storm may be found before they begin.

    Args:
        rows: Tracks.
        best: Best tracks.
        hours: After a track begins, at most, for it to count.

    Returns:
        The tracks' rows of then, with `storm` and how far `apart` both are, km.
    """
    begun = rows.groupby("track_id")["time"].transform("min")
    early = rows[rows["time"] - begun <= pd.Timedelta(hours=hours)]
    places = best[["time", "track_id", "latitude", "longitude"]].rename(columns={"track_id": STORM})
    both = early.merge(places, on="time", suffixes=("", "_of_best")).sort_values("time", kind="stable")
    both = both.drop_duplicates(["track_id", STORM])
    to = both["latitude_of_best"], both["longitude_of_best"]
    return both.assign(apart=distance(both["latitude"], both["longitude"], *to))


def _nearest(near: pd.DataFrame, within: float) -> pd.DataFrame:
    """Return which rows are kept so that each track and each storm is in one: the least distance in all, where a track
    without a storm counts as one that is just too far off (`assignment.assigned`)."""
    tracks, storms = (np.unique(near[name], return_inverse=True)[1] for name in ("track_id", STORM))
    return near.iloc[assigned(tracks, storms, near["apart"], alone=np.nextafter(within, np.inf))]


def _moving(best: xr.Dataset) -> pd.DataFrame:
    """Return best tracks with where and how fast they move at each record: where from by the record before, where to by
    the one after, each as far as it goes; at an end by the other one. Not known (NaN) where a storm stands still."""
    rows = table.to_frame(best)
    if again := [name for name in FORECAST if name in rows]:
        raise UserError(f"best tracks have {listed(again)}, as forecasts have; exchange the two, or drop it")
    places = rows[["track_id", "time", "latitude", "longitude"]].groupby("track_id")
    ends = []
    for step in (1, -1):
        shifted = places.shift(step)
        ends.append(shifted.where(shifted["time"].notna(), rows[shifted.columns]))
    before, after = ends
    way = before["latitude"], before["longitude"], after["latitude"], after["longitude"]
    seconds = (after["time"] - before["time"]).dt.total_seconds().to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        speed = distance(*way) * 1000 / seconds
    east, north = np.subtract(_way(rows, after), _way(rows, before))
    stands = np.hypot(east, north) < _STANDING
    direction = np.where(stands, np.nan, on_circle(np.degrees(np.arctan2(east, north))))
    return rows.assign(direction=direction, speed=speed)


def _way(rows: pd.DataFrame, to: pd.DataFrame) -> np.ndarray:
    """Return how far east and north, km, another place is in the plane that touches the Earth at each record."""
    where = rows["latitude"], rows["longitude"], to["latitude"], to["longitude"]
    towards = np.radians(np.nan_to_num(bearing(*where)))  # of no way there is none
    return np.asarray(distance(*where) * np.stack([np.sin(towards), np.cos(towards)]))
