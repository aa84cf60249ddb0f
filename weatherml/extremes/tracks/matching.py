"""Which storms of two sets of tracks are the same ones.

Two tracks are of one storm where they are close and there at the same times: the mean of their separations at the times
that both have stays below a distance, and these times are a share of their lives at least (Hodges et al. 2003,
doi:10.1175/1520-0442(2003)016<2015:OTCEOE>2.0.CO;2; Froude et al. 2007, doi:10.1175/MWR3422.1; trackers are compared
alike by Neu et al. 2013, doi:10.1175/BAMS-D-11-00154.1).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from weatherml.errors import UserError
from weatherml.extremes.assignment import assigned
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.forecasts import FORECAST, forecasts_of
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import distance, unit_vectors

Share = Literal["mean", "first", "second", "shorter", "longer"]
PAIR = "pair"


@dataclass(frozen=True)
class Matching:
    """When two tracks are of one storm.

    Attributes:
        separation: Most that they are apart on average over the times that both have, km; 4 degrees of a great circle
            by default, as in Froude et al. 2007.
        overlap: The share of times that both have, at least.
        share_of: Of whose times: the mean of both numbers (Froude et al.), the first's, the second's, or those of the
            shorter or longer track.

    Raises:
        UserError: A number makes no sense.
    """

    separation: float = 444.8
    overlap: float = 0.5
    share_of: Share = "mean"

    def __post_init__(self) -> None:
        if not self.separation > 0:
            raise UserError(f"separation={self.separation} km matches nothing; write 444.8 for four degrees")
        if not 0 < self.overlap <= 1:
            raise UserError(f"overlap={self.overlap} is no share of a track's times; write 0.5 for half of them")
        if self.share_of not in get_args(Share):
            raise UserError(f"share_of={self.share_of!r} says no track; choose of {', '.join(get_args(Share))}")

    def lengths(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return what the overlap is a share of, from the numbers of records of both tracks."""
        lengths: dict[Share, np.ndarray] = {
            "mean": (first + second) / 2,
            "first": first,
            "second": second,
            "shorter": np.minimum(first, second),
            "longer": np.maximum(first, second),
        }
        return lengths[self.share_of]


def match(first: xr.Dataset, second: xr.Dataset, rules: Matching | None = None) -> xr.Dataset:
    """Return which tracks are of one storm: as many pairs as there can be, each track in one, the closest ones.

    Members and initial times are matched each by itself; those of the first with the second's, or with one and the same
    second set that has none, such as an analysis.

    Args:
        first: Tracks.
        second: Tracks; only times that both sets have count.
        rules: What makes a pair; those of `Matching()` when None.

    Returns:
        Dim `pair`: `first`, `second` (`track_id`), `separation` (km, mean), `n_common` (times that both have) and
        `overlap` (as the rules count it). Sorted by `first`.

    Raises:
        UserError: A set is no table of tracks, or only the second has members or initial times.
    """
    rules = rules or Matching()
    table.check(first)
    table.check(second)
    first, second = (own.drop_dims(FORECAST, errors="ignore") for own in (first, second))
    needed = [name for name in (*table.NEEDED, "init_time", "number") if name in {*first.variables, *second.variables}]
    first, second = (own[[name for name in needed if name in own.variables]] for own in (first, second))
    found = [_match_one(own, other, rules) for own, other in _groups(first, second)]
    columns = [np.concatenate(column) for column in zip(*found, strict=True)] if found else [np.empty(0)] * 5
    order = np.argsort(columns[0], kind="stable")
    names = ("first", "second", "separation", "n_common", "overlap")
    kinds = (np.int64, np.int64, np.float64, np.int64, np.float64)
    pairs = xr.Dataset(
        {name: (PAIR, own[order].astype(kind)) for name, own, kind in zip(names, columns, kinds, strict=True)}
    )
    pairs["separation"].attrs["units"] = "km"
    said = f"mean separation below {rules.separation:g} km, overlap {rules.overlap:g} of {rules.share_of}"
    return pairs.assign_attrs(matching=said)


def match_rates(first: xr.Dataset, second: xr.Dataset, pairs: xr.Dataset) -> dict[str, float]:
    """Return the share of each set's tracks that have a pair, and how far pairs are apart.

    Args:
        first: Tracks, of which some may have been left out since they were matched, such as short ones.
        second: Tracks.
        pairs: What `match` returns.

    Returns:
        `n_first`, `n_second` (tracks), `first` and `second` (matched, 0 to 1; NaN of an empty set), `separation` (km,
        mean over the pairs of a track of the first set). Of members matched with one analysis, `second` is the mean
        over them of the share that each has with tracks of the first set that are not left out; over those members
        that it tells of (`tracks.forecasts`).
    """
    rates: dict[str, float] = {}
    for name, tracks in (("first", first), ("second", second)):
        ids = np.unique(tracks["track_id"].values)
        rates[f"n_{name}"] = len(ids)
        rates[name] = float(np.isin(ids, pairs[name].values).mean()) if len(ids) else float("nan")
    if rates["n_second"] and (n_members := _n_members(first, second)):
        ids, at = np.unique(first["track_id"].values, return_index=True)
        held = np.isin(pairs["first"].values, ids) & np.isin(pairs["second"].values, second["track_id"].values)
        member = first["number"].values[at][np.searchsorted(ids, pairs["first"].values[held])]
        matched = np.unique(np.stack([member, pairs["second"].values[held]]), axis=1)
        rates["second"] = matched.shape[1] / n_members / rates["n_second"]
    own = np.isin(pairs["first"].values, first["track_id"].values)
    apart = pairs["separation"].values[own]
    return rates | {"separation": float(apart.mean()) if len(apart) else float("nan")}


