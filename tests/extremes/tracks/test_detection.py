"""Storms of one time: extrema, contours and centres against brute force and closed forms."""

import collections

import numpy as np
import pytest
import vortices
from scipy import ndimage

from weatherml.errors import UserError
from weatherml.extremes.tracks.detection import ClosedContour, Detection, Nearby, contours, detect, extrema
from weatherml.extremes.tracks.detection.refinement import centres
from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import bearing, destination, distance

PRESSURE = vortices.PRESSURE
DEGREE = 111.1949
GRIDS = {
    "poles": LatLonGrid.regular(25, 48),
    "no poles": LatLonGrid.regular(18, 36, poles=False),
    "gaussian": LatLonGrid.gaussian(20, 40),
    "region over Greenwich": LatLonGrid.from_coordinates(
        np.arange(60, 19, -2.5), np.concatenate([np.arange(0, 40, 2.5), np.arange(330, 360, 2.5)])
    ),
}


def noise(grid, seed=0):
    """Return a smooth random field; at poles it is the same in all columns."""
    field = ndimage.gaussian_filter(
        np.random.default_rng(seed).standard_normal(grid.shape), 1.5, mode=("nearest", "wrap")
    )
    for pole in (0, -1):
        if abs(grid.latitude[pole]) == 90:
            field[pole] = field[pole].mean()
    return field / field.std()


def closes(contour, field, cell, around):
    """Return whether a contour is fulfilled around one cell."""
    (fulfilled,) = contours.fulfilled(contour, field, np.array([cell]), np.ones(1), around)
    return bool(fulfilled)


def sides(around, row, column):
    """Give the cells that share a side with one; None beyond the edge of a region."""
    n_lat, n_lon = around.grid.shape
    cyclic = around.grid.is_cyclic
    for to_row, to_column in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
        if not 0 <= to_row < n_lat and cyclic:
            to_row, to_column = row, column + n_lon // 2
        if cyclic:
            to_column %= n_lon
        yield (to_row, to_column) if 0 <= to_row < n_lat and 0 <= to_column < n_lon else None


def is_closed(field, cell, least, reach, around):
    """Follow all paths over the whole grid, cell by cell."""

    centre = [float(own[0]) for own in centres(field, np.array([cell]), around)]

    def away(row, column):
        return float(distance(*centre, around.latitude[row], around.longitude[column])) / DEGREE

    seen, queue = {cell}, collections.deque([cell])
    while queue:
        own = queue.popleft()
        for other in sides(around, *own):
            if other is None:
                return False
            rise, far = field[other] - field[cell], away(*other)
            if far > reach:
                share = (reach - away(*own)) / (far - away(*own))
                if field[own] - field[cell] + share * (field[other] - field[own]) < least:
                    return False
            elif other not in seen and rise < least:
                seen.add(other)
                queue.append(other)
    return True


@pytest.mark.parametrize("name", GRIDS)
def test_contours_are_closed_where_no_path_of_cells_leads_out(name):
    around = Surroundings(GRIDS[name])
    field, rng = noise(around.grid), np.random.default_rng(1)
    cells = {(int(rng.integers(field.shape[0])), int(rng.integers(field.shape[1]))) for _ in range(120)}
    for least, reach in ((0.3, 20.0), (0.8, 30.0)):
        contour = ClosedContour("f", least, reach)
        own = {cell for cell in cells if closes(contour, field, cell, around)}
        assert own == {cell for cell in cells if is_closed(field, cell, least, reach, around)}
        assert 0 < len(own) < len(cells)


def test_a_fall_is_a_rise_of_the_negative_field():
    around = Surroundings(GRIDS["poles"])
    field = noise(around.grid)
    for cell in np.argwhere(field < -0.5).tolist()[::7]:
        rise, fall = ClosedContour("f", 0.5, 25.0), ClosedContour("f", -0.5, 25.0)
        assert closes(rise, field, cell, around) == closes(fall, -field, cell, around)


def test_an_offset_lets_the_contour_have_its_extremum_beside_the_candidate():
    around = Surroundings(vortices.GRIDS["no poles 2"])
    field = vortices.dent(around.grid, 31, 0.5)
    beside = (29, 1)  # 31 N, 2 E; the lowest point is at 31 N, 0 E
    assert field[29, 0] < field[beside]
    assert not closes(ClosedContour("f", 1950.0, 9.0), field, beside, around)
    assert closes(ClosedContour("f", 1950.0, 9.0, offset=2.5), field, beside, around)


