"""Storms followed from where they are known to be, by the criteria of Pangu-Weather, member by member.

Bi et al. (2023), doi:10.1038/s41586-023-06185-3, after ECMWF's tracker (White et al. 2005; Magnusson et al. 2021): the
next eye is a minimum of the pressure near the last one, with vorticity, a warm core and wind around it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.assignment import assigned
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.best_tracks.units import PRESSURE, WIND
from weatherml.extremes.tracks.detection import Detection, extrema, refinement
from weatherml.extremes.tracks.detection.fields import each_time, parts_of
from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.extremes.tracks.forecasts import of_member
from weatherml.extremes.tracks.linking.steps import longest_gaps
from weatherml.extremes.tracks.members import Member, map_members
from weatherml.extremes.tracks.vorticity import relative_vorticity
from weatherml.grid import LatLonGrid
from weatherml.process.workers import HERE, Workers
from weatherml.sphere.great_circles import DEGREE, bearing, destination, distance

VORTICITY, THICKNESS, SPEED = "vorticity_850", "geopotential_200 - geopotential_850", "10m_wind_speed"
LAND = "land_sea_mask"
_WINDS = ("u_component_of_wind_850", "v_component_of_wind_850")
_STEP = np.timedelta64(6, "h")


@dataclass(frozen=True)
class Following:
    """What the next eye of a storm must be like.

    Attributes:
        search_radius: Most that a storm goes in six hours or less, km; in longer steps as much more.
        vicinity: Within how many km of the minimum the following are sought; on coarse grids half the diagonal of a
            cell, so that a point of the grid is there.
        vorticity: At 850 hPa, more than so much at some point, s-1; in the southern hemisphere less than minus that.
            None to ask nowhere.
        extratropical: Degrees of latitude from which on, poleward, a maximum of the thickness 850-200 hPa must be near.
            The paper asks for it of extratropical cyclones and does not say which are. None to ask nowhere.
        least_wind: Over land, more than so much wind at 10 m at some point, m s-1. None to ask nowhere.
        land: Share of land in the cell of the minimum from which on it is over land.
        separation: Of minima that are closer, km, only the lowest counts; the paper has none.
        pressure_change: Pa that count as much as the search radius where several minima will do: the next eye is the
            one for which the distance from where it is expected, in search radii, and the change of pressure, in these,
            are least together. The paper does not say which one is taken.
        maximum_gap: Hours between two eyes, at most, where the data have a hole (`linking.steps.longest_gaps`); a step
            of the data itself is always short enough.
    """

    search_radius: float = 445.0
    vicinity: float = 278.0
    vorticity: float | None = 5e-5
    extratropical: float | None = 30.0
    least_wind: float | None = 8.0
    land: float = 0.5
    separation: float = 150.0
    pressure_change: float = 1500.0
    maximum_gap: float = 0.0


def follow(
    forecast: xr.Dataset, starts: xr.Dataset, rules: Following | None = None, workers: Workers = HERE
) -> xr.Dataset:
    """Follow storms through a forecast from where best tracks have them at the initial time.

    Of several minima that will do, the next eye is the one most like the last, nearest to where the storm would be if
    it went on as before and with the least change of pressure; no two storms share one (`assignment.assigned`, closest
    first). A storm ends where there is none, and at a hole in the data, as storms that are linked do. A few times of
    the needed fields are in memory at once.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude), or (time, ...) of analyses, with
            `mean_sea_level_pressure`; `vorticity` at 850 hPa, or both components of the wind there; `geopotential` at
            200 and 850 hPa; the wind at 10 m and `land_sea_mask`, which may lack time. What rules do not ask for may
            be missing.
        starts: Tracks, such as best tracks: of forecasts every record at an initial time is a storm to follow, of
            analyses the first one of each track that lies at one of their times. Their places alone are used.
        rules: What an eye must be like; `Following()` when None.
        workers: Who does the work, a member each: this process, or `weatherml.process.workers.Dask(...)`.

    Returns:
        Tracks, one for each storm that was found at least once, with the columns of texts of `starts`, such as
        `storm_id` and `name`; `mean_sea_level_pressure` (of the point of the grid that is lowest) and, where the fields
        are there, `vorticity_850` (the most cyclonic near) and `maximum_wind_speed` (at 10 m, near). They tell
        (`tracks.forecasts`) which forecasts had a storm to follow, also those that found none.

    Raises:
        UserError: A field that the rules ask for is missing, or as `members.each_member`.
    """
    rules = rules or Following()
    table.check(starts)
    _require_fields(forecast, rules)
    texts = [str(name) for name, own in starts.data_vars.items() if own.dtype.kind in "UO"]
    known = [name for name in (*table.NEEDED, PRESSURE, *texts) if name in starts]
    return table.join(map_members(partial(_follow, starts[known], rules), forecast, workers))


@dataclass(eq=False)
class _Storm:
    """A storm that is followed.

    Attributes:
        texts: What it is called.
        place: Latitude and longitude of its last eye, degrees.
        time: Of that.
        pressure: Of that, Pa; NaN where it is not known.
        motion: Direction in degrees, and km an hour; None at first.
        records: What was found.
    """

    texts: Mapping[str, str]
    place: tuple[float, float]
    time: np.datetime64
    pressure: float = float("nan")
    motion: tuple[float, float] | None = None
    records: list[dict[str, object]] = field(default_factory=list)

    def expected(self, time: np.datetime64) -> tuple[float, float]:
        """Return where it would be at a time if it went on as before."""
        if self.motion is None:
            return self.place
        north, east = destination(*self.place, self.motion[0], self.motion[1] * _hours(time - self.time))
        return float(north), float(east)

    def move(self, time: np.datetime64, record: dict[str, object]) -> None:
        """Let it be at another place."""
        place = float(record["latitude"]), float(record["longitude"])  # type: ignore[arg-type]
        if time > self.time:
            towards = float(np.nan_to_num(bearing(*self.place, *place)))
            self.motion = towards, float(distance(*self.place, *place)) / _hours(time - self.time)
        self.place, self.time, self.pressure = place, time, float(record[PRESSURE])  # type: ignore[arg-type]
        self.records.append(record)


@dataclass(frozen=True, eq=False)
class _Scene:
    """The fields of one time, and the minima of the pressure there.

    Attributes:
        fields: By name, `[lat, lon]`, columns eastward.
        around: The grid.
        rules: What an eye must be like.
        cells: Rows and columns of the minima `[minimum, 2]`.
        latitude: Of the minima, between points `[minimum]`.
        longitude: Of the minima `[minimum]`.
        warm: Latitudes and longitudes of the maxima of thickness `[2, maximum]`; None where nobody asks.
    """

    fields: Mapping[str, npt.NDArray[np.floating]]
    around: Surroundings
    rules: Following
    cells: npt.NDArray[np.intp]
    latitude: npt.NDArray[np.float64]
    longitude: npt.NDArray[np.float64]
    warm: npt.NDArray[np.float64] | None

    @classmethod
    def of(cls, fields: Mapping[str, npt.NDArray[np.floating]], around: Surroundings, rules: Following) -> "_Scene":
        own = {name: values.take(around.columns, axis=1) for name, values in fields.items()}
        if VORTICITY not in own and _WINDS[0] in own:
            own[VORTICITY] = relative_vorticity(own[_WINDS[0]], own[_WINDS[1]], around)
        lowest = Detection(PRESSURE, "minimum", merge_distance=rules.separation / DEGREE)
        cells = extrema.candidates(own[PRESSURE], lowest, around)
        warm = None
        if rules.extratropical is not None:
            thickest = extrema.candidates(own[THICKNESS], Detection(THICKNESS, "maximum", merge_distance=0), around)
            warm = np.stack([around.latitude[thickest[:, 0]], around.longitude[thickest[:, 1]]])
        return cls(own, around, rules, cells, *refinement.centres(own[PRESSURE], cells, around), warm)

    def next_eyes(self, storm: _Storm, time: np.datetime64) -> Iterator[tuple[float, int, dict[str, object]]]:
        """Give the minima that will do: how unlike the last eye each is, which it is, and its record."""
        longer = max(1.0, (time - storm.time) / _STEP)
        reach = max(self.rules.search_radius * longer, self._diagonal(storm.place[0]))
        near = np.flatnonzero(distance(*storm.place, self.latitude, self.longitude) <= reach)
        for at in near.tolist():
            record = self._record(at)
            if record is not None:
                apart = float(distance(*storm.expected(time), self.latitude[at], self.longitude[at])) / reach
                change = abs(float(record[PRESSURE]) - storm.pressure) / self.rules.pressure_change  # type: ignore[arg-type]
                yield apart + float(np.nan_to_num(change)), at, record | {"time": time}

    def _record(self, at: int) -> dict[str, object] | None:
        """Return what is told of a minimum; None where it is no eye."""
        row, column = (int(own) for own in self.cells[at])
        place = float(self.latitude[at]), float(self.longitude[at])
        vicinity = max(self.rules.vicinity, self._diagonal(place[0]) / 2)
        turned = 1.0 if place[0] >= 0 else -1.0
        spin = self._most(VORTICITY, (row, column), vicinity, turned) if VORTICITY in self.fields else np.nan
        if self.rules.vorticity is not None and not spin > self.rules.vorticity:
            return None
        if self.warm is not None and abs(place[0]) >= (self.rules.extratropical or 0):
            if not (distance(*place, *self.warm) <= vicinity).any():
                return None
        wind = self._most(SPEED, (row, column), vicinity) if SPEED in self.fields else np.nan
        if self.rules.least_wind is not None and self.fields[LAND][row, column] >= self.rules.land:
            if not wind > self.rules.least_wind:
                return None
        told: dict[str, object] = {"latitude": place[0], "longitude": place[1]}
        told |= {PRESSURE: float(self.fields[PRESSURE][row, column])}
        told |= {VORTICITY: turned * spin} if VORTICITY in self.fields else {}
        return told | ({WIND: wind} if SPEED in self.fields else {})

    def _most(self, name: str, cell: tuple[int, int], km: float, sense: float = 1.0) -> float:
        """Return the highest value near a cell, of what is multiplied by a sense first."""
        patch = self.around.patch(*cell, km / DEGREE)
        values = sense * patch.of(self.fields[name])[patch.distance <= km / DEGREE]
        return float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")

    def _diagonal(self, latitude: float) -> float:
        """Return the diagonal of a cell, km."""
        rows, columns = self.around.spacing
        return DEGREE * float(np.hypot(rows, columns * np.cos(np.radians(latitude))))


def _follow(starts: xr.Dataset, rules: Following, member: Member) -> xr.Dataset:
    """Return the tracks of one member."""
    around = Surroundings(LatLonGrid.from_dataset(member.fields))
    waiting = _starting(starts, member)
    is_asked = bool(waiting)
    followed: list[_Storm] = []
    ended: list[_Storm] = []
    longest = _longest_gaps(member, rules)
    for time, fields in each_time(member.fields, _names(member.fields, rules)):
        followed += [own for own in waiting if own.time <= time]
        waiting = [own for own in waiting if own.time > time]
        ended += [own for own in followed if time - own.time > longest[time]]
        followed = [own for own in followed if time - own.time <= longest[time]]
        if followed:
            moved = _moved(followed, _Scene.of(fields, around, rules), time)
            ended += [own for own in followed if own not in moved]
            followed = moved
        if not followed and not waiting:
            break
    found = _table([*ended, *followed, *waiting], starts, member)
    return of_member(found, member) if is_asked else found


def _longest_gaps(member: Member, rules: Following) -> dict[np.datetime64, np.timedelta64]:
    """Return how long before each time of a member an eye may have been the last; a forecast begins where it began."""
    times = member.fields["time"].values.astype("datetime64[ns]")
    if member.init_time is not None and len(times) and member.init_time < times[0]:
        times = np.append(np.asarray(member.init_time, times.dtype), times)
    spans = np.round(longest_gaps(times, rules.maximum_gap) * 1e9).astype("timedelta64[ns]")
    return dict(zip(times, spans, strict=True))


def _starting(starts: xr.Dataset, member: Member) -> list[_Storm]:
    """Return the storms that a member is to follow, by when they begin."""
    rows = table.to_frame(starts)
    if member.init_time is not None:
        rows = rows[rows["time"] == member.init_time]
    else:
        rows = rows[rows["time"].isin(member.fields["time"].values)].groupby("track_id").head(1)
    texts = [name for name in rows if name not in table.NEEDED]
    return [
        _Storm(
            {name: row[name] for name in texts}, (row["latitude"], row["longitude"]), np.datetime64(row["time"], "ns")
        )
        for row in rows.to_dict("records")
    ]


def _moved(storms: list[_Storm], scene: _Scene, time: np.datetime64) -> list[_Storm]:
    """Let storms have their next eyes, those first whose eyes are most like the last; return which have one."""
    options = [
        (place, at, unlike, record)
        for place, storm in enumerate(storms)
        for unlike, at, record in scene.next_eyes(storm, time)
    ]
    if not options:
        return []
    own, eyes, unlikes, _ = zip(*options, strict=True)
    kept = [options[pair] for pair in assigned(own, eyes, unlikes, closest_first=True)]
    for place, _, _, record in kept:
        storms[place].move(time, record)
    return [storms[place] for place, *_ in kept]


def _table(storms: list[_Storm], starts: xr.Dataset, member: Member) -> xr.Dataset:
    found = [own for own in storms if own.records]
    rows = [{"track_id": place, **own.texts, **record} for place, own in enumerate(found) for record in own.records]
    names = list(rows[0]) if rows else table.columns_of(starts)
    columns = {name: np.array([row[name] for row in rows]) for name in names}
    return table.make(columns | {name: np.full(len(rows), own) for name, own in member.columns.items()})


def _names(fields: xr.Dataset, rules: Following) -> list[str]:
    """Return the fields that the rules ask for, and the wind at 10 m where it is there."""
    turning = [VORTICITY] if _has(fields, VORTICITY) else list(_WINDS)
    is_asked = rules.vorticity is not None or all(_has(fields, name) for name in turning)
    asked = [PRESSURE, *(turning if is_asked else [])]
    asked += [THICKNESS] * (rules.extratropical is not None) + [LAND] * (rules.least_wind is not None)
    return asked + [SPEED] * (rules.least_wind is not None or _has(fields, SPEED))


def _require_fields(forecast: xr.Dataset, rules: Following) -> None:
    without = dict.fromkeys(_WINDS, "vorticity=None")
    without |= {THICKNESS: "extratropical=None", LAND: "least_wind=None", SPEED: "least_wind=None"}
    for name in _names(forecast, rules):
        if not _has(forecast, name):
            wanted = f"vorticity at 850 hPa, nor {name}" if name in _WINDS else name
            way = f", or pass Following({without[name]})" if name in without else ""
            raise UserError(f"the fields have no {wanted}, by which storms are followed; add it{way}")


def _has(fields: xr.Dataset, name: str) -> bool:
    try:
        parts_of(name, fields)
    except UserError:
        return False
    return True


def _hours(span: np.timedelta64) -> float:
    return float(span / np.timedelta64(1, "h"))
