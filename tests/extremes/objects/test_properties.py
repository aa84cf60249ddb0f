"""Properties of objects against figures of the sphere, and against loops over cells."""

import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.extremes.objects import Gathering, Labeller, evolution, label, properties
from weatherml.grid import LatLonGrid

RADIUS = 6371.0
FINE, COARSE = LatLonGrid.regular(181, 360), LatLonGrid.regular(9, 14, poles=False)
LATITUDE, LONGITUDE = np.meshgrid(np.radians(FINE.latitude), np.radians(FINE.longitude), indexing="ij")


def distance(latitude, longitude, other_latitude, other_longitude):
    """Return the haversine distance of places in radians, km."""
    half = np.sin((latitude - other_latitude) / 2) ** 2
    half = half + np.cos(latitude) * np.cos(other_latitude) * np.sin((longitude - other_longitude) / 2) ** 2
    return 2 * RADIUS * np.arcsin(np.sqrt(half))


def cap(latitude, longitude, radius):
    """Return the cells within `radius` km of a place in degrees."""
    return distance(LATITUDE, LONGITUDE, np.radians(latitude), np.radians(longitude)) < radius


def of_one(mask):
    table = properties(label(mask, FINE), FINE)
    assert table.sizes["object"] == 1
    return {name: table[name].item() for name in table}


@pytest.mark.parametrize(("latitude", "longitude"), [(0, 180), (45, 0), (-60, 359), (84, 30), (-85, 200)])
def test_a_round_object_is_as_round_anywhere_on_the_sphere(latitude, longitude):
    found = of_one(cap(latitude, longitude, 1500))
    assert found["area"] == pytest.approx(2 * np.pi * RADIUS**2 * (1 - np.cos(1500 / RADIUS)), rel=0.01)
    centre = np.radians([found["latitude"], found["longitude"], latitude, longitude])
    assert distance(*centre) < 15 and 0 <= found["longitude"] < 360
    assert found["length"] == pytest.approx(3000, rel=0.02) and found["width"] == pytest.approx(3000, rel=0.02)
    assert found["extent"] == pytest.approx(3000, rel=0.04)


@pytest.mark.parametrize("bearing", [10, 45, 90, 135, 170])
@pytest.mark.parametrize(("latitude", "longitude"), [(0, 100), (55, 0)])
def test_the_axis_of_a_long_object_is_its_bearing(latitude, longitude, bearing):
    """Cells within 300 km of a great circle through the place, 1500 km to either side."""
    theta, centre = np.radians(bearing), np.radians(latitude)
    apart = LONGITUDE - np.radians(longitude)
    east = np.cos(LATITUDE) * np.sin(apart)
    north = np.cos(centre) * np.sin(LATITUDE) - np.sin(centre) * np.cos(LATITUDE) * np.cos(apart)
    forward = np.sin(centre) * np.sin(LATITUDE) + np.cos(centre) * np.cos(LATITUDE) * np.cos(apart)
    along, across = east * np.sin(theta) + north * np.cos(theta), east * np.cos(theta) - north * np.sin(theta)
    mask = (abs(along) < np.sin(1500 / RADIUS)) & (abs(across) < np.sin(300 / RADIUS)) & (forward > 0)
    found = of_one(mask)
    assert found["axis"] == pytest.approx(bearing, abs=1.5)
    # Of a rectangle the ellipse with its moments is longer by 2 / sqrt(3).
    assert found["length"] == pytest.approx(3000 * 2 / np.sqrt(3), rel=0.04)
    assert found["width"] == pytest.approx(600 * 2 / np.sqrt(3), rel=0.08)


def test_a_single_cell_has_its_own_extent():
    mask = np.zeros(FINE.shape, bool)
    mask[90, 17] = True
    found = of_one(mask)
    degree = np.radians(1) * RADIUS
    assert (found["length"], found["width"]) == pytest.approx((degree * 2 / np.sqrt(3),) * 2, rel=1e-3)
    assert (found["latitude"], found["longitude"], found["extent"]) == (0, 17, 0)


