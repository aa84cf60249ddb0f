"""Places on the sphere, against closed forms."""

import numpy as np
import pytest

from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import (
    bearing,
    between,
    between_angles,
    destination,
    distance,
    mean_place,
    places,
    unit_vectors,
)

DEGREE = np.pi / 180 * EARTH_RADIUS


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        ((0, 0), (0, 1), DEGREE),
        ((0, 179.5), (0, -179.5), DEGREE),  # over the date line, of whichever turn
        ((89, 10), (89, 190), 2 * DEGREE),  # over the pole
        ((30, 0), (-30, 180), 180 * DEGREE),  # the antipode
        ((90, 0), (90, 77), 0),
        ((10, 20), (10 + 1e-7, 20), 1e-7 * DEGREE),
    ],
)
def test_distances_are_those_along_great_circles(one, other, km):
    np.testing.assert_allclose(distance(*one, *other), km, rtol=1e-7, atol=1e-9)


def test_distances_agree_with_the_law_of_cosines():
    rng = np.random.default_rng(0)
    north, south = rng.uniform(-90, 90, (2, 50))
    west, east = rng.uniform(-180, 360, (2, 50))
    cosine = np.sin(np.radians(north)) * np.sin(np.radians(south)) + np.cos(np.radians(north)) * np.cos(
        np.radians(south)
    ) * np.cos(np.radians(east - west))
    np.testing.assert_allclose(distance(north, west, south, east), EARTH_RADIUS * np.arccos(cosine), rtol=1e-9)


def test_bearings_are_clockwise_from_north():
    found = bearing(0, 0, [1, 0, -1, 0, 0], [0, 1, 0, -1, 0])
    np.testing.assert_allclose(found, [0, 90, 180, 270, np.nan], atol=1e-9)


def test_a_destination_lies_in_its_direction_at_its_distance():
    rng = np.random.default_rng(1)
    north, east = rng.uniform(-89, 89, 50), rng.uniform(0, 360, 50)
    direction, km = rng.uniform(0, 360, 50), rng.uniform(1, 15_000, 50)
    to = destination(north, east, direction, km)
    np.testing.assert_allclose(distance(north, east, *to), km, rtol=1e-9)
    np.testing.assert_allclose(bearing(north, east, *to), direction, rtol=1e-6)


def test_the_mean_of_places_around_the_date_line_lies_on_it():
    np.testing.assert_allclose(mean_place([10, 10], [179, 181]), (10.0015, 180), atol=1e-3)
    assert mean_place([80, 80, 80, 80], [0, 90, 180, 270])[0] == pytest.approx(90)
    assert mean_place([0, 0], [0, 90], [1, 0]) == (0, 0)


def test_places_come_back_from_their_directions():
    north, east = np.array([-90, -33.3, 0, 89.9]), np.array([0, 359.9, 180, 12])
    np.testing.assert_allclose(places(3 * unit_vectors(north, east)), (north, east), atol=1e-9)
    assert places([1, -1e-30, 0])[1] == 0


def test_half_of_the_way_is_the_middle_over_the_date_line_and_the_pole_too():
    np.testing.assert_allclose(between(0, 179, 0, -179, 0.5), (0, 180), atol=1e-9)
    np.testing.assert_allclose(between(80, 20, 80, 200, [0.25, 0.75]), ([85, 85], [20, 200]), atol=1e-6)
    np.testing.assert_allclose(between(10, 20, 10, 20, 0.3), (10, 20))


def test_from_a_pole_one_arrives_on_the_meridian_that_one_starts_along():
    north, east = destination(90, [0, 0, 30], [180, 100, 180], 111.19)
    assert north == pytest.approx(89, abs=1e-4)
    assert east == pytest.approx([0, 80, 30])
    assert bearing(90, 0, 89, 80) == pytest.approx(100)


def test_between_angles_the_shorter_way_is_gone():
    np.testing.assert_allclose(
        between_angles([350, 10, 90, 1], [10, 350, 180, 1], [0.25, 0.75, 0.5, 0.3]), [355, 355, 135, 1]
    )
