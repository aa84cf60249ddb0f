"""Objects of masks against a flood fill, cell by cell."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import label as label_array

from weatherml.errors import UserError
from weatherml.extremes.objects import Labeller, label
from weatherml.grid import LatLonGrid

WITH_POLES, WITHOUT = LatLonGrid.regular(7, 12), LatLonGrid.regular(6, 10, poles=False)
ACROSS_GREENWICH = LatLonGrid((50.0, 40.0, 30.0, 20.0, 10.0), (0.0, 10.0, 20.0, 330.0, 340.0, 350.0))


def noise(grid, n_times, share=0.3, seed=0):
    return np.random.default_rng(seed).random((n_times, *grid.shape)) < share


def flood(mask, neighbours, touching, connect_time):
    """Fill from each cell in turn, asking of every pair of cells whether it touches."""
    cells = list(map(tuple, np.argwhere(mask)))
    numbers, found = np.zeros(mask.shape, int), 0
    for start in cells:
        if numbers[start]:
            continue
        found += 1
        waiting = [start]
        numbers[start] = found
        while waiting:
            t, i, j = waiting.pop()
            for other in cells:
                near_in_time = other[0] == t or (connect_time and abs(other[0] - t) == 1)
                if not numbers[other] and near_in_time and touching((t, i, j), other, neighbours):
                    numbers[other] = found
                    waiting.append(other)
    return numbers


def touching_on(grid, cyclic=True, order=None):
    """Return whether two cells touch on a global grid, or on a region whose columns lie in an order."""
    n_lat, n_lon = grid.shape
    place = np.argsort(order) if order is not None else np.arange(n_lon)
    at_pole = abs(grid.latitude[0]) == 90

    def touching(one, other, neighbours):
        apart = abs(place[one[2]] - place[other[2]])
        apart = min(apart, n_lon - apart) if cyclic else apart
        steps = (abs(one[0] - other[0]), abs(one[1] - other[1]), apart)
        if cyclic and one[1] == other[1] and one[1] in (0, n_lat - 1) and (neighbours == 8 or at_pole):
            return True
        return max(steps) <= 1 and (neighbours == 8 or sum(steps) <= 1)

    return touching


@pytest.mark.parametrize(("neighbours", "connect_time"), list(itertools.product((4, 8), (False, True))))
@pytest.mark.parametrize("grid", [WITH_POLES, WITHOUT])
def test_objects_are_those_of_a_flood_fill_on_the_sphere(grid, neighbours, connect_time):
    mask = noise(grid, 3)
    numbers = label(mask, grid, neighbours, connect_time)
    np.testing.assert_array_equal(numbers, flood(mask, neighbours, touching_on(grid), connect_time))


@pytest.mark.parametrize("connect_time", [False, True])
def test_a_region_across_greenwich_is_in_one_piece(connect_time):
    mask = noise(ACROSS_GREENWICH, 2, share=0.4)
    order = ACROSS_GREENWICH.eastward()[0]
    expected = flood(mask[..., order], 8, touching_on(ACROSS_GREENWICH, cyclic=False), connect_time)
    np.testing.assert_array_equal(label(mask, ACROSS_GREENWICH, 8, connect_time)[..., order], expected)


def test_inside_a_region_objects_are_those_of_scipy():
    grid = LatLonGrid(tuple(np.arange(60.0, 20, -1)), tuple(np.arange(100.0, 150)))
    mask = noise(grid, 1, share=0.45)[0]
    for neighbours, structure in ((8, np.ones((3, 3))), (4, None)):
        np.testing.assert_array_equal(label(mask, grid, neighbours), label_array(mask, structure)[0])


def test_cells_on_both_sides_of_a_pole_are_one_object():
    mask = np.zeros(WITH_POLES.shape, bool)
    mask[:2, [1, 7]] = True
    assert label(mask, WITH_POLES, 4).max() == label(mask, WITH_POLES).max() == 1
    mask[0] = False
    assert label(mask, WITH_POLES).max() == 2


def test_a_row_that_stops_short_of_the_pole_does_not_meet_there():
    grid = LatLonGrid((60.0, 50.0, 40.0), WITH_POLES.longitude)
    mask = np.zeros(grid.shape, bool)
    mask[0, [1, 7]] = True
    assert label(mask, grid).max() == 2


def test_members_are_apart_though_times_are_joined():
    mask = np.ones((2, 3, *WITH_POLES.shape), bool)
    numbers = label(mask, WITH_POLES, connect_time=True)
    assert (numbers[0] == 1).all() and (numbers[1] == 2).all()


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("grid", [WITH_POLES, WITHOUT, ACROSS_GREENWICH])
def test_time_after_time_the_same_objects_are_found_as_in_all_times_at_once(grid, neighbours):
    for seed in range(5):
        mask = noise(grid, 9, share=0.2, seed=seed)
        labeller = Labeller(grid, neighbours)
        provisional = np.stack([labeller.add(field) for field in mask])
        whole = label(mask, grid, neighbours, connect_time=True)
        numbers = labeller.final()[provisional]
        assert (numbers > 0).tolist() == mask.tolist() and numbers.max() == whole.max()
        assert len(np.unique(np.stack([numbers, whole])[:, mask], axis=1).T) == whole.max()


def test_an_empty_field_has_no_objects():
    empty = np.zeros(WITH_POLES.shape, bool)
    labeller = Labeller(WITH_POLES)
    assert not label(empty, WITH_POLES).any() and not labeller.add(empty).any()
    assert labeller.final().tolist() == [0]


@pytest.mark.parametrize(
    ("mask", "options", "message"),
    [
        (np.zeros((7, 12)), {}, "a mask is boolean, got float64"),
        (np.zeros((7, 11), bool), {}, r"the mask \[7, 11\] is not on the grid \[7, 12\]"),
        (np.zeros((7, 12), bool), {"neighbours": 6}, "4 or 8 neighbours, got 6"),
        (np.zeros((7, 12), bool), {"connect_time": True}, "no time to connect"),
    ],
)
def test_what_is_no_mask_of_the_grid_is_refused(mask, options, message):
    with pytest.raises(UserError, match=message):
        label(mask, WITH_POLES, **options)
