"""Laws of grids: order, exact areas, equality across files."""

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
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


@st.composite
def known_grids(draw):
    """Return regular and Gaussian grids, whole or a window of them, which may lie across 0 degrees east."""
    n_lat, n_lon = draw(st.integers(2, 200)), draw(st.integers(2, 500))
    kind = draw(st.sampled_from(["poles", "cells", "gaussian"]))
    is_gaussian = kind == "gaussian"
    grid = LatLonGrid.gaussian(n_lat, n_lon) if is_gaussian else LatLonGrid.regular(n_lat, n_lon, kind == "poles")
    if draw(st.booleans()):
        return grid
    rows = slice(0, draw(st.integers(1, n_lat))) if not is_gaussian else slice(None)
    columns = np.sort(np.arange(draw(st.integers(0, n_lon)), n_lon + draw(st.integers(1, n_lon))) % n_lon)
    longitude = np.unique(np.array(grid.longitude)[columns])
    return LatLonGrid.from_coordinates(np.array(grid.latitude)[rows], longitude)


@settings(max_examples=50)
@given(known_grids(), st.sampled_from([np.float32, lambda x: np.round(x, 6), lambda x: np.round(x, 4)]))
def test_a_known_grid_is_the_same_in_every_precision(grid, rounding):
    found = LatLonGrid.from_coordinates(rounding(np.array(grid.latitude)), rounding(np.array(grid.longitude)))
    assert found == grid


@settings(max_examples=30)
@given(st.integers(2, 60), st.integers(2, 300), st.integers(0, 2**32 - 1))
def test_a_known_grid_is_the_same_whatever_the_last_digits_of_its_exact_coordinates(n_lat, n_lon, seed):
    noise = np.random.default_rng(seed).uniform(-2e-6, 2e-6, n_lat + n_lon)
    latitude = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(n_lat)[0][::-1])) + noise[:n_lat]
    longitude = (np.arange(n_lon) + 0.5) * 360 / n_lon + noise[n_lat:]
    assert LatLonGrid.from_coordinates(latitude, longitude).latitude == LatLonGrid.gaussian(n_lat, 2).latitude
    assert LatLonGrid.from_coordinates(latitude, longitude).longitude == pytest.approx(longitude, abs=6e-5)
    again = LatLonGrid.from_coordinates(latitude, longitude - 1e-6)
    assert again.longitude == LatLonGrid.from_coordinates(latitude, longitude).longitude


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=30), st.floats(-0.009, 0.009))
def test_grids_apart_by_less_than_a_hundredth_of_the_spacing_are_the_same(gaps, share):
    """Of any grid, also one that is not known: a stretched one, or rows of a Gaussian one."""
    gaps = np.array(gaps)
    latitude = 80 - np.cumsum([0, *gaps])
    grid = LatLonGrid(tuple(latitude), (0.0, 1.0))
    moved = LatLonGrid(tuple(latitude + share * gaps.min()), (0.0, 1.0))
    assert grid.is_same(moved) and moved.is_same(grid)
    shifted = LatLonGrid(tuple(latitude + max(0.02 * gaps.min(), 5e-4)), (0.0, 1.0))
    assert not grid.is_same(shifted)


@settings(max_examples=50)
@given(known_grids(), st.data())
def test_a_part_of_a_grid_is_found_where_it_was_cut_out(grid, data):
    rows = np.sort(data.draw(st.lists(st.integers(0, grid.n_lat - 1), min_size=1, unique=True)))
    columns = np.sort(data.draw(st.lists(st.integers(0, grid.n_lon - 1), min_size=1, unique=True)))
    latitude, longitude = np.array(grid.latitude)[rows], np.array(grid.longitude)[columns]
    part = LatLonGrid(tuple(0.999999 * latitude), tuple(0.999999 * longitude))
    found = part.places_in(grid)
    np.testing.assert_array_equal(found[0], rows)
    np.testing.assert_array_equal(found[1], columns)
    assert LatLonGrid(part.latitude, (359.99987,)).places_in(grid) is None


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
