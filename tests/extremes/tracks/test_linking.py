"""Storms linked in time: what goes on which track, gaps, merging and splitting, and what counts."""

import numpy as np
import pytest
import vortices

from weatherml.errors import UserError
from weatherml.extremes.tracks import each
from weatherml.extremes.tracks.linking import Condition, Linker, Linking

EASY = Linking(maximum_speed=41.2)
HOUR = np.timedelta64(3600 * 10**9, "ns")


def linked(linking, paths, order=None, hours=None, **columns):
    """Return the tracks of storms along paths (latitudes, longitudes), NaN where they are not seen."""
    north, east = (np.asarray([path[part] for path in paths]) for part in (0, 1))
    times = vortices.times(north.shape[1]) if hours is None else vortices.times(1) + np.asarray(hours) * HOUR
    linker, rng = Linker(linking, times), np.random.default_rng(order)
    for place, time in enumerate(times):
        there = np.flatnonzero(np.isfinite(north[:, place]))
        if order is not None:
            rng.shuffle(there)
        own = {name: np.asarray(values)[there, place] for name, values in columns.items()}
        linker.add(time, {"latitude": north[there, place], "longitude": east[there, place], **own})
    return linker.tracks()


def straight(latitude, longitude, degrees_east, n=8):
    """Return a path along a circle of latitude."""
    return np.full(n, float(latitude)), (longitude + degrees_east * np.arange(n)) % 360


def lengths(tracks):
    return sorted(own.sizes["record"] for _, own in each(tracks))


def same(first, second):
    """Return whether two tables have the same tracks, by whatever numbers."""
    return {tuple(own["longitude"].values) for _, own in each(first)} == {
        tuple(own["longitude"].values) for _, own in each(second)
    }


def test_storms_that_pass_each_other_stay_themselves_in_whatever_order():
    paths = [straight(40, 0, 3.0), straight(42, 20, -3.0), straight(-10, 179, 2.0), straight(86, 0, 40)]
    tracks = linked(EASY, paths)
    assert lengths(tracks) == [8, 8, 8, 8]
    assert {tuple(own["latitude"].values[:1]) for _, own in each(tracks)} == {(40,), (42,), (-10,), (86,)}
    assert all(np.ptp(own["latitude"].values) == 0 for _, own in each(tracks))
    assert all(same(tracks, linked(EASY, paths, order=seed)) for seed in range(3))


def test_a_storm_that_would_take_anothers_place_leaves_it_where_both_are_linked_then():
    # The first is closest to where the second goes on; greedily it would take it, and leave the second nothing.
    first = [np.array([0.0, 0.0]), np.array([0.0, 3.0])]
    second = [np.array([0.0, 0.0]), np.array([4.5, 9.0])]
    assert lengths(linked(EASY, [first, second])) == [2, 2]


def test_a_storm_goes_on_where_it_is_expected_though_more_links_were_possible():
    # Were the one that stands still linked to the place of the moving one, that could be linked, too, to the third.
    moving, still = (np.zeros(3), np.array([-3.0, 0, 3])), (np.array([1.5, 1.5, np.nan]), np.full(3, 3.0))
    third = np.array([np.nan, np.nan, -6.6]), np.full(3, 5.0)
    tracks = linked(EASY, [moving, still, third])
    assert (0.0, 0.0, 0.0) in {tuple(own["latitude"].values) for _, own in each(tracks)}


def test_nothing_goes_faster_than_the_maximum():
    per_step = 41.2 * 6 * 3600 / 111.19e3
    assert lengths(linked(EASY, [straight(0, 0, 0.99 * per_step)])) == [8]
    assert lengths(linked(EASY, [straight(0, 0, 1.01 * per_step)])) == [1] * 8
    assert lengths(linked(Linking(41.2, least_reach=10.0), [straight(0, 0, 1.01 * per_step)])) == [8]


def test_a_storm_that_leaves_its_course_by_more_than_the_deviation_is_another_one():
    east = np.array([0, 3, 6, 9, 12, 12, 12, 12.0])  # turns from east to north: three degrees each way, 4.2 off
    path = np.array([0, 0, 0, 0, 0, 3, 6, 9.0]), east
    per_degree = 111.19e3 / 21600
    going = {"maximum_speed": 41.2, "momentum": 1.0}
    assert lengths(linked(Linking(**going), [path])) == [8]
    assert lengths(linked(Linking(**going, maximum_deviation=4.4 * per_degree), [path])) == [8]
    assert lengths(linked(Linking(**going, maximum_deviation=4.1 * per_degree), [path])) == [3, 5]
    assert lengths(linked(Linking(**going, maximum_deviation=4.1 * per_degree, least_reach=5.0), [path])) == [8]


