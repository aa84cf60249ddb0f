"""Pairs of forecast and observed objects, against hand-made fields and loops over all cells."""

import itertools

import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.extremes.objects import Interest, Weights, label, match, matching, overlaps, properties, separations
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import distance

GRID = LatLonGrid.regular(37, 72)
OFF = Interest(0, 1, 0)


def boxes(*corners):
    """Return a mask of boxes (first row, last row, first column, last column), columns around the globe."""
    mask = np.zeros(GRID.shape, bool)
    for top, bottom, west, east in corners:
        mask[top : bottom + 1, np.arange(west, east + 1) % GRID.n_lon] = True
    return mask


def matched(forecast, truth, *weights):
    own, other = label(forecast, GRID), label(truth, GRID)
    apart = separations(own, other, GRID)
    return match(properties(own, GRID), properties(other, GRID), overlaps(own, other, GRID), apart, *weights)


def test_an_object_is_wholly_like_itself_wherever_it_lies():
    mask = boxes((0, 3, 0, 71), (10, 14, 70, 75), (20, 21, 30, 45))
    found = matched(mask, mask)
    assert found["forecast"].values.tolist() == found["truth"].values.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found["interest"], 1)
    assert found.sizes["miss"] == found.sizes["false_alarm"] == 0
    assert found["median_of_maximum_interest"] == pytest.approx(1)


def test_what_has_no_like_is_missed_or_a_false_alarm():
    found = matched(boxes((10, 14, 5, 9), (25, 26, 60, 61)), boxes((10, 14, 6, 10), (30, 31, 20, 21)))
    assert (found["forecast"].item(), found["truth"].item()) == (1, 1)
    assert found["missed"].values.tolist() == found["false_alarms"].values.tolist() == [2]


def test_pairs_are_chosen_so_that_all_of_them_together_suit_best():
    """The first forecast suits the first truth better, but the second forecast suits no other."""
    weights = Weights(Interest(1, 0, 4000), OFF, OFF, OFF, OFF, OFF, least=0.2)
    found = matched(boxes((18, 18, 12, 12), (18, 18, 9, 9)), boxes((18, 18, 11, 11), (18, 18, 15, 15)), weights)
    assert found["forecast"].values.tolist() == found["truth"].values.tolist() == [1, 2]
    np.testing.assert_allclose(found["centroid_distance"], [distance(0, 45, 0, 55), distance(0, 60, 0, 75)])


def test_the_total_is_the_mean_of_interests_by_weight():
    """By hand: boxes of 3 x 3 and 3 x 9 cells along the equator, of which one column is the same."""
    forecast, truth = boxes((17, 19, 10, 12)), boxes((17, 19, 12, 20))
    weights = Weights(Interest(3, 0, 10000), OFF, OFF, Interest(2, 1, 0), Interest(5, 1, 0), OFF, least=0.0)
    found = matched(forecast, truth, weights)
    apart = 1 - distance(0, 55, 0, 80) / 10000
    expected = (3 * apart + 2 * 3 / 9 + 5 * 1 / 3) / 10
    assert found["interest"].item() == pytest.approx(expected)
    assert found["area_ratio"].item() == pytest.approx(1 / 3) == found["overlap_ratio"].item()


def test_the_angle_counts_as_far_as_objects_have_one():
    long, across, square = boxes((18, 18, 10, 21)), boxes((13, 23, 15, 15)), boxes((16, 20, 13, 17))
    weights = Weights(Interest(1, 1, 1e5), OFF, Interest(3, 30, 90), OFF, OFF, OFF, least=0.0)
    turned = matched(long, across, weights)
    assert turned["angle"].item() == pytest.approx(90, abs=0.1) and turned["interest"].item() < 0.35
    assert matched(long, square, weights)["interest"].item() > 0.9


