"""Strike probabilities: cells near tracks by brute force, windows, and verdicts."""

import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.extremes.tracks import make
from weatherml.extremes.tracks.judging.strikes import strike_probability, strike_scores, strikes
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import between, distance

SIX = np.timedelta64(6, "h")
START = np.datetime64("2099-09-01", "ns")
GRID = LatLonGrid.regular(37, 72)


def tracks(*places, number=None, init_time=None):
    """A track for each list of (latitude, longitude), six hours apart."""
    ids = np.repeat(np.arange(len(places)), [len(own) for own in places])
    step = np.concatenate([np.arange(len(own)) for own in places])
    latitude, longitude = np.concatenate([np.asarray(own, float) for own in places]).T
    columns = {"track_id": ids, "time": START + step * SIX, "latitude": latitude, "longitude": longitude}
    if init_time is not None:
        columns["init_time"] = np.full(len(ids), init_time)
    if number is not None:
        columns["number"] = np.asarray(number)[ids]
    return make(columns)


WAYS = {
    "over the date line": [(10, 170), (20, 195)],
    "over the pole": [(80, 20), (84, 190)],
    "along the equator": [(0, 350), (0, 20)],
    "to the south pole": [(-70, 5), (-90, 5)],
    "nowhere": [(33, 44), (33, 44)],
}


@pytest.mark.parametrize("way", WAYS)
def test_cells_near_the_way_are_those_near_one_of_its_points(way):
    start, end = WAYS[way]
    struck = strikes(tracks([start, end]), GRID, [START], (None, "6h"), radius=700)[0].values
    along = between(*start, *end, np.linspace(0, 1, 200)[:, None, None])
    rows, columns = np.meshgrid(GRID.latitude, GRID.longitude, indexing="ij")
    apart = distance(*along, rows, columns).min(axis=0)
    np.testing.assert_array_equal(struck[np.abs(apart - 700) > 1], (apart < 700)[np.abs(apart - 700) > 1])
    assert 0 < struck.sum() < struck.size / 4


def test_only_what_is_in_the_window_strikes():
    own = tracks([(0, 0), (0, 20), (0, 40)])
    at = {"latitude": 0, "longitude": [0, 5, 10, 15, 20, 30, 40]}
    windows = {("3h", "6h"): [0, 0, 1, 1, 1, 0, 0], (None, "3h"): [1, 1, 1, 0, 0, 0, 0], ("1d", "2d"): [0] * 7}
    for window, expected in windows.items():
        assert strikes(own, GRID, [START], window, 100)[0].sel(at).values.tolist() == expected
    assert strikes(own, GRID, [START - SIX], ("6h", "9h"), 100)[0].sel(at).values.tolist() == windows[None, "3h"]


def test_a_way_that_ends_as_the_window_begins_strikes_where_it_ends():
    struck = strikes(tracks([(0, 0), (0, 20)]), GRID, [START], ("6h", "9h"), 100)[0]
    assert struck.sel(latitude=0, longitude=20) == 1
    assert struck.sum() == 1


def test_the_probability_is_the_share_of_all_members_whose_storms_pass():
    own = tracks([(0, 0), (0, 10)], [(0, 5), (0, 10)], [(0, 2), (0, 9)], number=[0, 1, 1], init_time=START)
    share = strike_probability(own, GRID, 4, (None, "6h"), init_times=[START])
    assert share.sel(latitude=0, longitude=[0, 5, 10, 15]).values.tolist() == [[0.25, 0.5, 0.5, 0]]
    assert share.attrs["window"] == "0h to 6h"
    assert share.dtype == np.float32


def test_a_record_without_a_way_strikes_where_it_is():
    struck = strikes(tracks([(10, 355)]), GRID, [START], (None, "6h"), 10)[0]
    assert struck.sel(latitude=10, longitude=355) == 1
    assert struck.sum() == 1


def test_scores_are_those_of_the_area_where_so_many_members_strike():
    """Two members of whom one is right and one goes elsewhere: in half of what is struck the probability is a half."""
    best = tracks([(0, 90), (0, 120)])
    own = tracks([(0, 90), (0, 120)], [(0, 250), (0, 280)], number=[0, 1], init_time=START)
    scores = strike_scores(own, best, GRID, 2, [(None, "6h"), ("12h", "1d")], 300, [START])
    area = np.asarray(GRID.cell_areas())[:, None] * strikes(best, GRID, [START], (None, "6h"), 300)[0].values
    share = area.sum() / (4 * np.pi)
    at = scores.sel(bound="estimate")
    np.testing.assert_allclose(at["brier"], [2 * share * 0.25, 0], rtol=1e-6)
    np.testing.assert_allclose(at["observed_frequency"][0], [0, 0.5, np.nan], rtol=1e-6)
    assert scores.attrs["windows"] == "0h to 6h, 12h to 24h"
    assert (scores["lead_time"].values == np.array([6, 24]) * np.timedelta64(1, "h")).all()


def test_a_forecast_without_a_storm_has_a_probability_of_nothing_and_is_judged():
    best = tracks([(0, 90), (0, 120)])
    own = tracks([(0, 90), (0, 120)], number=[0], init_time=START)
    inits = [START - SIX, START]
    share = strike_probability(own, GRID, 1, (None, "12h"), 300, inits)
    assert share.sum(["latitude", "longitude"]).values.tolist() == [0, share[1].sum()]
    scores = strike_scores(own, best, GRID, 1, [(None, "12h")], 300, inits)
    area = (np.asarray(GRID.cell_areas())[:, None] * share[1].values).sum() / (4 * np.pi)
    np.testing.assert_allclose(scores["brier"].sel(bound="estimate"), [area / 2], rtol=1e-6)
    with pytest.raises(UserError, match="init_times lack 2099-09-01T00:00"):
        strike_probability(own, GRID, 1, (None, "12h"), 300, inits[:1])
    with pytest.raises(UserError, match="do not tell which forecasts were made"):
        strike_probability(own.isel(record=slice(0)), GRID, 1, (None, "12h"))


def test_what_is_wrong_is_said_in_one_line():
    own = tracks([(0, 0), (0, 10)], [(0, 5), (0, 10)], number=[0, 1], init_time=START)
    with pytest.raises(UserError, match=r"tracks are of 2 members, not 1; pass n_members=2"):
        strike_probability(own, GRID, 1, (None, "6h"), init_times=[START])
    with pytest.raises(UserError, match=r"runs forward, got 6h \.\. 3h"):
        strike_probability(own, GRID, 2, ("6h", "3h"))
    with pytest.raises(UserError, match="tracks have no init_time"):
        strike_probability(tracks([(0, 0)]), GRID, 2, (None, "6h"))
