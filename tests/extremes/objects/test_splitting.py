"""Objects that split or merge in time are one: followed time after time, against a flood fill over cells and times."""

import numpy as np
import pytest

from weatherml.extremes.objects import Following
from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS

GRID = LatLonGrid(tuple(np.arange(50.0, 38, -2)), tuple(np.arange(0.0, 24, 2)))
TIMES = np.datetime64("2020-01-01", "ns") + np.arange(4) * np.timedelta64(6, "h")


def planted():
    """One that splits in two, beside one that begins alone and merges with a part of it; and one that stays alone."""
    mask = np.zeros((4, *GRID.shape), bool)
    mask[0, 2, 3:5] = mask[1, 2, 2:6] = True
    mask[2, 2, [1, 2, 5, 6]] = mask[3, 2, [0, 1, 6, 7]] = True
    mask[2, 2, 9] = mask[3, 2, 8] = True
    mask[:2, 5, 10] = True
    return mask


def flooded(mask):
    """Number cells that touch each other, 26 around one, one by one."""
    left, found = {tuple(map(int, place)) for place in np.argwhere(mask)}, []
    while left:
        reached, todo = set(), [min(left)]
        while todo:
            cell = todo.pop()
            if cell in left:
                left.remove(cell)
                reached.add(cell)
                todo += [tuple(cell[i] + step[i] - 1 for i in range(3)) for step in np.ndindex(3, 3, 3)]
        found.append(reached)
    return found


@pytest.mark.parametrize("mask", [planted(), planted()[::-1]])
def test_what_splits_or_merges_is_one_object_of_all_its_parts(mask):
    following = Following(GRID)
    labels = np.stack([following.add(own, own.astype(float), time) for own, time in zip(mask, TIMES, strict=True)])
    labels, table = following.final()[labels], following.table()
    found = flooded(mask)
    assert table.sizes["object"] == len(found) == 2
    areas = EARTH_RADIUS**2 * np.broadcast_to(GRID.cell_areas()[:, None], GRID.shape)
    for number, cells in zip(table["label"].values, found, strict=True):
        assert {tuple(map(int, place)) for place in np.argwhere(labels == number)} == cells
        own = table.isel(object=int(np.flatnonzero(table["label"].values == number)[0]))
        assert own["volume"] == pytest.approx(sum(areas[row, column] for _, row, column in cells))
        assert own["area"] == pytest.approx(sum(areas[place] for place in {cell[1:] for cell in cells}))
        assert own["first_time"] == TIMES[min(cell[0] for cell in cells)]
        assert own["last_time"] == TIMES[max(cell[0] for cell in cells)]
