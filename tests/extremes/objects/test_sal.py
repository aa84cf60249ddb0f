"""SAL of idealized fields whose parts are known."""

import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.extremes.objects import Threshold, ensemble_sal, sal
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import distance

# Cells along the equator are as good as equal, so figures of the plane hold.
GRID = LatLonGrid(tuple(np.arange(2, -2.05, -0.1).round(1)), tuple(np.arange(100, 108.05, 0.1).round(1)))
SIZE = distance(2, 100, -2, 108)
CELL = distance(0, 100, 0, 100.1)


def rain(*objects, base=0.0):
    """Return a field of boxes: (row, column, rows, columns, amount) around a middle cell."""
    field = np.full(GRID.shape, base)
    for row, column, height, width, amount in objects:
        field[row - height // 2 : row + height // 2 + 1, column - width // 2 : column + width // 2 + 1] = amount
    return field


ONE = rain((20, 40, 5, 5, 0.01))


def test_a_perfect_forecast_has_no_error():
    found = sal(ONE, ONE, GRID)
    assert (found.structure, found.amplitude, found.location) == (0, 0, 0)


@pytest.mark.parametrize(("factor", "amplitude"), [(1.5, 0.4), (2, 2 / 3), (3, 1.0), (1 / 3, -1.0)])
def test_amplitudes_are_those_that_the_paper_names(factor, amplitude):
    """A of 0.4, 2/3 and 1 are factors of 1.5, 2 and 3; a factor alone leaves structure and location as they are."""
    found = sal(factor * ONE, ONE, GRID)
    assert found.amplitude == pytest.approx(amplitude)
    assert (found.structure, found.location) == pytest.approx((0, 0), abs=1e-12)


def test_a_displaced_object_is_an_error_of_place_alone():
    found = sal(rain((20, 50, 5, 5, 0.01)), ONE, GRID)
    assert found.centre == pytest.approx(10 * CELL / SIZE, rel=1e-3) and found.scatter == pytest.approx(0, abs=1e-9)
    assert (found.structure, found.amplitude) == pytest.approx((0, 0), abs=1e-9)


def test_a_wide_flat_object_has_too_much_structure_and_a_peaked_one_too_little():
    """V of a box is its area: 15 x 5 against 5 x 5 cells are S = 2 (3 - 1) / (3 + 1) = 1, at the same total amount."""
    wide = rain((20, 40, 5, 15, 0.01 / 3))
    assert sal(wide, ONE, GRID).structure == pytest.approx(1, abs=1e-3)
    assert sal(ONE, wide, GRID).structure == pytest.approx(-1, abs=1e-3)
    assert sal(wide, ONE, GRID).amplitude == pytest.approx(0, abs=1e-9)


def test_objects_around_the_same_centre_differ_by_their_scatter_alone():
    """Two objects 20 cells apart, and two 10 cells apart: r is 10 and 5 cells, L2 twice the difference by the size."""
    far = rain((20, 30, 3, 3, 0.01), (20, 50, 3, 3, 0.01))
    near = rain((20, 35, 3, 3, 0.01), (20, 45, 3, 3, 0.01))
    found = sal(far, near, GRID)
    assert found.centre == pytest.approx(0, abs=1e-9)
    assert found.scatter == found.location == pytest.approx(2 * 5 * CELL / SIZE, rel=1e-3)
    assert (found.structure, found.amplitude) == pytest.approx((0, 0), abs=1e-9)


def test_a_pair_turned_about_its_centre_is_no_error_of_place():
    """The paper says so: SAL asks neither for the direction of objects nor for where each of them is."""
    turned = rain((10, 40, 3, 3, 0.01), (30, 40, 3, 3, 0.01))
    found = sal(rain((20, 30, 3, 3, 0.01), (20, 50, 3, 3, 0.01)), turned, GRID)
    assert found.location == pytest.approx(0, abs=1e-4)


def test_objects_are_weighed_by_their_mass():
    """By hand: masses 75 and 25 of objects with 25 cells each: V is 25 cells, r follows from the centre of mass."""
    both = rain((20, 30, 5, 5, 0.003), (20, 50, 5, 5, 0.001))
    found = sal(both, ONE, GRID)
    assert found.structure == pytest.approx(0, abs=1e-3)
    r = (0.75 * 5 + 0.25 * 15) * CELL
    assert found.centre == pytest.approx(5 * CELL / SIZE, rel=1e-3)
    assert found.scatter == pytest.approx(2 * r / SIZE, rel=1e-3)


def test_the_threshold_is_a_fifteenth_of_the_95th_percentile_of_wet_cells():
    field = np.zeros(GRID.shape)
    field[5, :50] = np.linspace(0.001, 0.05, 50)
    field[9, 9] = 1.0
    wet = np.append(field[5, :50], 1.0)
    assert Threshold().of(field) == pytest.approx(np.percentile(wet, 95) / 15)
    assert Threshold(highest="maximum").of(field) == pytest.approx(1 / 15)
    assert Threshold().of(np.zeros(GRID.shape)) == np.inf


def test_of_a_dry_field_the_amplitude_alone_is_known():
    dry = np.zeros(GRID.shape)
    found = sal(dry, ONE, GRID)
    assert found.amplitude == -2 and np.isnan([found.structure, found.location]).all()
    assert np.isnan(sal(dry, dry, GRID).amplitude)


def test_a_region_across_greenwich_is_as_any_other():
    grid = LatLonGrid(GRID.latitude, tuple(np.sort((np.array(GRID.longitude) - 104) % 360)))
    order = np.argsort((np.array(GRID.longitude) - 104) % 360)
    wide = rain((20, 41, 5, 15, 0.01))
    there = sal(wide[:, order], ONE[:, order], grid)
    here = sal(wide, ONE, GRID)
    np.testing.assert_allclose(list(vars(there).values()), list(vars(here).values()), atol=1e-9)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (np.zeros((3, 4)), "is not on the grid"),
        (np.where(ONE > 0, np.nan, ONE), "missing at 25 of 3321 cells"),
        (ONE - 0.005, "amounts down to -0.005"),
    ],
)
def test_what_is_no_field_of_amounts_is_refused(field, message):
    with pytest.raises(UserError, match=message):
        sal(field, ONE, GRID)
    with pytest.raises(UserError, match="no threshold of SAL"):
        Threshold(factor=15)


