import numpy as np
import pytest
import xarray as xr
from shapely import Point
from shapely.ops import polygonize, unary_union

from weatherml.plot.coastlines import coastlines


@pytest.mark.parametrize(
    ("latitude", "longitude", "is_land"),
    [(-25, 134, True), (64, -19, True), (-19, 46.5, True), (-40, 90, False), (30, -150, False), (-10, 5, False)],
)
def test_coastlines_enclose_the_land(latitude, longitude, is_land):
    land = unary_union(list(polygonize(coastlines())))
    assert land.contains(Point(longitude, latitude)) == is_land


def test_coastlines_lie_where_land_meets_sea_in_era5(shared):
    with xr.open_dataset(shared("reference/statics/era5_land_sea_mask_0p25deg.nc")) as file:
        mask = next(v for v in file.data_vars.values() if v.ndim >= 2).squeeze().values > 0.5
    points = np.concatenate([np.array(line.coords) for line in coastlines().geoms])
    points = points[np.abs(points[:, 1]) < 60]  # ice shelves have a coast of their own
    row, column = np.round((90 - points[:, 1]) * 4).astype(int), np.round(points[:, 0] * 4).astype(int)
    around = [mask[row + i, (column + j) % 1440] for i in range(-2, 3) for j in range(-2, 3)]
    is_coast = np.any(around, axis=0) & ~np.all(around, axis=0)
    assert is_coast.mean() > 0.9