@pytest.mark.parametrize("seed", range(4))
def test_each_object_is_what_a_loop_over_its_cells_says(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((4, *COARSE.shape)) < 0.25
    values = rng.normal(size=mask.shape)
    days = np.datetime64("2015-06-30", "D") + np.arange(4)
    labels = label(mask, COARSE, connect_time=True)
    table = properties(labels, COARSE, values, days)
    areas = np.broadcast_to(COARSE.cell_areas()[:, None] * RADIUS**2, COARSE.shape)
    for row in range(table.sizes["object"]):
        own = labels == table["label"].values[row]
        covered = own.any(axis=0)
        times = np.flatnonzero(own.any(axis=(1, 2)))
        weights = np.broadcast_to(areas, own.shape)[own]
        found = table.isel(object=row)
        assert found["area"] == pytest.approx(areas[covered].sum())
        assert found["largest_area"] == pytest.approx(max((areas * field).sum() for field in own))
        assert found["mass"] == pytest.approx((values[own] * weights).sum())
        assert found["mean"] == pytest.approx(np.average(values[own], weights=weights))
        assert (found["maximum"], found["minimum"]) == (values[own].max(), values[own].min())
        assert (found["first_time"], found["last_time"]) == (days[times[0]], days[times[-1]])
        assert found["n_times"] == len(times)
        rows, columns = np.nonzero(covered)
        places = np.radians(COARSE.latitude)[rows], np.radians(COARSE.longitude)[columns]
        apart = distance(places[0][:, None], places[1][:, None], *places)
        assert found["extent"] == pytest.approx(apart.max(), abs=1e-3)


def test_time_after_time_objects_are_described_as_all_at_once():
    rng = np.random.default_rng(5)
    mask = rng.random((6, *COARSE.shape)) < 0.15
    values = rng.normal(size=mask.shape)
    labels = label(mask, COARSE, connect_time=True)
    labeller, gathering = Labeller(COARSE), Gathering(COARSE)
    for field, own in zip(mask, values, strict=True):
        gathering.add(labeller.add(field), own)
    by_number = properties(labels, COARSE, values).sortby(["area", "mass"]).drop_vars("label")
    streamed = gathering.properties(labeller.final()).sortby(["area", "mass"]).drop_vars("label")
    for name in by_number:
        np.testing.assert_allclose(streamed[name], by_number[name], rtol=1e-9, atol=1e-9, err_msg=name)
    assert gathering.evolution(labeller.final()).sizes == evolution(labels, COARSE, values).sizes


def test_the_evolution_says_each_time_of_an_object_apart():
    mask = np.stack([cap(50, 355, 800), cap(50, 5, 1200)])
    labels = label(mask, FINE, connect_time=True)
    rows = evolution(labels, FINE, 2.0 * mask)
    assert rows["label"].values.tolist() == [1, 1] and rows["time"].values.tolist() == [0, 1]
    np.testing.assert_allclose(rows["longitude"], [355, 5], atol=0.2)
    expected = 2 * np.pi * RADIUS**2 * (1 - np.cos(np.array([800, 1200]) / RADIUS))
    np.testing.assert_allclose(rows["area"], expected, rtol=0.02)
    np.testing.assert_allclose(rows["mass"], 2 * rows["area"])


def test_no_object_is_no_row():
    none = np.zeros(COARSE.shape, int)
    assert properties(none, COARSE, np.zeros(COARSE.shape)).sizes == {"object": 0}
    assert evolution(none[None], COARSE).sizes == {"record": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((3, 4), int), COARSE), r"labels \[3, 4\] are not \[time, lat, lon\] of the grid \[9, 14\]"),
        ((np.zeros((9, 14), int), COARSE, np.zeros((2, 9, 14))), r"values \[2, 9, 14\] are not of the shape"),
        ((np.zeros((2, 9, 14), int), COARSE, None, np.zeros(3, "M8[ns]")), "3 times of 2 fields"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        properties(*arguments)
