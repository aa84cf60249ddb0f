"""Whether tracks are best tracks that a file can hold, which knows storms by their names only."""

import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.best_tracks.units import require_si


def require_named(tracks: xr.Dataset, layout: str, example: str) -> None:
    """Require one track of each storm, with its `storm_id`, in SI units.

    Args:
        tracks: To be written.
        layout: Of the file, as messages call it.
        example: How it calls a storm.

    Raises:
        UserError: They are not: what is written would be other storms when it is read.
    """
    table.check(tracks)
    table.require_one_member(tracks)
    require_si(tracks)
    if "storm_id" not in tracks:
        raise UserError(f"tracks have no storm_id, by which {layout} calls a storm; assign one such as {example!r}")
    pairs = table.to_frame(tracks[["track_id", "storm_id"]]).drop_duplicates()
    for one, other in (("storm_id", "track_id"), ("track_id", "storm_id")):
        again = pairs[pairs.duplicated(one, keep=False)]
        if len(again):
            its = again.loc[again[one] == again[one].iloc[0], other].tolist()
            raise UserError(
                f"{one} {again[one].iloc[0]} has {other} {its[0]} and {its[1]}, and {layout} knows storms by storm_id;"
                " give each track one of its own"
            )
