"""Links the storms of one time after the other; it knows the storms that may go on, and the records so far."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.linking.motion import assign, expected
from weatherml.extremes.tracks.linking.rules import Linking
from weatherml.extremes.tracks.linking.selection import selected
from weatherml.extremes.tracks.linking.steps import longest_gaps, seconds
from weatherml.sphere.great_circles import unit_vectors


class Linker:
    """Takes the storms of times that rise, and then knows their tracks.

    Args:
        linking: How far storms go, and which tracks count.
        times: All times of the data, rising `[time]`: where they have a hole, storms are others behind it.
    """

    def __init__(self, linking: Linking, times: npt.ArrayLike) -> None:
        self._linking = linking
        self._times = np.asarray(times, "datetime64[ns]")
        self._gaps = longest_gaps(self._times, linking.maximum_gap)
        self._columns: list[dict[str, np.ndarray]] = []
        self._n_tracks = 0
        self._ids = np.zeros(0, np.int64)  # of tracks that may go on
        self._last = self._before = np.zeros((0, 3))  # unit vectors
        self._seen = self._step = np.zeros(0)  # seconds: when they were last seen, and how long after the record before

    def add(self, time: np.datetime64, storms: Mapping[str, npt.ArrayLike]) -> None:
        """Link the storms of the next time to those before.

        Args:
            time: The next one of the data, whether it has storms or not.
            storms: Columns `[storm]`, `latitude` and `longitude` among them; all times have the same.
        """
        order = np.lexsort([np.asarray(storms["longitude"]), -np.asarray(storms["latitude"])])  # of no account, then
        columns = {name: np.asarray(own)[order] for name, own in storms.items()}
        places = unit_vectors(columns["latitude"], columns["longitude"])
        now = float(seconds(time))
        self._forget(time, now)
        ids = self._linked(places, now)
        own = np.full(len(places), time)
        self._columns.append({"track_id": ids, "time": own.astype("datetime64[ns]"), **columns})
        self._remember(ids, places, now)

    def tracks(self, columns: Mapping[str, object] | None = None) -> xr.Dataset:
        """Return the tracks that count, numbered from 0 by their first record, with what they merged into.

        Args:
            columns: What else to tell of every record, such as the `number` of the member.
        """
        if not self._columns:
            return table.make(dict.fromkeys((*table.NEEDED, *table.REFERENCES), ()))
        joined = {name: np.concatenate([own[name] for own in self._columns]) for name in self._columns[0]}
        more = {name: np.full(len(joined["track_id"]), value) for name, value in (columns or {}).items()}
        return table.make(selected(joined | more, self._times, self._linking))

    def _forget(self, time: np.datetime64, now: float) -> None:
        """Leave out the tracks that end before this time, as it is too long since they were seen."""
        kept = now - self._seen <= self._gaps[np.searchsorted(self._times, time)]
        self._ids, self._last, self._before, self._seen, self._step = (
            own[kept] for own in (self._ids, self._last, self._before, self._seen, self._step)
        )

    def _linked(self, places: np.ndarray, now: float) -> np.ndarray:
        """Return the track of each storm, new ones numbered on."""
        ids = np.full(len(places), -1, np.int64)
        elapsed = now - self._seen
        share = self._linking.momentum * elapsed / np.maximum(self._step, 1)
        wanted = expected(self._last, self._before, share)
        reach, leeway = self._linking.reach(elapsed), self._linking.leeway(elapsed)
        for since in np.unique(elapsed):  # storms that were there a moment ago come before those that were not
            tracks, free = np.flatnonzero(elapsed == since), np.flatnonzero(ids < 0)
            motion = leeway[tracks], self._step[tracks] > 0
            own, found = assign(self._last[tracks], wanted[tracks], places[free], reach[tracks], *motion)
            ids[free[found]] = self._ids[tracks[own]]
        new = ids < 0
        ids[new] = self._n_tracks + np.arange(new.sum())
        self._n_tracks += int(new.sum())
        return ids

    def _remember(self, ids: np.ndarray, places: np.ndarray, now: float) -> None:
        """Keep the storms of this time, and those before that a gap may lie behind."""
        before, step = places.copy(), np.zeros(len(places))
        _, old, new = np.intersect1d(self._ids, ids, assume_unique=True, return_indices=True)
        before[new], step[new] = self._last[old], now - self._seen[old]
        gone = np.ones(len(self._ids), bool)
        gone[old] = False
        self._ids = np.concatenate([ids, self._ids[gone]])
        self._last, self._before = (
            np.concatenate([places, self._last[gone]]),
            np.concatenate([before, self._before[gone]]),
        )
        self._seen = np.concatenate([np.full(len(ids), now), self._seen[gone]])
        self._step = np.concatenate([step, self._step[gone]])
