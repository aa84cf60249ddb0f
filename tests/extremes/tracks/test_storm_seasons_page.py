"""The page on storms of a season: its Python runs on lows that were put there."""

import numpy as np
import vortices
from docs_page import run_python

from weatherml.extremes.tracks import make
from weatherml.extremes.tracks.filtering import Band
from weatherml.grid import LatLonGrid

PAGE = "storm_seasons.md"
GRID = LatLonGrid.regular(46, 90)
PATHS = [vortices.path(45, 300, 75, n=12), vortices.path(-50, 170, 100, n=12)]


def test_lows_that_were_planted_are_found_and_matched_and_counted():
    names = run_python(PAGE, None)
    fields = vortices.planted(GRID, PATHS, depth=4000.0, radius=800.0)
    times = fields["time"].values
    columns = {"track_id": np.repeat([1, 2], 12), "time": np.tile(times, 2)}
    planted = make(
        columns
        | {name: np.concatenate([path[part] for path in PATHS]) for part, name in ((0, "latitude"), (1, "longitude"))}
    )
    found = names["storms_of"](fields, Band(5, 20))
    rates, pairs = names["agreement"](planted, found)
    assert (rates["n_first"], rates["first"]) == (2, 1)
    assert rates["separation"] < 100
    theirs, ours = names["densities"](planted, found.isel(record=np.isin(found["track_id"], pairs["second"])), GRID, 30)
    assert float(abs(theirs - ours).mean()) < 0.2 * float(theirs.mean())
