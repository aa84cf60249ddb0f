"""From fields to tracks: storms are detected time by time and linked, member by member."""

from dataclasses import dataclass

import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.detection.criteria import Detection
from weatherml.extremes.tracks.detection.detect import detect
from weatherml.extremes.tracks.detection.fields import each_time, parts_of
from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.extremes.tracks.forecasts import of_member
from weatherml.extremes.tracks.linking.linker import Linker
from weatherml.extremes.tracks.linking.rules import Linking
from weatherml.extremes.tracks.members import Member, map_members
from weatherml.grid import LatLonGrid
from weatherml.process.workers import HERE, Workers


def track(fields: xr.Dataset, detection: Detection, linking: Linking, workers: Workers = HERE) -> xr.Dataset:
    """Find the storms of a forecast, each member by itself, or of analyses, and follow them in time.

    A few times of the needed fields are in memory at once, whatever there is of times and members.

    Args:
        fields: Dims (init_time, lead_time, number, level, latitude, longitude), or (time, ...) of analyses; fields that
            do not change in time, such as a land mask, lack it.
        detection: What makes a point a storm; `presets.KINDS` has what the literature says.
        linking: How storms are followed, and which tracks count.
        workers: Who does the work, a member each: this process, or `weatherml.process.workers.Dask(...)`.

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
    return table.join(map_members(_Tracking(detection, linking), fields, workers))


@dataclass(frozen=True)
class _Tracking:
    """Tracks a member.

    Attributes:
        detection: What makes a storm.
        linking: How storms are followed.
    """

    detection: Detection
    linking: Linking

    def __call__(self, member: Member) -> xr.Dataset:
        around = Surroundings(LatLonGrid.from_dataset(member.fields))
        linker = Linker(self.linking, member.fields["time"].values)
        for time, own in each_time(member.fields, _there(self.detection, member.fields)):
            linker.add(time, detect(own, self.detection, around))
        return of_member(linker.tracks(member.columns), member)


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
