"""Random fields on the sphere, judged by their exact covariance rather than by samples."""

import jax
import numpy as np
import pytest
import scipy.special

from weatherml.grid import LatLonGrid
from weatherml.models.noise.random_field import EARTH_RADIUS, RandomField, highest_degree

GRID = LatLonGrid.regular(13, 24)
LENGTH = 2000.0


SMOOTHNESS = pytest.mark.parametrize("smoothness", [None, 2.5, 1.5])


def responses(grid, length, smoothness=None):
    """Field of each coefficient alone, `[coefficient, point]`."""
    field = RandomField.build(grid, length, smoothness)
    fields = np.einsum("mly,pmx->pmlyx", field.legendre, field.zonal)
    return fields.reshape(-1, grid.n_lat * grid.n_lon)


def covariance(grid, length, smoothness=None):
    """Exact covariance between all points, `[point, point]`: each coefficient has variance 1."""
    fields = responses(grid, length, smoothness)
    return fields.T @ fields


def places(grid):
    """Unit vectors of all points, `[xyz, point]`."""
    lat, lon = np.meshgrid(np.radians(grid.latitude), np.radians(grid.longitude), indexing="ij")
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]).reshape(3, -1)


def angles(grid, other=None):
    """Great-circle angle between all points, `[point, point]`."""
    return np.arccos(np.clip(places(grid).T @ places(other or grid), -1, 1))


def matern(distance, length, smoothness):
    """Whittle and Matérn's covariance in the plane."""
    if smoothness is None:
        return np.exp(-0.5 * (distance / length) ** 2)
    r = np.sqrt(2 * smoothness) * np.maximum(distance, 1e-9) / length
    return 2 ** (1 - smoothness) / scipy.special.gamma(smoothness) * r**smoothness * scipy.special.kv(smoothness, r)


@SMOOTHNESS
def test_variance_is_one_everywhere(smoothness):
    np.testing.assert_allclose(np.diag(covariance(GRID, LENGTH, smoothness)), 1, atol=1e-5)


@SMOOTHNESS
def test_covariance_depends_on_distance_alone(smoothness):
    angle, values = angles(GRID).ravel(), covariance(GRID, LENGTH, smoothness).ravel()
    order = np.argsort(angle)
    near = np.diff(angle[order]) < 1e-6
    assert near.sum() > 1000
    np.testing.assert_allclose(np.diff(values[order])[near], 0, atol=1e-4)


@SMOOTHNESS
def test_covariance_is_that_of_matern_where_the_length_is_small_against_the_earth(smoothness):
    pole = LatLonGrid(tuple(np.arange(90.0, 69, -3)), (0.0, 1.0, 90.0, 200.0))
    distance = angles(pole) * EARTH_RADIUS
    np.testing.assert_allclose(covariance(pole, 700, smoothness), matern(distance, 700, smoothness), atol=0.01)


@SMOOTHNESS
def test_covariance_is_the_legendre_series_of_its_spectrum(smoothness):
    degrees = np.arange(highest_degree(GRID, LENGTH, smoothness) + 1)
    squared = degrees * (degrees + 1) * (LENGTH / EARTH_RADIUS) ** 2
    power = np.exp(-squared / 2) if smoothness is None else (2 * smoothness + squared) ** -(smoothness + 1)
    power = power * (2 * degrees + 1)
    series = np.polynomial.legendre.legval(np.cos(angles(GRID)), power / power.sum())
    np.testing.assert_allclose(covariance(GRID, LENGTH, smoothness), series, atol=2e-5)


def test_grids_that_resolve_the_length_see_one_field():
    coarse, fine = LatLonGrid.regular(34, 48, poles=False), LatLonGrid.regular(45, 90)
    across = responses(coarse, LENGTH).T[::37] @ responses(fine, LENGTH)
    expected = matern(angles(coarse, fine)[::37] * EARTH_RADIUS, LENGTH, None)
    np.testing.assert_allclose(across, expected, atol=0.01)


def test_grid_limits_the_highest_degree():
    assert highest_degree(GRID, 10.0) == 12
    assert highest_degree(GRID, 4 * EARTH_RADIUS) == 1


def test_rougher_fields_need_higher_degrees():
    fine = LatLonGrid.regular(721, 1440)
    assert [highest_degree(fine, 1000.0, smoothness) for smoothness in (None, 1e6, 4.0, 1.5)] == [26, 26, 46, 159]
    assert highest_degree(fine, 1000.0, 0.05) == 720


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
