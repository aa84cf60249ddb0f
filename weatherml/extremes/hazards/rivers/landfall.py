"""When and where rivers reach land, and how well forecasts say so."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.assignment import of_matrix
from weatherml.extremes.hazards.rivers.records import as_records
from weatherml.extremes.hazards.rivers.scale import LEAST, category
from weatherml.extremes.hazards.rivers.steps import hours_and_holes
from weatherml.extremes.hazards.rivers.transport import EASTWARD, NORTHWARD, TRANSPORT, transport_at
from weatherml.extremes.objects import label
from weatherml.grid import REGRID, LatLonGrid
from weatherml.sphere.great_circles import distance

_LAND = 0.5
_UNITS = {
    "latitude": "degrees_north", "longitude": "degrees_east", "transport": "kg m-1 s-1", "peak": "kg m-1 s-1",
    "hours": "h", "distance": "km", "timing": "h", "transport_error": "kg m-1 s-1",
}  # fmt: skip


def landfalls(fields: xr.Dataset, labels: xr.DataArray, land: xr.DataArray) -> xr.Dataset:
    """Return where each river first reaches land.

    Rivers of neighbouring times that cover a place, or places beside each other, are one, but not across times that are
    missing. It reaches land where it covers a cell of the coast, land beside water, and carries vapour towards land
    there.

    Args:
        fields: As of `rivers`, dims (time, [level,] latitude, longitude).
        labels: Of `rivers`.
        land: Share of land, `[latitude, longitude]`, 0 to 1, on the same grid; from a half on a cell is land.

    Returns:
        Dim `record`, one row a river that reaches land: `time`, the first; `latitude` and `longitude` of the coast cell
        with the greatest transport then, and that `transport`; of that cell from then on while the river covers it
        `peak`, the greatest transport, `hours` at or above 250 kg m-1 s-1, and the `category` of these (Ralph et al.
        2019); `arrived`, whether it was there at the first of all times, or the first after missing ones, so that it
        may have come before.

    Raises:
        UserError: The mask of land lies on another grid, or times do not rise.
    """
    grid = LatLonGrid.from_dataset(fields)
    if not grid.is_same(LatLonGrid.from_dataset(land)):
        raise UserError(f"land {land.shape} and fields {grid.shape} lie on different grids; {REGRID}")
    coast = _Coast.of(land.transpose("latitude", "longitude").values >= _LAND, grid)
    times = fields["time"].values
    hours, is_behind_hole = hours_and_holes(times)
    rivers = _through_time(labels.values > 0, grid, is_behind_hole)
    found: dict[int, _Landfall] = {}
    for number, (time, own_labels) in enumerate(zip(times, rivers, strict=True)):
        own = transport_at(fields, time)
        strength = own[TRANSPORT].values
        reached = np.where(coast.receives(own[EASTWARD].values, own[NORTHWARD].values), own_labels, 0)
        for river in np.setdiff1d(reached, [0, *found]):
            place = np.where(reached == river, strength, -1).argmax()
            found[int(river)] = _Landfall(time, int(place), number == 0 or bool(is_behind_hole[number]))
        for river, landfall in found.items():
            landfall.add(own_labels.flat[landfall.place] == river, float(strength.flat[landfall.place]), hours[number])
    return _table(list(found.values()), grid)


def _through_time(mask: np.ndarray, grid: LatLonGrid, is_behind_hole: np.ndarray) -> np.ndarray:
    """Number rivers `[time, lat, lon]` through time, anew behind each hole."""
    numbers, last = np.zeros(mask.shape, np.int32), 0
    for part in np.split(np.arange(len(mask)), np.flatnonzero(is_behind_hole)):
        own = label(mask[part], grid, connect_time=True)
        numbers[part] = np.where(own > 0, own + last, 0)
        last += int(own.max(initial=0))
    return numbers


def landfall_errors(
    forecast: xr.Dataset, truth: xr.Dataset, distance_km: float = 1000.0, hours: float = 72.0
) -> tuple[xr.Dataset, dict[str, int]]:
    """Match landfalls of one member with those of analyses, one to one, and say how far they are off.

    Args:
        forecast: Of `landfalls`.
        truth: Of `landfalls`.
        distance_km: Farther apart two are not the same.
        hours: Neither are those whose times differ by more.

    Returns:
        Dim `record`, one row a pair: `time`, `latitude` and `longitude` of the truth; `timing`, hours that the forecast
        is late; `distance` km; `transport_error` kg m-1 s-1; `category_error`. And how many `hits`, `misses` and
        `false_alarms` there are. Of pairings with the most pairs it is the one whose shares of both limits add up to
        the least.
    """
    late = (forecast["time"].values[:, None] - truth["time"].values) / np.timedelta64(1, "h")
    places = [(own["latitude"].values, own["longitude"].values) for own in (forecast, truth)]
    apart = distance(places[0][0][:, None], places[0][1][:, None], *places[1]).reshape(late.shape)
    near = (apart <= distance_km) & (np.abs(late) <= hours)
    own, other = of_matrix(apart / distance_km + np.abs(late) / hours, near)
    columns = {name: truth[name].values[other] for name in ("time", "latitude", "longitude")}
    columns |= {"timing": late[own, other], "distance": apart[own, other]}
    columns["transport_error"] = forecast["transport"].values[own] - truth["transport"].values[other]
    columns["category_error"] = forecast["category"].values[own].astype(int) - truth["category"].values[other]
    n_pairs = len(own)
    counts = {"hits": n_pairs, "misses": len(late.T) - n_pairs, "false_alarms": len(late) - n_pairs}
    return as_records(pd.DataFrame(columns), _UNITS), counts


@dataclass(frozen=True, eq=False)
class _Coast:
    """Cells of land beside water, and where from them land lies.

    Attributes:
        is_coast: `[lat, lon]`.
        eastward: How much more land lies to the east than to the west `[lat, lon]`.
        northward: To the north than to the south.
    """

    is_coast: np.ndarray
    eastward: np.ndarray
    northward: np.ndarray

    @classmethod
    def of(cls, is_land: np.ndarray, grid: LatLonGrid) -> "_Coast":
        order = grid.eastward()[0]  # of a region across Greenwich the columns in one piece
        padded = np.pad(is_land[:, order], ((1, 1), (0, 0)), mode="edge")
        padded = np.pad(padded, ((0, 0), (1, 1)), mode="wrap" if grid.is_cyclic else "edge").astype(float)
        n_lat, n_lon = is_land.shape
        around = {
            (i, j): padded[1 + i : 1 + i + n_lat, 1 + j : 1 + j + n_lon]
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            if (i, j) != (0, 0)
        }
        least = np.min(list(around.values()), axis=0)
        eastward = sum(j * own for (_, j), own in around.items())
        northward = sum(-i * own for (i, _), own in around.items())
        back = np.argsort(order)
        return cls(is_land & (least[:, back] == 0), np.asarray(eastward)[:, back], np.asarray(northward)[:, back])

    def receives(self, eastward: np.ndarray, northward: np.ndarray) -> np.ndarray:
        """Return on which cells transport goes from water to land, bool `[lat, lon]`; also on a lone cell of land."""
        onshore = eastward * self.eastward + northward * self.northward
        is_lone = (self.eastward == 0) & (self.northward == 0)
        landward: np.ndarray = self.is_coast & ((onshore > 0) | is_lone)
        return landward


@dataclass
class _Landfall:
    """Where a river first reached land, and what it was there from then on, until it left.

    Attributes:
        time: The first.
        place: Cell of the flat grid.
        arrived: Whether that was the first of all times, or the first behind a hole.
        transport: Then, kg m-1 s-1.
        peak: Greatest so far.
        hours: At or above `LEAST` so far.
        has_left: Whether it does not cover the place any more.
    """

    time: np.datetime64
    place: int
    arrived: bool
    transport: float = 0.0
    peak: float = 0.0
    hours: float = 0.0
    has_left: bool = False

    def add(self, is_covered: bool, strength: float, step: float) -> None:
        """Take in the next time, from the first on."""
        self.has_left |= not is_covered
        if self.has_left:
            return
        self.transport = self.transport or strength
        self.peak = max(self.peak, strength)
        self.hours += step * (strength >= LEAST)


def _table(found: list[_Landfall], grid: LatLonGrid) -> xr.Dataset:
    names = ("time", "place", "arrived", "transport", "peak", "hours")
    rows = pd.DataFrame([{name: getattr(own, name) for name in names} for own in found], columns=list(names))
    row, column = np.divmod(rows.pop("place").to_numpy(np.int64), grid.n_lon)
    table = rows.assign(latitude=np.asarray(grid.latitude)[row], longitude=np.asarray(grid.longitude)[column])
    table = table.astype({"transport": float, "peak": float, "hours": float, "arrived": bool})
    table["category"] = category(table["peak"].to_numpy(), table["hours"].to_numpy())
    return as_records(table.sort_values(["time", "latitude", "longitude"]), _UNITS)