def test_a_storm_may_be_missed_for_as_long_as_the_gap_and_goes_on_where_it_was_expected():
    north, east = straight(50, 350, 5.0)
    north[3:5] = np.nan
    assert lengths(linked(Linking(41.2, maximum_gap=18), [(north, east)])) == [6]
    assert lengths(linked(Linking(41.2, maximum_gap=12), [(north, east)])) == [3, 3]
    other = straight(50, 350, 0.0)  # stays where the one was last seen
    other[0][:3] = np.nan
    tracks = linked(Linking(41.2, maximum_gap=18), [(north, east), other])
    assert lengths(tracks)[-1] == 6


@pytest.mark.parametrize(
    ("gap", "hours", "kept"),
    [
        (0, [0, 6, 12, 18, 48, 54, 60, 66], [4, 4]),  # a day is lost
        (0, [0, 6, 12, 18, 30, 36, 42, 48], [4, 4]),  # a time is
        (0, [0, 6, 12, 18, 27, 33, 39, 45], [8]),
        (18, [0, 6, 12, 18, 48, 54, 60, 66], [4, 4]),
        (30, [0, 6, 12, 18, 48, 54, 60, 66], [8]),
        (18, [0, 6, 12, 18, 8760, 8766, 8772, 8778], [4, 4]),  # two winters
        (0, [0, 6, 12, 18, 8760, 8766, 17520, 17526], [2, 2, 4]),
        (0, [0, 30, 36, 42, 48, 54, 60, 66], [1, 7]),
        (0, [0, 6, 12, 18, 24, 30, 36, 66], [1, 7]),
        (0, [0, 6, 12, 18, 24, 30, 36, 48], [8]),  # at the end steps may have grown
        (0, [0, 6, 12, 18, 24, 30, 36, 49], [1, 7]),
        (0, [0, 3, 6, 9, 15, 21, 27, 33], [8]),  # forecasts have longer steps later
        (0, [0, 3, 6, 9, 12, 24, 36, 48], [8]),
        (0, [0, 24, 48, 72, 96, 120, 144, 168], [8]),
    ],
)
def test_storms_are_not_linked_across_a_hole_in_the_data(gap, hours, kept):
    still = straight(40, 0, 0.0)
    tracks = linked(Linking(41.2, maximum_gap=gap), [still], hours=hours)
    assert lengths(tracks) == kept
    assert set(tracks["merged_into"].values) == set(tracks["split_from"].values) == {-1}


def test_two_times_are_no_hole_as_no_other_step_says_so():
    assert lengths(linked(EASY, [straight(40, 0, 1.0, n=2)], hours=[0, 30])) == [2]


def test_the_gap_counts_to_the_record_that_follows_it_whenever_that_is():
    north, east = straight(40, 0, 0.0, n=6)
    north[2:5] = np.nan
    for last, kept in ((30, [6 - 3]), (36, [1, 2])):  # 24 hours and 30 after the record before
        assert lengths(linked(Linking(41.2, maximum_gap=24), [(north, east)], hours=[0, 6, 12, 18, 24, last])) == kept


def test_a_storm_that_was_missed_is_expected_as_much_further_on():
    north, east = straight(0, 0, 4.0)
    north[3:5] = np.nan
    other = np.full(8, np.nan), np.full(8, 12.5)  # where the one would be after a single step
    other[0][5] = 0.0
    tracks = linked(Linking(41.2, maximum_gap=18, momentum=1.0), [(north, east), other])
    assert lengths(tracks) == [1, 6]


def test_the_track_that_is_expected_there_goes_on_and_the_other_merges_into_it():
    north, east = straight(40, 0, 3.0)
    late = straight(44, 9, 0.5)
    late[0][5:] = np.nan
    tracks = linked(EASY, [(north, east), late])
    (main, whole), (other, short) = sorted(each(tracks), key=lambda item: -item[1].sizes["record"])
    assert (whole.sizes["record"], short.sizes["record"]) == (8, 5)
    assert set(short["merged_into"].values) == {main}
    assert set(whole["merged_into"].values) == {-1}
    assert set(tracks["split_from"].values) == {-1}
    assert other != main


