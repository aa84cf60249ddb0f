from functools import cache

import numpy as np
import pytest
import xarray as xr
from shapely import Point
from shapely.ops import polygonize, unary_union

from weatherml.plot.maps.coastlines import coastlines, coastlines_within, fine_coastlines


@cache
def land_of(lines):
    return unary_union(list(polygonize(lines())))


BOTH = pytest.mark.parametrize("lines", [coastlines, fine_coastlines])


@pytest.mark.parametrize(
    ("latitude", "longitude", "is_land"),
    [(-25, 134, True), (64, -19, True), (-19, 46.5, True), (-40, 90, False), (30, -150, False), (-10, 5, False)],
)
@BOTH
def test_coastlines_enclose_the_land(lines, latitude, longitude, is_land):
    assert land_of(lines).contains(Point(longitude, latitude)) == is_land


@BOTH
def test_coastlines_lie_where_land_meets_sea_in_era5(shared, lines):
    with xr.open_dataset(shared("reference/statics/era5_land_sea_mask_0p25deg.nc")) as file:
        mask = next(v for v in file.data_vars.values() if v.ndim >= 2).squeeze().values > 0.5
    points = np.concatenate([np.array(line.coords) for line in lines().geoms if line.length > 3])  # not of islets
    points = points[np.abs(points[:, 1]) < 60]  # ice shelves have a coast of their own
    row, column = np.round((90 - points[:, 1]) * 4).astype(int), np.round(points[:, 0] * 4).astype(int)
    around = [mask[row + i, (column + j) % 1440] for i in range(-2, 3) for j in range(-2, 3)]
    is_coast = np.any(around, axis=0) & ~np.all(around, axis=0)
    assert is_coast.mean() > 0.9


@BOTH
def test_no_line_crosses_the_map_or_runs_along_its_edge(lines):
    steps = np.concatenate([np.diff(np.array(line.coords), axis=0) for line in lines().geoms])
    assert np.abs(steps).max() < 20
    assert all(abs(longitude) < 180 or latitude > -89 for line in lines().geoms for longitude, latitude in line.coords)


def test_coasts_of_a_region_lie_within_it_also_across_the_date_line():
    for west in (170, -190):
        lines = coastlines_within(west, west + 20, -20, -15)
        points = np.concatenate([np.array(line.coords) for line in lines.geoms])
        assert points[:, 0].min() < west + 8 and points[:, 0].max() > west + 10, (
            "both sides of the date line have islands"
        )
        assert (np.abs(points - (west + 10, -17.5)) <= (10, 2.5)).all()


def test_a_map_of_a_region_has_islands_that_a_map_of_a_hemisphere_has_no_room_for():
    def has_mallorca(west, east):
        lines = coastlines_within(west, east, 30, 50)
        return any(line.distance(Point(3, 39.6)) < 0.7 for line in lines.geoms)

    assert has_mallorca(-10, 20) and not has_mallorca(-60, 100)
