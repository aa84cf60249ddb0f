"""Planted storms followed through fields, of members and analyses."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import vortices
import xarray as xr
from vortices import GRIDS, PRESSURE, cell, path, planted

from weatherml.errors import UserError
from weatherml.extremes.tracks import each, tracking
from weatherml.extremes.tracks.detection import ClosedContour, Detection
from weatherml.extremes.tracks.detection import fields as fields_of_a_time
from weatherml.extremes.tracks.linking import Linking
from weatherml.extremes.tracks.presets import EXTRATROPICAL, TROPICAL_CYCLONE, tropical_cyclone
from weatherml.extremes.tracks.tracking import track
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import distance

DETECTION = Detection(contours=(ClosedContour(PRESSURE, 200.0, 5.5),))
LINKING = Linking(41.2, maximum_gap=12, least_duration=24)
PATHS = {
    "mid-latitudes": path(45, 300, 70, 14.0),
    "date line": path(-20, 175, 90, 14.0),
    "Greenwich": path(35, 4, 270, 14.0),
    "over the pole": path(84, 30, 0, 16.0),
    "at rest on the pole": (np.full(9, 90.0), np.zeros(9)),
    "equator": path(3, 100, 200, 8.0),
}
REGION = LatLonGrid.from_coordinates(
    np.arange(60, 29.9, -0.25), np.concatenate([np.arange(0, 30, 0.25), np.arange(330, 360, 0.25)])
)


def off(found, where):
    """Return how far records are from a path, km, and whether all of its times are there."""
    return distance(found["latitude"].values, found["longitude"].values, *where)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", PATHS)
def test_a_planted_storm_is_followed_within_a_cell_and_nothing_else_is_found(name, grid):
    where, radius = PATHS[name], max(350.0, 1.1 * cell(GRIDS[grid]))
    ((_, found),) = each(track(planted(GRIDS[grid], [where], radius=radius), DETECTION, LINKING))
    assert found.sizes["record"] == len(where[0])
    assert off(found, where).max() < 0.5 * cell(GRIDS[grid])


def test_a_fine_region_across_greenwich_is_tracked_alike():
    where = path(45, 355, 80, 10.0)
    ((_, found),) = each(track(planted(REGION, [where], radius=150.0), DETECTION, LINKING))
    assert off(found, where).max() < 0.2 * cell(REGION)


def test_a_weak_storm_is_found_by_its_contour_and_a_weaker_one_is_not():
    for depth, n_tracks in ((330.0, 1), (150.0, 0)):
        fields = planted(GRIDS["no poles 2"], [path(30, 20, 90)], depth=depth)
        assert len(list(each(track(fields, DETECTION, LINKING)))) == n_tracks


def test_two_storms_that_meet_are_one_track_and_one_that_merged_into_it():
    one, other = path(40, 0, 90, 10.0, n=10), path(40, 24, 270, 10.0, n=10)
    fields = planted(GRIDS["no poles 2"], [one, other], depth=2500.0)
    fields[PRESSURE] += planted(GRIDS["no poles 2"], [one], depth=800.0)[PRESSURE] - vortices.background(
        GRIDS["no poles 2"]
    )
    tracks = dict(each(track(fields, DETECTION, replace(LINKING, least_duration=12))))
    (main,) = [key for key, own in tracks.items() if own.sizes["record"] == 10]
    merged = [own for key, own in tracks.items() if key != main and own["time"].values[0] == fields["time"].values[0]]
    assert [set(own["merged_into"].values) for own in merged] == [{main}]


class _Elsewhere:
    """Workers that are sent what they do, and send what comes of it."""

    def require_there(self):
        """They are."""

    def map(self, function, items):
        for item in items:
            own, given = pickle.loads(pickle.dumps((function, item)))
            yield pickle.loads(pickle.dumps(own(given)))


class _LastFirst(_Elsewhere):
    """Workers that are done with the last item first."""

    def map(self, function, items):
        own = list(items)
        self.n_items = len(own)
        yield from super().map(function, reversed(own))


def test_each_member_has_its_own_tracks_numbered_through_all():
    grid = GRIDS["regular 5"]
    runs = [planted(grid, [path(45, east, 80)], radius=700.0) for east in (10, 100, 200)]
    runs[1] = xr.full_like(runs[0], 101300.0)
    fields = xr.concat(runs, "number").assign_coords(number=[0, 1, 2]).rename(time="lead_time")
    fields = fields.assign_coords(
        lead_time=fields["lead_time"] - fields["lead_time"][0], init_time=vortices.times(1)[0]
    )
    fields = fields.expand_dims("init_time")
    tracks = track(fields, DETECTION, LINKING)
    xr.testing.assert_identical(tracks, track(fields.chunk(number=1), DETECTION, LINKING, workers=_Elsewhere()))
    assert np.unique(tracks["number"].values).tolist() == [0, 2]
    assert np.unique(tracks["track_id"].values).tolist() == [0, 1]
    assert set(tracks["init_time"].values) == {vortices.times(1)[0]}
    assert set(tracks["merged_into"].values) == {-1}


@pytest.mark.parametrize("chunks", [None, {"time": 4}])
def test_an_analysis_is_cut_by_time_and_joined_to_the_same_tracks_bit_for_bit(monkeypatch, chunks):
    """Blocks of two times, or of a chunk each, which workers do side by side, and whose results come in any order."""
    grid = GRIDS["regular 5"]
    fields = planted(grid, [path(45, 100, 80), path(-30, 350, 90)], radius=700.0)
    whole = track(fields, DETECTION, LINKING)
    assert whole.sizes["record"] == 18
    monkeypatch.setattr(tracking, "BLOCK_BYTES", 2 * fields[PRESSURE][0].nbytes)
    monkeypatch.setattr(fields_of_a_time, "BLOCK_BYTES", 2 * fields[PRESSURE][0].nbytes)
    workers = _LastFirst()
    cut = track(fields if chunks is None else fields.chunk(chunks), DETECTION, LINKING, workers=workers)
    xr.testing.assert_identical(cut, whole)
    assert workers.n_items == (5 if chunks is None else 3)


def test_chunks_of_several_members_and_times_are_each_read_once(monkeypatch):
    monkeypatch.setattr(tracking, "BLOCK_BYTES", 1)
    grid, read = GRIDS["regular 5"], []
    fields = xr.concat([planted(grid, [path(45, east, 80)], radius=700.0) for east in (10, 100, 200)], "number")
    fields = fields.assign_coords(number=[0, 1, 2], init_time=vortices.times(1)[0]).rename(time="lead_time")
    fields = fields.assign_coords(lead_time=fields["lead_time"] - fields["lead_time"][0]).expand_dims("init_time")
    lazy = (
        fields[PRESSURE]
        .chunk(number=2, lead_time=4)
        .data.map_blocks(lambda values: read.append(values.shape) or values, dtype=np.float32)
    )
    own = fields.assign({PRESSURE: (fields[PRESSURE].dims, lazy)})
    read.clear()
    found = track(own, DETECTION, LINKING)
    assert sorted(read) == sorted((1, n, m, *grid.shape) for n in (2, 1) for m in (4, 4, 1))
    xr.testing.assert_identical(found, track(fields, DETECTION, LINKING))


def test_tropical_cyclones_have_warm_cores_winds_and_low_ground():
    where = path(15, 175, 290, 6.0, n=12)
    grid = LatLonGrid.regular(91, 180)
    fields = vortices.with_warm_core(planted(grid, [where]), grid)
    ((_, found),) = each(track(fields, *tropical_cyclone(topography=True)))
    assert off(found, where).max() < cell(grid)
    assert found["maximum_wind_speed"].values.min() > 30
    cold = fields.assign(geopotential=55e3 - (fields["geopotential"] - 55e3))
    high = fields.assign(geopotential_at_surface=fields["geopotential_at_surface"] + 3000)
    calm = fields.assign({name: fields[name] / 10 for name in fields if "wind" in name})
    for without in (cold, high, calm):
        assert not track(without, *tropical_cyclone(topography=True)).sizes["record"]


def test_extratropical_storms_need_no_wind_and_go_far():
    for speed, n_tracks in ((12.0, 1), (4.0, 0)):
        fields = planted(GRIDS["regular 2.5"], [path(50, 350, 60, speed, n=12)])
        tracks = track(fields, *EXTRATROPICAL)
        assert len(list(each(tracks))) == n_tracks
        assert "maximum_wind_speed" not in tracks


def test_a_field_that_a_criterion_needs_is_asked_for_by_name():
    fields = planted(GRIDS["regular 5"], [path(15, 175, 290)])
    with pytest.raises(UserError, match="no 'geopotential_300', only mean_sea_level_pressure") as refusal:
        track(fields, *TROPICAL_CYCLONE)
    assert "\n" not in str(refusal.value)
