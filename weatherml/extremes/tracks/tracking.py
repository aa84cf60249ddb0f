"""From fields to tracks: storms are detected time by time, side by side if there are workers, and then linked."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.detection.criteria import Detection
from weatherml.extremes.tracks.detection.detect import Columns, detect
from weatherml.extremes.tracks.detection.fields import BLOCK_BYTES, each_time, parts_of, variables_of
from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.extremes.tracks.forecasts import of_one
from weatherml.extremes.tracks.linking.linker import Linker
from weatherml.extremes.tracks.linking.rules import Linking
from weatherml.extremes.tracks.members import borders, each_group, lean, members_of
from weatherml.grid import LatLonGrid
from weatherml.process.workers import HERE, Workers, in_order


def track(fields: xr.Dataset, detection: Detection, linking: Linking, workers: Workers = HERE) -> xr.Dataset:
    """Find the storms of a forecast, each member by itself, or of analyses, and follow them in time.

    A few times of the needed fields are in memory at once, whatever there is of times and members; each chunk of dask
    is read once. Workers detect, some times of some members each, also of one long analysis; this process links.

    Args:
        fields: Dims (init_time, lead_time, number, level, latitude, longitude), or (time, ...) of analyses; fields that
            do not change in time, such as a land mask, lack it.
        detection: What makes a point a storm; `presets.KINDS` has what the literature says.
        linking: How storms are followed, and which tracks count.
        workers: Who detects: this process, or `weatherml.process.workers.Dask(...)`. Tracks are the same bit for bit.

    Returns:
        Tracks (`tracks.table`), numbered through all members, with the field in which extrema were sought (the value at
        the point of the grid; the place is between points), a column for each `Nearby`, and `merged_into` and
        `split_from`: the `track_id` of the other, -1 where there is none. It tells (`tracks.forecasts`) which forecasts
        there were, also those without a storm.

    Raises:
        UserError: A field that a criterion needs is not there, or as `members.each_member`.
    """
    for name in detection.needed:
        parts_of(name, fields)
    names = _there(detection, fields)
    needed = fields[variables_of(names, fields)]
    pieces = (piece for group in each_group(needed) for piece in _pieces(group))
    detected = in_order(workers, _Detecting(detection, tuple(names)), pieces)
    return table.join(_linked(detected, linking))


@dataclass(frozen=True)
class _Times:
    """Some times of a member, and the storms that there are then.

    Attributes:
        init_time: As `Member`.
        number: As `Member`.
        storms: By their time, rising.
    """

    init_time: np.datetime64 | None
    number: int | None
    storms: dict[np.datetime64, Columns]


@dataclass(frozen=True)
class _Piece:
    """Some times of members that share chunks.

    Attributes:
        fields: Part of a forecast.
        is_last: Whether no times of theirs come after.
    """

    fields: xr.Dataset
    is_last: bool


@dataclass(frozen=True)
class _Detecting:
    """Detects the storms of a piece, by itself.

    Attributes:
        detection: What makes a storm.
        names: Of the fields that are looked at.
    """

    detection: Detection
    names: tuple[str, ...]

    def __call__(self, piece: _Piece) -> tuple[list[_Times], bool]:
        around = Surroundings(LatLonGrid.from_dataset(piece.fields))
        found = []
        for member in members_of(piece.fields):
            times = each_time(member.fields, self.names)
            storms = {time: detect(own, self.detection, around) for time, own in times}
            found.append(_Times(member.init_time, member.number, storms))
        return found, piece.is_last


def _pieces(group: xr.Dataset) -> Iterator[_Piece]:
    """Give some times after the other, not more than are read at once, but never cutting a chunk."""
    dim = "lead_time" if "lead_time" in group.coords else "time"
    n_times = group.sizes.get(dim, 1)
    n_bytes = sum(own.nbytes for own in group.data_vars.values())
    n_most = max(1, BLOCK_BYTES * n_times // max(1, n_bytes))
    ends = [0]
    for end, after in pairwise([*borders(group, dim)[1:], n_times + n_most + 1]):
        if after - ends[-1] > n_most:
            ends.append(end)
    for first, end in pairwise(ends):
        own = group.isel({dim: slice(first, end)}) if dim in group.dims else group
        yield _Piece(lean(own), end == n_times)


def _linked(detected: Iterator[tuple[list[_Times], bool]], linking: Linking) -> Iterator[xr.Dataset]:
    """Link the storms of each member when all of its times are there."""
    waiting: list[list[_Times]] = []
    for members, is_last in detected:
        waiting.append(members)
        if is_last:
            yield from (_tracks(list(parts), linking) for parts in zip(*waiting, strict=True))
            waiting = []


def _tracks(parts: list[_Times], linking: Linking) -> xr.Dataset:
    """Return the tracks of a member from all of its times."""
    storms = {time: own for part in parts for time, own in part.storms.items()}
    first = parts[0]
    linker = Linker(linking, times := np.array(list(storms), "datetime64[ns]"))
    for time, own in storms.items():
        linker.add(time, own)
    both = {"init_time": first.init_time, "number": first.number}
    found = linker.tracks({name: own for name, own in both.items() if own is not None})
    return of_one(found, first.init_time, first.number, times)


def _there(detection: Detection, fields: xr.Dataset) -> list[str]:
    """Return the fields that a detection asks for and that there are: what no criterion needs may lack."""
    names = list(detection.needed)
    for name in detection.told[len(names) :]:
        try:
            parts_of(name, fields)
        except UserError:
            continue
        names.append(name)
    return names
