"""When and where storms come ashore, and how wrong forecasts are about it."""

from collections.abc import Hashable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.ndimage import map_coordinates

from weatherml.errors import UserError, require_kind
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.forecasts import LONGEST, longest_leads, told
from weatherml.extremes.tracks.judging.pairing import STORM, Proximity, pair
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import DEGREE, between, between_angles, distance

COAST = 0.5
"""Share of land from which on a place is ashore."""
_HOUR = np.timedelta64(1, "h")


def landfalls(tracks: xr.Dataset, land_sea_mask: xr.DataArray) -> xr.Dataset:
    """Return where tracks cross the coast from sea to land, however often.

    Between records a storm goes evenly along the great circle, which is followed in steps of half a cell of the mask;
    the mask is bilinear between its points. A track that begins ashore makes no landfall there.

    Args:
        tracks: Of any kind.
        land_sea_mask: `[latitude, longitude]`, 0 of the sea to 1 of the land, of the globe or a region that holds all
            places; the first time where it has some, as files of ERA5 do.

    Returns:
        A table of tracks with a row for each landfall: its time, to the minute, and place, with intensities between
        those of the records before and after; other columns as they are before.

    Raises:
        UserError: A place is outside the mask.
    """
    table.check(tracks)
    mask = _Mask(land_sea_mask)
    found = [_record(tracks, leg, share) for leg, share in _crossings(tracks, mask)]
    columns = {name: tracks[name].values[:0] for name in table.columns_of(tracks)}
    if found:
        columns = {name: np.asarray([row[name] for row in found]) for name in columns}
    units = {name: tracks[name].attrs.get("units", "") for name in columns}
    return table.make(columns, units, told(tracks))


def landfall_errors(
    forecast: xr.Dataset, best: xr.Dataset, land_sea_mask: xr.DataArray, by: str | Proximity = "storm_id"
) -> pd.DataFrame:
    """Compare the first landfall after each initial time with that of the best track.

    Args:
        forecast: Tracks of forecasts. Where they do not tell how far one goes (`tracks.track` and `tracks.tell` do),
            it goes as far as the longest of all: its own storms may have been lost early.
        best: Best tracks.
        land_sea_mask: As `landfalls`.
        by: What tells which storm a forecast track is of, as `pairing.pair`.

    Returns:
        A row for each forecast track that has a best track: `init_time`, `number` of members, `track_id`, `storm`;
        `outcome`: "hit" where both make a landfall before the forecast ends, "miss", "false_alarm" or "none"; and of
        hits `lead_time` of the true landfall, `time_error` (hours, late is positive) and `place_error` (km).
    """
    pairs = pair(forecast, best, by)
    if "init_time" not in pairs:
        raise UserError("landfalls are judged of forecasts, the tracks have no init_time; see landfalls(...) of both")
    rows = table.to_frame(pairs)[[*_forecast_keys(pairs), "track_id", STORM]].drop_duplicates("track_id")
    rows = rows.merge(longest_leads(forecast), on=_forecast_keys(pairs))
    own = table.to_frame(landfalls(forecast, land_sea_mask))
    true = table.to_frame(landfalls(best, land_sea_mask))
    return pd.DataFrame([_compared(row, own, true, row.pop(LONGEST)) for row in rows.to_dict("records")])


def _forecast_keys(pairs: xr.Dataset) -> list[str]:
    return [name for name in ("init_time", "number") if name in pairs]


def _compared(
    row: dict[Hashable, object], own: pd.DataFrame, true: pd.DataFrame, horizon: pd.Timedelta
) -> dict[Hashable, object]:
    first = pd.Timestamp(row["init_time"])
    forecast = own[own["track_id"] == row["track_id"]].head(1)
    ashore = true[(true["track_id"] == row[STORM]) & (true["time"] > first) & (true["time"] <= first + horizon)].head(1)
    outcome = {(1, 1): "hit", (0, 1): "miss", (1, 0): "false_alarm", (0, 0): "none"}[len(forecast), len(ashore)]
    own_row = row | {"outcome": outcome, "lead_time": pd.NaT, "time_error": np.nan, "place_error": np.nan}
    if len(ashore):
        own_row["lead_time"] = ashore["time"].iloc[0] - first
    if outcome == "hit":
        one, other = forecast.iloc[0], ashore.iloc[0]
        own_row["time_error"] = (one["time"] - other["time"]) / _HOUR
        place = one["latitude"], one["longitude"], other["latitude"], other["longitude"]
        own_row["place_error"] = float(distance(*place))
    return own_row