def _n_members(first: xr.Dataset, second: xr.Dataset) -> int:
    """Return how many members are matched with one and the same second set; 0 where none is by itself."""
    if "number" not in first.variables or {"number", "init_time"} & set(second.variables):
        return 0
    if "init_time" not in first.variables:
        return len(np.unique(first["number"].values))
    known = forecasts_of(first)
    return known["number"].nunique() if first.sizes[table.RECORD] else 0


def _groups(first: xr.Dataset, second: xr.Dataset) -> Iterator[tuple[xr.Dataset, xr.Dataset]]:
    """Give the tracks of each initial time and member of the first set, and those that they are matched with."""
    keys = [name for name in ("init_time", "number") if name in first.variables]
    if more := [name for name in ("init_time", "number") if name in second.variables and name not in keys]:
        raise UserError(f"only the second set of tracks has {more[0]}; pass it first, or select one of them")
    if not keys:
        yield first, second
        return
    shared = [name for name in keys if name in second.variables]
    others = dict(_runs(second, shared))
    for own, records in _runs(first, keys):
        known = tuple(value for name, value in zip(keys, own, strict=True) if name in shared)
        yield first.isel(record=records), second.isel(record=others.get(known, slice(0)))


def _runs(tracks: xr.Dataset, keys: list[str]) -> Iterator[tuple[tuple[int, ...], slice]]:
    """Give what each run of records has in some columns, by which the table is sorted, and where the run is."""
    values = np.empty((tracks.sizes[table.RECORD], len(keys)), np.int64)
    for column, name in enumerate(keys):
        values[:, column] = tracks[name].values.astype(np.int64)
    is_first = np.ones(len(values), bool)
    is_first[1:] = (values[1:] != values[:-1]).any(axis=1)
    starts = np.flatnonzero(is_first).tolist()
    for start, end in zip(starts, [*starts, len(values)][1:], strict=True):
        yield tuple(values[start].tolist()), slice(start, end)


def _match_one(first: xr.Dataset, second: xr.Dataset, rules: Matching) -> tuple[np.ndarray, ...]:
    """Return the columns of the pairs of two sets, each of one member."""
    places, others = _Places.of(first), _Places.of(second)
    one, other = _close(places, others, rules.separation)
    apart, n_common = _separations(places, others, one, other)
    lengths = rules.lengths(places.lengths[one], others.lengths[other])
    overlap = n_common / lengths
    held = (apart < rules.separation) & (overlap >= rules.overlap)
    one, other, apart, n_common, overlap = (own[held] for own in (one, other, apart, n_common, overlap))
    chosen = assigned(one, other, apart)
    ids = places.ids[one], others.ids[other]
    return tuple(own[chosen] for own in (*ids, apart, n_common, overlap))


@dataclass(frozen=True, eq=False)
class _Places:
    """Records of a set of tracks, sorted by track and time.

    Attributes:
        ids: Of each track.
        track: Place of each record's track in `ids`.
        time: Of each record, int64 nanoseconds.
        latitude: Of each record.
        longitude: Of each record.
        lengths: Records of each track.
    """

    ids: np.ndarray
    track: np.ndarray
    time: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, tracks: xr.Dataset) -> "_Places":
        ids, track, lengths = np.unique(tracks["track_id"].values, return_inverse=True, return_counts=True)
        time = tracks["time"].values.astype("datetime64[ns]").astype(np.int64)
        order = np.lexsort([time, track])
        latitude, longitude = (tracks[name].values[order] for name in ("latitude", "longitude"))
        return cls(ids, track[order], time[order], latitude, longitude, lengths)


def _close(first: _Places, second: _Places, separation: float) -> tuple[np.ndarray, np.ndarray]:
    """Return which tracks are so close at one time at least, as they must be where they are on average."""
    times = np.unique(np.concatenate([first.time, second.time]))
    trees = [
        # Time is a fourth direction, in which neighbours are further apart than places on the unit sphere ever are.
        cKDTree(np.column_stack([unit_vectors(own.latitude, own.longitude), 4.0 * np.searchsorted(times, own.time)]))
        for own in (first, second)
    ]
    chord = 2 * np.sin(min(separation / EARTH_RADIUS, np.pi) / 2) + 1e-9
    near = trees[0].sparse_distance_matrix(trees[1], chord, output_type="coo_matrix")
    pairs = np.unique(np.column_stack([first.track[near.row], second.track[near.col]]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _separations(first: _Places, second: _Places, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean separation, km, and number of the times that both tracks of each pair have."""
    lengths = first.lengths[one]
    pair = np.repeat(np.arange(len(one)), lengths)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    own = (np.cumsum(first.lengths) - first.lengths)[one][pair] + within
    times = np.unique(np.concatenate([first.time, second.time]))
    keys = second.track * len(times) + np.searchsorted(times, second.time)
    wanted = other[pair] * len(times) + np.searchsorted(times, first.time[own])
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    both = keys[place] == wanted if len(keys) else np.zeros(0, bool)
    pair, own, place = pair[both], own[both], place[both]
    km = distance(first.latitude[own], first.longitude[own], second.latitude[place], second.longitude[place])
    n_common = np.bincount(pair, minlength=len(one))
    return np.bincount(pair, km, len(one)) / np.maximum(n_common, 1), n_common
