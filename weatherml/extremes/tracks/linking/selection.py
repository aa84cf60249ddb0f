"""Which tracks count, and which of them come out of, or end in, others."""

from collections.abc import Mapping

import numpy as np

from weatherml.extremes.tracks.linking.motion import angles, expected
from weatherml.extremes.tracks.linking.rules import Linking
from weatherml.extremes.tracks.linking.steps import spans
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import distance, unit_vectors

_HOUR = np.timedelta64(3600 * 10**9, "ns")
NONE = -1
"""In `merged_into` and `split_from` of tracks that do not."""

Columns = dict[str, np.ndarray]


def selected(records: Mapping[str, np.ndarray], times: np.ndarray, linking: Linking) -> Columns:
    """Return the records of tracks that count, numbered from 0, with `merged_into` and `split_from`: an id, or -1.

    Args:
        records: Columns `[record]` of all tracks of one member, in any order.
        times: Of the data, rising `[time]`.
        linking: Which count.
    """
    order = np.lexsort([records["time"], records["track_id"]])
    columns = {name: own[order] for name, own in records.items()}
    starts, lengths = _runs(columns["track_id"])
    kept = _counts(columns, starts, lengths, linking, times)
    of_kept = np.repeat(kept, lengths)
    columns = {name: own[of_kept] for name, own in columns.items()}
    columns["track_id"] = np.repeat(np.arange(kept.sum()), lengths[kept])
    return columns | _others(columns, times, linking)


def _runs(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each id begins, and how often it comes; they rise."""
    _, starts, lengths = np.unique(ids, return_index=True, return_counts=True)
    return starts, lengths


def _counts(columns: Columns, starts: np.ndarray, lengths: np.ndarray, linking: Linking, of: np.ndarray) -> np.ndarray:
    """Return which tracks fulfil all conditions `[track]`."""
    if not len(starts):
        return np.zeros(0, bool)
    ends = starts + lengths - 1
    times, north, east = (columns[name] for name in ("time", "latitude", "longitude"))
    moved = np.degrees(distance(north[starts], east[starts], north[ends], east[ends]) / EARTH_RADIUS)
    kept = (times[ends] - times[starts]) / _HOUR >= linking.least_duration
    kept &= moved >= linking.least_displacement
    hours = spans(of)[np.searchsorted(of, times)] / 3600
    for condition in linking.conditions:
        is_fulfilled = condition.at(columns)
        n_fulfilled = np.add.reduceat(is_fulfilled.astype(int), starts)
        first = np.minimum.reduceat(np.where(is_fulfilled, np.arange(len(times)), len(times) - 1), starts)
        in_all = np.add.reduceat(np.where(is_fulfilled, hours, 0), starts) - hours[first]  # n records have n - 1 steps
        kept &= (n_fulfilled > 0) & (in_all >= condition.hours - 1e-9)
        kept &= n_fulfilled >= condition.share * lengths
    return np.asarray(kept)


def _others(columns: Columns, times: np.ndarray, linking: Linking) -> Columns:
    """Return `merged_into` and `split_from` of each record."""
    at = {time: np.flatnonzero(columns["time"] == time) for time in times}
    places = unit_vectors(columns["latitude"], columns["longitude"])
    starts, lengths = _runs(columns["track_id"])
    told = {}
    for name, direction in (("merged_into", 1), ("split_from", -1)):
        others = np.full(len(starts), NONE)
        for track, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            own = np.arange(start, start + length)[::direction]
            place = int(np.searchsorted(times, columns["time"][own[-1]])) + direction
            if 0 <= place < len(times):
                then = (columns["time"][own[-2:][0]], columns["time"][own[-1]], times[place])
                wanted = expected(places[own[-1:]], places[own[-2:][:1]], linking.momentum * _share(*then))[0]
                others[track] = _other(
                    columns["track_id"], places, wanted, (at[times[place - direction]], at[times[place]]), linking
                )
        told[name] = np.repeat(others, lengths)
    return told


def _share(before: np.datetime64, last: np.datetime64, then: np.datetime64) -> np.ndarray:
    """Return how much longer the way ahead is than the way from the record before `[1]`; nothing of a single record."""
    behind = (last - before) / _HOUR
    return np.array([(then - last) / _HOUR / behind if behind else 0.0])


def _other(
    ids: np.ndarray, places: np.ndarray, wanted: np.ndarray, records: tuple[np.ndarray, np.ndarray], linking: Linking
) -> int:
    """Return the track that one merges into, or splits from; -1 where there is none.

    It is there both when the one is last seen and a step later, and then within the merging distance of where the one
    is expected to be; of several the closest. Of splits the steps go back in time.

    Args:
        ids: Tracks of all records.
        places: Unit vectors of all records.
        wanted: Where the one is expected a step later.
        records: Positions of those of the time when the one is last seen, and of a step later.
        linking: How close.
    """
    there, then = records
    then = then[np.isin(ids[then], ids[there])]
    if not len(then):
        return NONE
    away = np.degrees(angles(places[then], wanted))
    closest = int(away.argmin())
    return int(ids[then[closest]]) if away[closest] <= linking.merging_distance else NONE
