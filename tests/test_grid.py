"""Laws of grids: order, exact areas, equality across files."""

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

GLOBAL_GRIDS = (
    LatLonGrid.regular(19, 36),
    LatLonGrid.regular(18, 36, poles=False),
    LatLonGrid.gaussian(32, 64),
    LatLonGrid.regular(721, 1440),
)


@pytest.mark.parametrize("grid", GLOBAL_GRIDS, ids=lambda g: str(g.shape))
def test_cells_of_a_global_grid_tile_the_sphere(grid):
    assert grid.is_global
    np.testing.assert_allclose(grid.cell_areas().sum() * grid.n_lon, 4 * np.pi, rtol=1e-12)


def test_a_pole_row_has_the_area_of_its_cap():
    grid = LatLonGrid.regular(721, 1440)
    cap = 2 * np.pi * (1 - np.cos(np.radians(0.125)))
    np.testing.assert_allclose(grid.cell_areas()[[0, -1]] * 1440, cap, rtol=1e-9)


def test_cell_area_equals_the_integral_over_the_cell():
    grid = LatLonGrid.gaussian(8, 5)
    edges = np.concatenate([[90], (np.array(grid.latitude)[:-1] + np.array(grid.latitude)[1:]) / 2, [-90]])
    fine = [np.linspace(low, high, 20001) for high, low in itertools.pairwise(edges)]
    expected = [np.trapezoid(np.cos(np.radians(x)), np.radians(x)) * 2 * np.pi / 5 for x in fine]
    np.testing.assert_allclose(grid.cell_areas(), expected, rtol=1e-7)


def test_area_weights_average_to_one():
    assert LatLonGrid.gaussian(12, 24).area_weights().mean() == pytest.approx(1)


def test_a_region_ends_half_a_spacing_beyond_its_rows():
    grid = LatLonGrid.from_coordinates(np.array([55.0, 54.0, 53.0]), np.array([6.0, 8.0]))
    assert not grid.is_global
    band = np.sin(np.radians([55.5, 54.5])) - np.sin(np.radians([54.5, 53.5]))
    np.testing.assert_allclose(grid.cell_areas()[:2], band * np.radians(2), rtol=1e-12)


def test_float32_and_float64_coordinates_give_the_same_grid():
    exact = LatLonGrid.gaussian(48, 96)
    rounded = LatLonGrid.from_coordinates(np.float32(exact.latitude), np.float32(exact.longitude))
    assert rounded == exact
    assert hash(rounded) == hash(exact)


@given(st.integers(2, 40), st.integers(2, 40), st.booleans())
def test_a_grid_survives_the_way_through_a_dataset(n_lat, n_lon, poles):
    grid = LatLonGrid.regular(n_lat, n_lon, poles)
    dataset = xr.Dataset(coords={"latitude": list(grid.latitude), "longitude": list(grid.longitude)})
    assert LatLonGrid.from_dataset(dataset) == grid


@pytest.mark.parametrize(
    ("latitude", "longitude", "message"),
    [
        ((-90.0, 0.0, 90.0), (0.0, 120.0, 240.0), "latitude must run north to south, got -90.0 .. 90.0"),
        ((90.0, 0.0, -90.0), (-180.0, 0.0), "longitude must lie in"),
        ((90.0, 0.0, -90.0), (0.0, 240.0, 120.0), "longitude must run eastward"),
        ((91.0, 0.0), (0.0, 120.0), "latitude must lie within"),
        ((), (0.0,), "latitude is empty"),
    ],
)
def test_a_grid_out_of_order_is_refused(latitude, longitude, message):
    with pytest.raises(UserError, match=message):
        LatLonGrid(latitude, longitude)