MEMBERS = [rain((20, 50, 5, 5, 0.01)), rain((20, 40, 5, 15, 0.02), (30, 20, 5, 5, 0.01)), rain((10, 40, 3, 3, 0.02))]
OTHER = rain((20, 40, 5, 5, 0.01), (20, 60, 5, 5, 0.01))


@pytest.mark.parametrize("member", MEMBERS)
def test_an_ensemble_of_one_has_the_sal_of_its_member(member):
    assert vars(ensemble_sal([member], OTHER, GRID)) == pytest.approx(vars(sal(member, OTHER, GRID)), abs=1e-9)


def test_an_ensemble_is_judged_by_means_of_members_and_the_crps_of_scatter():
    """By boxes: amounts, their sizes (V of an object is its area), and distances from the centre of mass, each by hand;
    the CRPS is the integral of squared differences of distributions."""
    found = ensemble_sal(MEMBERS, OTHER, GRID)
    amounts = np.array([25 * 1, 75 * 2 + 25 * 1, 9 * 2])
    assert found.amplitude == pytest.approx(2 * (amounts.mean() - 50) / (amounts.mean() + 50), rel=1e-3)
    volume = np.mean([25, (150 * 75 + 25 * 25) / 175, 9])
    assert found.structure == pytest.approx(2 * (volume - 25) / (volume + 25), rel=1e-3)
    second = np.array([(150 * 20 + 25 * 30) / 175, (150 * 40 + 25 * 20) / 175])
    middle = np.mean([[20, 50], second, [10, 40]], axis=0)
    assert found.centre == pytest.approx(np.hypot(*(middle - [20, 50])) * CELL / SIZE, rel=2e-3)
    apart = [np.hypot(*(np.array(place) - second)) for place in ([20, 40], [30, 20])]
    scatters = np.array([0, (150 * apart[0] + 25 * apart[1]) / 175, 0])
    at = np.linspace(0, 40, 400_001)
    squared = ((scatters[:, None] <= at).mean(axis=0) - (at >= 10)) ** 2
    crps = np.sum(squared) * (at[1] - at[0])
    assert found.scatter == pytest.approx(2 * crps * CELL / SIZE, rel=2e-3)
    assert found.location == pytest.approx(found.centre + found.scatter)


def test_of_an_ensemble_dry_members_count_for_the_amplitude_alone():
    dry = rain()
    found, wet = ensemble_sal([MEMBERS[0], dry], OTHER, GRID), sal(MEMBERS[0], OTHER, GRID)
    assert (found.structure, found.location) == pytest.approx((wet.structure, wet.location))
    assert found.amplitude == pytest.approx(2 * (12.5 - 50) / 62.5, rel=1e-3)
    none = ensemble_sal([dry, dry], OTHER, GRID)
    assert none.amplitude == -2 and np.isnan([none.structure, none.location, none.scatter]).all()
    assert np.isnan(ensemble_sal(MEMBERS, dry, GRID).structure)
    with pytest.raises(UserError, match="an ensemble of no members has no SAL"):
        ensemble_sal([], OTHER, GRID)
    with pytest.raises(UserError, match="forecast of member 1 is missing at 41 of"):
        ensemble_sal([dry, np.where(np.arange(81) == 3, np.nan, dry)], OTHER, GRID)