def test_overlaps_and_separations_are_those_of_loops_over_cells():
    rng = np.random.default_rng(3)
    grid = LatLonGrid.regular(7, 12)
    own, other = (label(rng.random((2, *grid.shape)) < 0.2, grid, connect_time=True) for _ in range(2))
    areas = 6371.0**2 * np.broadcast_to(grid.cell_areas()[:, None], own.shape)
    together, apart = overlaps(own, other, grid), separations(own, other, grid)
    latitude, longitude = np.array(grid.latitude), np.array(grid.longitude)
    for one, two in itertools.product(range(1, own.max() + 1), range(1, other.max() + 1)):
        assert together[one - 1, two - 1] == pytest.approx(areas[(own == one) & (other == two)].sum())
        first, second = np.argwhere(own == one)[:, 1:], np.argwhere(other == two)[:, 1:]
        nearest = min(
            distance(latitude[a], longitude[b], latitude[c], longitude[d])
            for (a, b), (c, d) in itertools.product(first, second)
        )
        assert apart[one - 1, two - 1] == pytest.approx(nearest, abs=1e-3)


def test_objects_that_are_far_apart_need_no_distance():
    forecast, truth = (
        label(boxes((5, 5, 0, 0), (18, 20, 3, 9)), GRID),
        label(boxes((5, 5, 4, 4), (18, 20, 60, 62)), GRID),
    )
    near, all_ = separations(forecast, truth, GRID, most=2000), separations(forecast, truth, GRID)
    assert np.isfinite(near).tolist() == [[True, False], [False, False]] == (all_ <= 2000).tolist()
    assert near[0, 0] == all_[0, 0] and np.isfinite(all_).all()


def test_objects_without_number_are_refused(monkeypatch):
    monkeypatch.setattr(matching, "_MOST_PAIRS", 3)
    mask = boxes((5, 5, 0, 0), (18, 20, 3, 9))
    with pytest.raises(UserError, match="2 forecast and 2 observed objects are too many to be matched"):
        matched(mask, mask)


def test_small_objects_may_be_left_out_of_the_tables():
    forecast, truth = label(boxes((5, 5, 0, 0), (18, 20, 3, 9)), GRID), label(boxes((18, 20, 3, 9)), GRID)
    tables = properties(forecast, GRID), properties(truth, GRID)
    large = tables[0].isel(object=tables[0]["area"].values > 1e6)
    found = match(large, tables[1], overlaps(forecast, truth, GRID))
    assert (found["forecast"].item(), found["truth"].item()) == (2, 1) and found.sizes["false_alarm"] == 0


def test_nothing_is_matched_with_nothing():
    found = matched(boxes(), boxes((3, 4, 5, 6)))
    assert found.sizes["pair"] == 0 and found["missed"].values.tolist() == [1]
    assert np.isnan(found["median_of_maximum_interest"])


def test_what_cannot_be_weighed_is_refused():
    with pytest.raises(UserError, match="all weights of the matching are 0"):
        Weights(OFF, OFF, OFF, OFF, OFF, OFF)
    with pytest.raises(UserError, match="least total interest lies within"):
        Weights(least=70)
    with pytest.raises(UserError, match="is no interest"):
        Interest(-1, 0, 1)
    table = properties(label(boxes((3, 4, 5, 6), (9, 9, 9, 9)), GRID), GRID)
    with pytest.raises(UserError, match="lack labels of the tables"):
        match(table, table, np.zeros((1, 2)))


def test_interests_are_lines_of_one_piece_or_of_two():
    """The default's overlap is MODE's map: (0, 0), (0.1, 0.5), (0.25, 1), (1, 1); its centroid (60, 1), (600, 0)."""
    values = np.array([0, 0.05, 0.1, 0.16, 0.25, 0.9])
    np.testing.assert_allclose(Weights().overlap.of(values), [0, 0.25, 0.5, 0.7, 1, 1])
    np.testing.assert_allclose(Weights().centroid.of(np.array([0, 60, 330, 465, 600, 1e9])), [1, 1, 0.5, 0.25, 0, 0])
    falling = Interest(1, 10, 110, half=20)
    np.testing.assert_allclose(falling.of(np.array([10, 15, 20, 65, 110])), [1, 0.75, 0.5, 0.25, 0])
    with pytest.raises(UserError, match="`half` lies between `full` and `none`"):
        Interest(1, 10, 110, half=5)
