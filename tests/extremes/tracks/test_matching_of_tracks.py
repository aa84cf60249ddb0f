"""Which tracks are of one storm: hand-made ones, and brute force over all assignments."""

from itertools import permutations

import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.extremes.tracks import make
from weatherml.extremes.tracks.matching import Matching, match, match_rates
from weatherml.sphere.great_circles import distance

DAY = np.datetime64("2020-01-01", "ns")
HOUR = np.timedelta64(3600 * 10**9, "ns")


def storm(track_id, hours, latitude, longitude, **more):
    """Records of one storm, every six hours from the first hour to the last."""
    time = DAY + np.arange(hours[0], hours[1] + 1, 6) * HOUR
    n = len(time)
    own = {
        "track_id": [track_id] * n,
        "time": time,
        "latitude": latitude + np.zeros(n),
        "longitude": longitude + np.zeros(n),
    }
    return own | {name: [value] * n for name, value in more.items()}


def tracks(*storms):
    return make({name: np.concatenate([own[name] for own in storms]) for name in storms[0]})


def test_a_pair_says_how_far_and_how_long_it_is_together():
    first = tracks(storm(7, (0, 42), 50, 359.5), storm(9, (0, 42), -30, 100))
    second = tracks(storm(3, (12, 60), 50, 0.5), storm(4, (0, 42), 10, 0))
    pairs = match(first, second)
    assert (pairs["first"].item(), pairs["second"].item(), pairs["n_common"].item()) == (7, 3, 6)
    assert pairs["separation"].item() == pytest.approx(float(distance(50, 359.5, 50, 0.5)))
    assert pairs["overlap"].item() == pytest.approx(6 / ((8 + 9) / 2))
    rates = match_rates(first, second, pairs)
    assert (rates["n_first"], rates["first"], rates["second"]) == (2, 0.5, 0.5)
    assert rates["separation"] == pairs["separation"].item()


@pytest.mark.parametrize(
    ("share_of", "share"), [("mean", 5 / 7.5), ("first", 1), ("second", 0.5), ("shorter", 1), ("longer", 0.5)]
)
def test_the_overlap_is_a_share_of_the_track_that_is_said(share_of, share):
    first, second = tracks(storm(1, (0, 24), 50, 0)), tracks(storm(1, (0, 54), 50, 1))
    assert match(first, second, Matching(overlap=share, share_of=share_of))["overlap"].item() == pytest.approx(share)
    if share < 1:
        assert match(first, second, Matching(overlap=share + 0.01, share_of=share_of)).sizes["pair"] == 0


def test_the_mean_over_common_times_counts_not_the_nearest_one():
    first = tracks(storm(1, (0, 18), 50, np.array([0, 0, 0, 0.0])))
    second = tracks(storm(1, (0, 18), 50 + np.array([0, 6, 6, 6.0]), 0))
    degree = float(distance(0, 0, 1, 0))
    assert match(first, second, Matching(separation=4.4 * degree)).sizes["pair"] == 0
    assert match(first, second, Matching(separation=4.6 * degree))["separation"].item() == pytest.approx(4.5 * degree)


def test_a_storm_at_the_pole_is_one_whatever_its_longitude():
    first, second = tracks(storm(1, (0, 12), 90, 0)), tracks(storm(1, (0, 12), 89.9, 180))
    assert match(first, second)["separation"].item() == pytest.approx(11.1, abs=0.1)


def test_each_track_has_one_partner_and_no_other_way_has_more_pairs_or_closer_ones():
    rng = np.random.default_rng(1)
    sets = [
        tracks(*(storm(n, (6 * rng.integers(0, 2), 24), 50 + 3 * rng.normal(), 3 * rng.normal()) for n in range(6)))
        for _ in range(2)
    ]
    rules = Matching(separation=350.0)
    pairs = match(*sets, rules)
    apart = np.full((6, 6), np.inf)
    for one in range(6):
        for other in range(6):
            pair = [own.isel(record=own["track_id"] == n) for own, n in zip(sets, (one, other), strict=True)]
            alone = match(*pair, rules)
            if alone.sizes["pair"]:
                apart[one, other] = alone["separation"].item()
    best = min(
        (-np.isfinite(own).sum(), own[np.isfinite(own)].sum())
        for own in (apart[np.arange(6), list(order)] for order in permutations(range(6)))
    )
    assert (-pairs.sizes["pair"], pairs["separation"].sum().item()) == (best[0], pytest.approx(best[1]))
    assert 2 <= pairs.sizes["pair"] < 6