def test_missing_values_close_nothing():
    around = Surroundings(vortices.GRIDS["no poles 2"])
    field = vortices.dent(around.grid, 31, 0.5)
    contour = ClosedContour("f", 200.0, 5.5)
    assert closes(contour, field, (29, 0), around)
    field[:, 1:4] = np.nan
    assert not closes(contour, field, (29, 0), around)


@pytest.mark.parametrize("name", GRIDS)
def test_extrema_are_lower_than_all_around_also_across_the_date_line_and_the_poles(name):
    around = Surroundings(GRIDS[name])
    field = noise(around.grid, seed=2)
    found = set(map(tuple, extrema.candidates(field, Detection("f", merge_distance=0), around).tolist()))
    expected = set()
    for row, column in np.ndindex(*field.shape):
        pole = abs(around.latitude[row]) == 90
        if pole and column:
            continue
        beside = list(sides(around, row, column))
        if pole:
            beside = [(1 if row == 0 else row - 1, other) for other in range(field.shape[1])]
        elif None not in beside:  # and the corners
            beside += [one for other in beside[:2] for one in list(sides(around, *other))[2:]]
        if None not in beside and all(field[row, column] < field[other] for other in beside):
            expected.add((row, column))
    assert found == expected
    assert len(found) > 3


@pytest.mark.parametrize("pole", [90, -90])
@pytest.mark.parametrize("name", [name for name, grid in GRIDS.items() if grid.is_cyclic])
def test_a_low_exactly_over_a_pole_is_one_low(name, pole):
    grid = GRIDS[name]
    fields = {"f": vortices.dent(grid, pole, 0, radius=1500).astype(np.float32)}
    row = 0 if pole > 0 else -1
    fields["f"][row] = fields["f"][row, 0]
    lows = Detection("f", merge_distance=0)
    for beside in (None, 7, grid.n_lon // 2 + 3):  # as it is, and with a cell that rounding has made higher
        if beside is not None and abs(grid.latitude[row]) < 90:
            fields["f"][row, beside] += 0.01
        found = detect(fields, lows, Surroundings(grid))
        assert len(found["latitude"]) >= 1
        assert (np.abs(found["latitude"] - pole) < grid.resolution).all()
        if beside is None:
            assert found["latitude"].tolist() == pytest.approx([pole], abs=0.05 * grid.resolution)


@pytest.mark.parametrize("places", [[(0, 3), (0, 21)], [(-1, 3), (-1, 21)], [(8, 0), (8, 35)], [(7, 4), (8, 5)]])
def test_of_two_equal_neighbours_one_is_a_low_also_over_a_pole_and_the_edge(places):
    grid = GRIDS["no poles"]
    field = np.random.default_rng(0).uniform(1, 2, grid.shape)
    for place in places:
        field[place] = 0.0
    found = extrema.candidates(field, Detection("f", intensity=0.0, merge_distance=0), Surroundings(grid))
    assert len(found) == 1
    assert tuple(found[0]) in {tuple(np.arange(own)[at] for own, at in zip(grid.shape, p, strict=True)) for p in places}


def test_what_is_the_same_all_around_is_no_low_but_over_a_pole():
    for grid in GRIDS.values():
        trough = np.broadcast_to(np.cos(6 * np.radians(grid.latitude))[:, None], grid.shape)  # low at 90, 30 N, S
        found = detect({"f": -trough}, Detection("f", merge_distance=0), Surroundings(grid))
        assert not len(found["latitude"])
        found = detect({"f": trough}, Detection("f", merge_distance=0), Surroundings(grid))
        assert found["latitude"].tolist() == pytest.approx([90, -90] if grid.is_cyclic else [], abs=0.5)


def test_a_field_without_weather_has_no_storms():
    for grid in vortices.GRIDS.values():
        fields = {PRESSURE: np.full(grid.shape, 101300, np.float32)}
        assert not len(detect(fields, Detection(contours=()), Surroundings(grid))["latitude"])
        fields = {PRESSURE: vortices.background(grid)}
        contour = ClosedContour(PRESSURE, 200.0, 5.5)
        assert not len(detect(fields, Detection(contours=(contour,)), Surroundings(grid))["latitude"])


def test_of_close_candidates_the_strongest_is_kept_in_whatever_order():
    values, latitude = np.array([3.0, 1.0, 2.0, 1.0, 5.0]), np.array([0.0, 4, 8, 8.5, 30])
    kept = extrema.merged(values, latitude, np.zeros(5), 6.0)
    assert kept.tolist() == [False, True, False, False, True]
    order = [4, 2, 0, 1, 3]
    assert extrema.merged(values[order], latitude[order], np.zeros(5), 6.0).tolist() == kept[order].tolist()


def test_cyclonic_extrema_have_the_sign_of_their_hemisphere():
    grid = LatLonGrid.regular(36, 72, poles=False)
    field = sum(
        1e-6 * sign * -vortices.dent(grid, north, 100, depth=50.0, radius=800)
        for north, sign in ((42.5, 1), (-42.5, -1), (-12.5, 1), (12.5, -1))
    )
    contour = ClosedContour("vorticity_850", -2e-5, 15.0)
    detection = Detection("vorticity_850", "cyclonic", intensity=3e-5, contours=(contour,))
    found = detect({"vorticity_850": field}, detection, Surroundings(grid))
    assert found["latitude"] == pytest.approx([42.5, -42.5], abs=0.1)
    assert (np.sign(found["vorticity_850"]) == [1, -1]).all()


@pytest.mark.parametrize("latitude", [0.3, -47.9, 75.2, 88.1, 89.6, -89.99, 90.0])
@pytest.mark.parametrize(
    "grid", [LatLonGrid.regular(181, 360), LatLonGrid.gaussian(160, 320)], ids=["regular", "gaussian"]
)
def test_centres_of_paraboloids_are_found_between_points_at_every_latitude(grid, latitude):
    east = 0.4 if latitude < 89 else 77.7
    away = distance(latitude, east, np.asarray(grid.latitude)[:, None], np.asarray(grid.longitude))
    towards = np.nan_to_num(bearing(latitude, east, np.asarray(grid.latitude)[:, None], np.asarray(grid.longitude)))
    field = 1e-2 * away**2 * (1 + 0.3 * np.cos(2 * np.radians(towards)))
    cell = np.asarray(np.unravel_index(field.argmin(), field.shape))[None]
    found = centres(field, cell, Surroundings(grid))
    assert distance(latitude, east, *found) < 0.05 * vortices.cell(grid)


def test_without_an_extremum_near_the_point_is_the_centre():
    around = Surroundings(vortices.GRIDS["regular 5"])
    slope = np.broadcast_to(np.asarray(around.grid.latitude)[:, None], around.grid.shape)
    assert np.ravel(centres(slope, np.array([[10, 3]]), around)).tolist() == pytest.approx([40.0, 15.0])


def test_what_is_nearby_is_taken_within_the_distance_over_the_pole():
    grid = LatLonGrid.regular(37, 72)
    wind = np.zeros(grid.shape)
    wind[1, 40] = 30.0  # 85 N, 200 E: ten degrees from 85 N, 20 E
    fields = {PRESSURE: vortices.dent(grid, 85, 20, radius=900), "10m_wind_speed": wind}
    for reach, fastest in ((10.1, 30.0), (9.9, 0.0)):
        near = Nearby("maximum_wind_speed", "10m_wind_speed", "maximum", reach)
        found = detect(fields, Detection(nearby=(near,)), Surroundings(grid))
        assert found["maximum_wind_speed"].tolist() == [fastest]
    mean = Nearby("mean_wind", "10m_wind_speed", "mean", 89.0, least=1e-6)
    assert 0 < detect(fields, Detection(nearby=(mean,)), Surroundings(grid))["mean_wind"][0] < 0.1
    weak = Nearby("maximum_wind_speed", "10m_wind_speed", "maximum", 9.9, least=10.0)
    assert not len(detect(fields, Detection(nearby=(weak,)), Surroundings(grid))["latitude"])


def test_a_storm_has_its_value_at_the_point_and_its_place_between_points():
    grid = vortices.GRIDS["regular 2.5"]
    north, east = destination(50, 0, 60, 90)
    found = detect({PRESSURE: vortices.dent(grid, north, east)}, Detection(), Surroundings(grid))
    assert distance(north, east, found["latitude"], found["longitude"])[0] < 0.2 * vortices.cell(grid)
    assert found[PRESSURE][0] == vortices.dent(grid, north, east).min()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: Detection(extremum="lowest"), "choose one"),
        (lambda: Detection(merge_distance=-1), "merge_distance"),
        (lambda: ClosedContour("f", 0, 5.5), "closes no contour"),
        (lambda: ClosedContour("f", 200, 550), "distance=550"),
        (lambda: Nearby("a", "b", "median"), "choose of"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(wrong, told):
    with pytest.raises(UserError, match=told):
        wrong()
