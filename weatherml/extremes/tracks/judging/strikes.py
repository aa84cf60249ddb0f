"""Where storms strike, pass within some distance, in a window of time; how likely members say so, and how well."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.durations import DurationLike, format_duration, parse_duration
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.forecasts import forecasts_of, longest_leads
from weatherml.extremes.tracks.judging.by_lead import BOUNDS
from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import between, unit_vectors
from weatherml.verification.metrics.registry import find
from weatherml.verification.significance.method import CONFIDENCE
from weatherml.verification.significance.methods import method_named
from weatherml.verification.significance.sample import Sample

RADIUS = 120.0
"""Km; 65 nautical miles, as far as a storm strikes (Weber 2005, doi:10.1175/MWR2963.1, and forecast centres' maps)."""
Window = tuple[DurationLike | None, DurationLike]
"""First and last lead time, such as ("12h", "5d"); from the initial time on where the first is None."""

_SCORES = ("brier", "brier_fair", "roc_area", "forecast_probability", "observed_frequency", "forecast_share")


def strike_probability(
    tracks: xr.Dataset,
    grid: LatLonGrid,
    n_members: int,
    window: Window,
    radius: float = RADIUS,
    init_times: npt.ArrayLike | None = None,
) -> xr.DataArray:
    """Return the share of members of which any storm passes within a distance, in a window of lead times.

    Between records storms go evenly along great circles. One initial time after another is reckoned, and no more than
    one field is there for each.

    Args:
        tracks: Tracks of forecasts; without `number` they are of one member.
        grid: Where.
        n_members: How many members there are, those without a storm, too.
        window: First and last lead time.
        radius: Km from the centre.
        init_times: `datetime64` of all forecasts, also of those without a storm; those that the tracks tell when
            None.

    Returns:
        Dims (init_time, latitude, longitude), 0 to 1, float32; attributes say the window and the radius.

    Raises:
        UserError: The tracks are of no forecasts or of more members than there are, or do not tell which forecasts
            there are.
    """
    first, last = _leads(window)
    inits = _inits(tracks, n_members, init_times)
    fields = [_n_struck(_of_init(tracks, own), grid, own + first, own + last, radius) for own in inits]
    shares = np.stack(fields).astype(np.float32) / np.float32(n_members)
    return _field(shares, grid, window, radius, {"init_time": inits}).assign_attrs(n_members=n_members)


def strikes(
    best: xr.Dataset, grid: LatLonGrid, init_times: npt.ArrayLike, window: Window, radius: float = RADIUS
) -> xr.DataArray:
    """Return where best tracks did pass within a distance, in a window after each initial time: 1, else 0.

    Args:
        best: Best tracks.
        grid: Where.
        init_times: `datetime64`, `[init_time]`.
        window: First and last lead time.
        radius: Km from the centre.

    Returns:
        As `strike_probability`.
    """
    table.check(best)
    first, last = _leads(window)
    inits = np.asarray(init_times, "datetime64[ns]").reshape(-1)
    struck = np.stack([_struck(best, grid, own + first, own + last, radius) for own in inits])
    return _field(struck.astype(np.float32), grid, window, radius, {"init_time": inits})


def strike_scores(
    tracks: xr.Dataset,
    best: xr.Dataset,
    grid: LatLonGrid,
    n_members: int,
    windows: Sequence[Window],
    radius: float = RADIUS,
    init_times: npt.ArrayLike | None = None,
) -> xr.Dataset:
    """Judge strike probabilities over the cells of a grid by their areas.

    Cells where a strike is out of the question count as forecast well, so
    the Brier score depends on the grid, which should be the region that matters.

    Args:
        tracks: As `strike_probability`.
        best: Best tracks of that region and time, all of them.
        grid: Of the region.
        n_members: How many members there are.
        windows: Of lead times; scores are by the last of each.
        radius: Km from the centre.
        init_times: As `strike_probability`; a forecast without a storm is one, too.

    Returns:
        Dims (bound, lead_time), with intervals over initial times (`circular`): `brier`, `brier_fair`
        and `roc_area`; with `probability_bin` for the reliability diagram `forecast_probability`, `observed_frequency`
        and `forecast_share`.

    Raises:
        UserError: As `strike_probability`.
    """
    inits = _inits(tracks, n_members, init_times)
    counts = np.stack([_counts(_of_init(tracks, own), best, grid, own, windows, radius, n_members) for own in inits])
    weights = counts.sum(axis=(-2, -1))
    judge, judged = method_named("circular"), {}
    for name in _SCORES:
        metric = find(name)
        bounds = judge.judge(Sample([counts], [weights], metric.function, inits))
        judged[name] = (("bound", "lead_time", *metric.axes), np.stack([getattr(bounds, bound) for bound in BOUNDS]))
    leads = np.array([_leads(own)[1] for own in windows])
    scores = xr.Dataset(judged, {"bound": list(BOUNDS), "lead_time": leads})
    told = {"n_init_times": len(inits), "confidence": CONFIDENCE, "radius_km": radius}
    return scores.assign_attrs(told | {"windows": ", ".join(_told(own) for own in windows)})


def _counts(
    tracks: xr.Dataset,
    best: xr.Dataset,
    grid: LatLonGrid,
    init_time: np.datetime64,
    windows: Sequence[Window],
    radius: float,
    n_members: int,
) -> npt.NDArray[np.float64]:
    """Return areas `[window, event, class]` where so many members strike and the best track does not, or does."""
    areas = np.broadcast_to(grid.cell_areas()[:, None], grid.shape).ravel()
    made = []
    for first, last in map(_leads, windows):
        n_struck = _n_struck(tracks, grid, init_time + first, init_time + last, radius).ravel()
        event = _struck(best, grid, init_time + first, init_time + last, radius).ravel()
        place = event * (n_members + 1) + n_struck
        made.append(np.bincount(place, areas, 2 * (n_members + 1)).reshape(2, n_members + 1))
    return np.stack(made)


def _leads(window: Window) -> tuple[np.timedelta64, np.timedelta64]:
    first, last = (np.timedelta64(0, "ns") if own is None else parse_duration(own, "lead") for own in window)
    if first >= last:
        raise UserError(f"a window of leads runs forward, got {window[0]} .. {window[1]}; exchange the two")
    return first, last


def _told(window: Window) -> str:
    first, last = _leads(window)
    return f"{'0h' if window[0] is None else format_duration(first)} to {format_duration(last)}"


def _inits(tracks: xr.Dataset, n_members: int, init_times: npt.ArrayLike | None) -> npt.NDArray[np.datetime64]:
    """Return the initial times of forecasts, rising."""
    table.check(tracks)
    if "init_time" not in tracks:
        raise UserError("tracks have no init_time; strike probabilities are of forecasts, strikes(...) of best tracks")
    known = forecasts_of(tracks) if init_times is None else longest_leads(tracks, init_times)
    n_told = known["number"].nunique() if "number" in known else 1
    if n_told > n_members:
        raise UserError(f"tracks are of {counted(n_told, 'member')}, not {n_members}; pass n_members={n_told} or more")
    return np.unique(known["init_time"].to_numpy("datetime64[ns]"))


def _of_init(tracks: xr.Dataset, init_time: np.datetime64) -> xr.Dataset:
    return tracks.isel(record=np.flatnonzero(tracks["init_time"].values == init_time))


def _field(
    values: npt.NDArray[np.float32],
    grid: LatLonGrid,
    window: Window,
    radius: float,
    coords: Mapping[str, npt.NDArray[np.datetime64]],
) -> xr.DataArray:
    places = {"latitude": np.array(grid.latitude), "longitude": np.array(grid.longitude)}
    attributes = {"units": "1", "window": _told(window), "radius_km": radius}
    return xr.DataArray(values, {**coords, **places}, [*coords, *places], "strike_probability", attributes)


def _n_struck(
    tracks: xr.Dataset, grid: LatLonGrid, first: np.datetime64, last: np.datetime64, radius: float
) -> npt.NDArray[np.int64]:
    """Return of how many members a storm passes near each cell, `[lat, lon]`."""
    n_struck = np.zeros(grid.shape, np.int64)
    numbers = tracks["number"].values if "number" in tracks else np.zeros(tracks.sizes["record"])
    for number in np.unique(numbers):
        own = tracks.isel(record=np.flatnonzero(numbers == number))
        n_struck += _struck(own, grid, first, last, radius)
    return n_struck


def _struck(
    tracks: xr.Dataset, grid: LatLonGrid, first: np.datetime64, last: np.datetime64, radius: float
) -> npt.NDArray[np.bool_]:
    """Return where any of these tracks passes, `[lat, lon]`."""
    struck = np.zeros(grid.shape, bool)
    near = _Near(grid, radius)
    for ends in _legs(tracks, first, last):
        near.mark(struck, *ends)
    return struck


def _legs(
    tracks: xr.Dataset, first: np.datetime64, last: np.datetime64
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """Give the ways between records, as far as they lie in a window of time, each from a place to a place in degrees.

    A record without a way, alone in its track, is one to itself.
    """
    ids, time = tracks["track_id"].values, tracks["time"].values
    north, east = tracks["latitude"].values, tracks["longitude"].values
    starts = np.flatnonzero(ids[:-1] == ids[1:])
    starts = starts[(time[starts] <= last) & (time[starts + 1] >= first)]
    span = np.diff(time)[starts]
    begin, end = (np.clip(-(time[starts] - own) / span, 0, 1) for own in (first, last))
    ways = north[starts], east[starts], north[starts + 1], east[starts + 1]
    places = (zip(*(own.tolist() for own in between(*ways, share)), strict=True) for share in (begin, end))
    yield from zip(*places, strict=True)
    _, place, n_records = np.unique(ids, return_index=True, return_counts=True)
    for alone in place[n_records == 1]:
        if first <= time[alone] <= last:
            yield (north[alone], east[alone]), (north[alone], east[alone])


class _Near:
    """Marks cells of a grid near ways along great circles."""

    def __init__(self, grid: LatLonGrid, radius: float) -> None:
        self._latitude, self._longitude = np.asarray(grid.latitude), np.asarray(grid.longitude)
        self._angle = radius / EARTH_RADIUS
        self._vectors = unit_vectors(self._latitude[:, None], self._longitude)

    def mark(self, struck: npt.NDArray[np.bool_], start: tuple[float, float], end: tuple[float, float]) -> None:
        """Mark, in `[lat, lon]`, cells within the distance of the way from one place to another."""
        one, other = unit_vectors(*start), unit_vectors(*end)
        rows, columns = self._box(one, other)
        if not len(rows) or not len(columns):
            return
        points = self._vectors[np.ix_(rows, columns)]
        struck[np.ix_(rows, columns)] |= self._distance(points, one, other) <= self._angle

    def _box(
        self, one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return rows and columns that a circle around the way touches."""
        middle = one + other
        half = np.arctan2(np.linalg.norm(one - other), np.linalg.norm(middle))
        reach = half + self._angle
        north = np.arctan2(middle[2], np.hypot(middle[0], middle[1]))
        rows = np.flatnonzero(np.abs(np.radians(self._latitude) - north) <= reach)
        if abs(north) + reach >= np.pi / 2:
            return rows, np.arange(len(self._longitude))
        widest = np.degrees(np.arcsin(np.sin(reach) / np.cos(north)))
        away = (self._longitude - np.degrees(np.arctan2(middle[1], middle[0])) + 180) % 360 - 180
        return rows, np.flatnonzero(np.abs(away) <= widest)

    def _distance(
        self, points: npt.NDArray[np.float64], one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return how far points are from the way, radians: from the great circle beside it, else from its ends."""
        chords = np.minimum(np.linalg.norm(points - one, axis=-1), np.linalg.norm(points - other, axis=-1))
        ends = 2 * np.arcsin(np.minimum(chords / 2, 1))
        normal = np.cross(one, other)
        size = np.linalg.norm(normal)
        if size < 1e-12:
            return np.asarray(ends)
        normal = normal / size
        is_beside = (points @ np.cross(normal, one) >= 0) & (points @ np.cross(other, normal) >= 0)
        return np.where(is_beside, np.abs(np.arcsin(np.clip(points @ normal, -1, 1))), ends)