def test_one_pair_more_is_worth_any_separation():
    degree = float(distance(0, 0, 0, 1))
    first = tracks(storm(0, (0, 0), 0, 0), storm(1, (0, 0), 0, 430 / degree))
    second = tracks(storm(0, (0, 0), 0, 0), storm(1, (0, 0), 0, -400 / degree))  # the closest pair leaves two alone
    pairs = match(first, second)
    assert (pairs["first"].values.tolist(), pairs["second"].values.tolist()) == ([0, 1], [1, 0])


def test_the_rate_of_an_analysis_is_the_mean_over_members_of_their_own():
    places = [-60, -30, 0, 30, 60]
    analysis = tracks(*(storm(n, (0, 24), north, 0) for n, north in enumerate(places)))
    members = tracks(*(storm(n, (0, 24), north, 0, number=n % 4) for n, north in enumerate(places)))
    rates = match_rates(members, analysis, match(members, analysis))
    assert (rates["n_first"], rates["first"], rates["n_second"]) == (5, 1, 5)
    assert rates["second"] == pytest.approx((2 + 1 + 1 + 1) / 4 / 5)
    own = match_rates(members, members, match(members, members))
    assert (own["first"], own["second"]) == (1, 1)


def test_members_are_matched_each_by_itself_and_with_an_analysis_each():
    places = {1: (50, 0), 2: (51, 1), 3: (-50, 1)}
    members = tracks(*(storm(n, (0, 24), north, 0, number=number) for n, (north, number) in places.items()))
    assert match(members, members)["second"].values.tolist() == [1, 2, 3]
    analysis = tracks(storm(8, (0, 24), 50, 0))
    pairs = match(members, analysis)
    assert (pairs["first"].values.tolist(), pairs["second"].values.tolist()) == ([1, 2], [8, 8])
    with pytest.raises(UserError, match="only the second set of tracks has number"):
        match(analysis, members)


def test_members_of_an_initial_time_meet_what_the_other_set_has_of_the_same_one():
    places = {1: (0, 0), 2: (0, 1), 3: (24, 0), 4: (24, 1), 5: (48, 0)}  # hours of the initial time, member
    members = tracks(
        *(storm(n, (48, 72), 50, 0, init_time=DAY + own * HOUR, number=m) for n, (own, m) in places.items())
    )
    others = tracks(*(storm(n, (48, 72), 50, 1, init_time=DAY + own * HOUR) for n, own in {7: 0, 8: 24}.items()))
    pairs = match(members, others)
    assert pairs["first"].values.tolist() == [1, 2, 3, 4]
    assert pairs["second"].values.tolist() == [7, 7, 8, 8]


def test_nothing_matches_nothing():
    some = tracks(storm(1, (0, 24), 50, 0))
    none = some.isel(record=slice(0))
    pairs = match(some, none)
    assert (pairs.sizes["pair"], match_rates(some, none, pairs)["first"]) == (0, 0)
    assert np.isnan(match_rates(some, none, pairs)["second"])


@pytest.mark.parametrize("wrong", [{"separation": 0}, {"overlap": 1.5}, {"share_of": "both"}])
def test_rules_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Matching(**wrong)


def test_rows_in_another_order_give_the_same_pairs_at_the_date_line_too():
    """Four storms around 180 E whose separations are tied; the table sorts, and ids decide."""
    rng = np.random.default_rng(3)
    first = [storm(n, (0, 12), 0, east) for n, east in enumerate((179, 181, 183))]
    second = [storm(n, (0, 12), 0, east) for n, east in enumerate((180, 182, -180))]
    expected = match(tracks(*first), tracks(*second))
    assert expected["separation"].values.tolist() == pytest.approx([float(distance(0, 179, 0, 180))] * 3)
    for _ in range(3):
        shuffled = []
        for own in (first, second):
            columns = {name: np.concatenate([one[name] for one in own]) for name in own[0]}
            turn = rng.permutation(len(columns["time"]))
            shuffled.append(make({name: values[turn] for name, values in columns.items()}))
        pairs = match(*shuffled)
        assert pairs.equals(expected)