def test_where_a_track_merges_goes_by_the_hours_to_the_next_time():
    one, main = straight(0, 0, 4.0, n=4), straight(2, 10, 0.0, n=4)
    one[0][3] = np.nan  # at 10 E, where it is expected three hours after it was seen at 8 E
    for most, n_merged in ((2.1, 3), (1.9, 0)):
        linking = Linking(25.0, momentum=1.0, merging_distance=most)
        assert (linked(linking, [one, main], hours=[0, 6, 12, 15])["merged_into"].values >= 0).sum() == n_merged


def test_nothing_merges_into_what_was_not_there_before():
    one, late = straight(40, 0, 1.0), straight(41, 3, 0.5)  # it begins close to where the one is expected
    one[0][4:], late[0][:4] = np.nan, np.nan
    tracks = linked(Linking(5.0), [one, late])
    assert lengths(tracks) == [4, 4]
    assert set(tracks["merged_into"].values) == set(tracks["split_from"].values) == {-1}


def test_a_track_that_begins_beside_another_splits_from_it_and_not_at_the_first_time():
    early, later = straight(40, 0, 3.0), straight(43, 2, 3.5)
    later[0][:3] = np.nan
    tracks = linked(EASY, [early, later])
    (main, _), (_, short) = sorted(each(tracks), key=lambda item: -item[1].sizes["record"])
    assert set(short["split_from"].values) == {main}
    assert set(tracks["merged_into"].values) == {-1}
    assert set(linked(EASY, [early, straight(43, 2, 3.5)])["split_from"].values) == {-1}


@pytest.mark.parametrize(
    ("linking", "kept"),
    [
        (Linking(least_duration=42), [8]),
        (Linking(least_duration=43), []),
        (Linking(least_displacement=20), [8]),
        (Linking(least_displacement=22), []),
        (Linking(conditions=(Condition("wind", least=10, hours=12),)), [3, 8]),
        (Linking(conditions=(Condition("wind", least=10, hours=18),)), [8]),
        (Linking(conditions=(Condition("wind", least=10, share=0.6),)), [3]),
        (Linking(conditions=(Condition("absolute_latitude", most=50),)), [8]),
        (Linking(conditions=(Condition("absolute_latitude", least=50), Condition("wind", most=5))), []),
    ],
)
def test_only_tracks_that_fulfil_all_conditions_count(linking, kept):
    brief = straight(-70, 50, 1.0)
    brief[0][3:] = np.nan
    wind = np.array([[12.0] * 4 + [0.0] * 4, [11.0] * 8])
    assert lengths(linked(linking, [straight(0, 0, 3.0), brief], wind=wind)) == kept


@pytest.mark.parametrize(
    ("hours", "needed", "kept"),
    [
        ([0, 6, 12, 42, 48, 54], 12, [3, 3]),  # a hole counts for nothing
        ([0, 6, 12, 42, 48, 54], 13, []),
        ([0, 3, 6, 12, 18, 24], 24, [6]),
        ([0, 3, 6, 12, 18, 24], 25, []),
    ],
)
def test_conditions_count_the_hours_of_their_records_whatever_the_steps(hours, needed, kept):
    linking = Linking(conditions=(Condition("wind", least=10, hours=needed),))
    assert lengths(linked(linking, [straight(0, 0, 0.5, n=6)], hours=hours, wind=np.full((1, 6), 12.0))) == kept


def test_a_condition_on_what_is_not_told_is_refused():
    with pytest.raises(UserError, match="tracks have no 'wind'"):
        linked(Linking(conditions=(Condition("wind", least=10),)), [straight(0, 0, 1.0)])


def test_no_storms_are_no_tracks():
    assert linked(EASY, [(np.full(3, np.nan), np.zeros(3))]).sizes["record"] == 0
    assert Linker(EASY, []).tracks().sizes["record"] == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: Linking(0), "maximum_speed=0"),
        (lambda: Linking(momentum=2), "momentum=2"),
        (lambda: Linking(maximum_gap=-6), "maximum_gap=-6"),
        (lambda: Linking(maximum_deviation=0), "maximum_deviation=0"),
        (lambda: Condition("wind"), "no bound"),
        (lambda: Condition("wind", least=1, share=60), "share"),
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong, told):
    with pytest.raises(UserError, match=told):
        wrong()
