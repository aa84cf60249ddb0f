"""Random fields on the sphere, judged by their exact covariance rather than by samples."""

import jax
import numpy as np
import pytest

from weatherml.forecast.spherical import EARTH_RADIUS, RandomField, highest_degree
from weatherml.grid import LatLonGrid

GRID = LatLonGrid.regular(13, 24)
LENGTH = 2000.0


def covariance(grid, length):
    """Exact covariance between all points, `[point, point]`: each coefficient has variance 1."""
    field = RandomField.build(grid, length)
    responses = np.einsum("mly,pmx->pmlyx", field.legendre, field.zonal).reshape(-1, grid.n_lat * grid.n_lon)
    return responses.T @ responses


def angles(grid):
    """Great-circle angle between all points, `[point, point]`."""
    lat, lon = np.meshgrid(np.radians(grid.latitude), np.radians(grid.longitude), indexing="ij")
    place = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]).reshape(3, -1)
    return np.arccos(np.clip(place.T @ place, -1, 1))


def test_variance_is_one_everywhere():
    np.testing.assert_allclose(np.diag(covariance(GRID, LENGTH)), 1, atol=1e-5)


def test_covariance_depends_on_distance_alone():
    angle, values = angles(GRID).ravel(), covariance(GRID, LENGTH).ravel()
    order = np.argsort(angle)
    near = np.diff(angle[order]) < 1e-6
    assert near.sum() > 1000
    np.testing.assert_allclose(np.diff(values[order])[near], 0, atol=1e-4)


def test_covariance_is_gaussian_in_distance():
    angle = angles(GRID)
    close = angle * EARTH_RADIUS < 2 * LENGTH
    expected = np.exp(-0.5 * (angle * EARTH_RADIUS / LENGTH) ** 2)
    np.testing.assert_allclose(covariance(GRID, LENGTH)[close], expected[close], atol=0.02)


def test_grid_limits_the_highest_degree():
    assert highest_degree(GRID, 10.0) == 12
    assert highest_degree(GRID, 4 * EARTH_RADIUS) == 1


def test_regional_fields_are_a_part_of_global_ones():
    region = LatLonGrid(GRID.latitude[2:7], GRID.longitude[4:10])
    points = np.arange(13 * 24).reshape(13, 24)[2:7, 4:10].ravel()
    np.testing.assert_allclose(covariance(region, LENGTH), covariance(GRID, LENGTH)[np.ix_(points, points)], atol=1e-5)


def test_draws_have_the_stated_covariance():
    field = RandomField.build(GRID, LENGTH)
    draws = np.asarray(field.draw(jax.random.key(3), 3000))
    assert draws[:, 6, 5].std() == pytest.approx(1, rel=0.05)
    expected = covariance(GRID, LENGTH)[6 * 24 + 5, 6 * 24 + 6]
    assert np.mean(draws[:, 6, 5] * draws[:, 6, 6]) == pytest.approx(expected, abs=0.06)
