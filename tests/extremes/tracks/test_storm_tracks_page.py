"""The page on storms and their tracks: its Python runs on storms that were put there."""

import numpy as np
import vortices
from docs_page import run_python

from weatherml.grid import LatLonGrid

PAGE = "storm_tracks.md"
GRID = LatLonGrid.regular(73, 144)
PATHS = [vortices.path(45, 300, 75, n=7), vortices.path(-50, 175, 100, 1.0, n=7)]


def test_storms_that_were_planted_are_found_with_their_lifetimes():
    names = run_python(PAGE, None)
    tracks = names["storms"](vortices.planted(GRID, PATHS))
    assert list(names["lifetimes"](tracks).values()) == [36.0, 36.0]


def test_vortices_over_land_are_left_out():
    names = run_python(PAGE, None)
    fields = vortices.planted(GRID, PATHS) - vortices.background(GRID)
    sense = np.sign(np.asarray(GRID.latitude))[:, None] * -1e-7
    land = (
        ("latitude", "longitude"),
        np.broadcast_to(np.asarray(GRID.latitude)[:, None] > 0, GRID.shape).astype(float),
    )
    own = (fields * sense).rename({vortices.PRESSURE: "vorticity_850"}).assign(land_sea_mask=land)
    tracks = names["vortices"](own)
    assert tracks["latitude"].values.max() < 0
    assert len(names["lifetimes"](tracks)) == 1


def test_cyclones_are_asked_for_with_their_fields():
    names = run_python(PAGE, None)
    fields = vortices.with_warm_core(vortices.planted(GRID, [vortices.path(15, 175, 290, 6.0, n=12)]), GRID)
    tracks = names["cyclones"](fields)
    assert len(names["lifetimes"](tracks)) == 1
    assert tracks["maximum_wind_speed"].values.min() > 10