class _Mask:
    """A land-sea mask that is known between its points."""

    def __init__(self, field: xr.DataArray) -> None:
        require_kind(field, xr.DataArray, "land_sea_mask", "pass one variable, such as dataset['land_sea_mask']")
        field = field.isel({dim: 0 for dim in field.dims if dim not in ("latitude", "longitude")}, drop=True)
        self._grid = LatLonGrid.from_dataset(field)
        columns, self._longitude = self._grid.eastward()
        values = field.transpose("latitude", "longitude").values[:, columns].astype(np.float64)
        self._values = np.pad(values, ((0, 0), (0, int(self._grid.is_cyclic))), mode="wrap")
        self.step = self._grid.resolution * DEGREE / 2
        """Km."""

    def at(self, latitude: npt.NDArray[np.float64], longitude: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the share of land at places in degrees.

        Raises:
            UserError: One is outside.
        """
        row = np.interp(-latitude, -np.asarray(self._grid.latitude), np.arange(self._grid.n_lat), np.nan, np.nan)
        if self._grid.is_global:
            row = np.where(np.isnan(row), np.where(latitude > 0, 0, self._grid.n_lat - 1), row)
        east = (longitude - self._longitude[0]) % 360
        known = np.r_[self._longitude, [self._longitude[0] + 360] * self._grid.is_cyclic] - self._longitude[0]
        column = np.interp(east, known, np.arange(len(known)), np.nan, np.nan)
        outside = np.isnan(row) | np.isnan(column)
        if outside.any():
            first = int(outside.argmax())
            raise UserError(
                f"the land-sea mask does not hold latitude {latitude[first]:g}, longitude {longitude[first]:g}, where a"
                " track is; pass one of the globe"
            )
        share: npt.NDArray[np.float64] = map_coordinates(self._values, (row, column), order=1, mode="nearest")
        return share


def _crossings(tracks: xr.Dataset, mask: _Mask) -> Iterator[tuple[int, float]]:
    """Give the record before each landfall, and what share of the way to the next one it is from there."""
    legs = np.flatnonzero(np.diff(tracks["track_id"].values) == 0)
    north, east = tracks["latitude"].values, tracks["longitude"].values
    length = distance(north[legs], east[legs], north[legs + 1], east[legs + 1])
    n_steps = np.maximum(np.ceil(length / mask.step).astype(int), 1)
    leg = np.repeat(legs, n_steps + 1)
    step = np.arange(len(leg)) - np.repeat(np.cumsum(n_steps + 1) - n_steps - 1, n_steps + 1)
    share = step / np.repeat(n_steps, n_steps + 1)
    land = mask.at(*between(north[leg], east[leg], north[leg + 1], east[leg + 1], share))
    ashore = np.flatnonzero((land[:-1] < COAST) & (land[1:] >= COAST) & (leg[:-1] == leg[1:]))
    within = (COAST - land[ashore]) / (land[ashore + 1] - land[ashore])
    yield from zip(leg[ashore].tolist(), share[ashore] + within * (share[ashore + 1] - share[ashore]), strict=True)


def _record(tracks: xr.Dataset, leg: int, share: float) -> dict[str, object]:
    """Return what is known at a share of the way from one record to the next."""
    columns = {name: tracks[name].values[leg : leg + 2] for name in table.columns_of(tracks)}
    told: dict[str, object] = {
        name: own[0] + share * (own[1] - own[0]) if own.dtype.kind == "f" else own[0] for name, own in columns.items()
    }
    told |= {name: float(between_angles(columns[name][0], columns[name][1], share)) for name in table.angles(tracks)}
    north, east = columns["latitude"], columns["longitude"]
    place = between(north[0], east[0], north[1], east[1], share)
    first, last = columns["time"]
    minutes = int(np.round((last - first) / np.timedelta64(1, "m") * share))
    named = dict(zip(("latitude", "longitude"), map(float, place), strict=True))
    return told | named | {"time": first + np.timedelta64(minutes, "m")}
