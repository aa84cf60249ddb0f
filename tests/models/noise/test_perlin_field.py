"""Fractal gradient noise, judged by an evaluation node by node and by its exact moments."""

import jax
import numpy as np
import pytest

from weatherml.grid import LatLonGrid
from weatherml.models.noise.perlin_field import PerlinField

GRID = LatLonGrid.regular(19, 28)


def responses(field):
    """What a unit gradient at each node adds to the noise, `[octave][axis, node row, node column, lat, lon]`."""
    axes = [np.einsum("dpy,dqx->dpqyx", octave.rows[::-1], octave.columns) for octave in field.octaves]
    return [np.asarray(axis) for axis in axes]


def variance(field):
    """Exact variance at every point: a component of a random unit vector has variance 1/2."""
    return sum(0.5 * (own**2).sum((0, 1, 2)) for own in responses(field))


def test_noise_of_one_cell_is_that_of_the_formula():
    grid = LatLonGrid((81.0,), (20.0,))  # at (0.1, 0.0556) of the first cell of two periods
    [(rows, columns)] = [(o.rows, o.columns) for o in PerlinField.build(grid, 2, 1, 0.5).octaves]
    u, v = 20 / 180, 9 / 90
    fade = {0: lambda t: 1 - (6 * t**5 - 15 * t**4 + 10 * t**3), 1: lambda t: 6 * t**5 - 15 * t**4 + 10 * t**3}
    for p in (0, 1):
        for q in (0, 1):
            weight = np.sqrt(2) * fade[p](v) * fade[q](u)
            assert rows[1, p, 0] * columns[0, q, 0] == pytest.approx(weight * (v - p), rel=1e-5)
            assert rows[0, p, 0] * columns[1, q, 0] == pytest.approx(weight * (u - q), rel=1e-5)


@pytest.mark.parametrize(("periods", "octaves", "persistence"), [(3, 1, 0.5), (2, 3, 0.4)])
def test_mean_is_zero_and_variance_is_known(periods, octaves, persistence):
    field = PerlinField.build(GRID, periods, octaves, persistence)
    draws = np.asarray(field.draw(jax.random.key(1), 4000))
    expected = variance(field)
    assert np.abs(draws.mean(0)).max() < 0.04
    np.testing.assert_allclose(draws.var(0), expected, atol=0.02)


def test_each_octave_adds_its_share_of_variance():
    fine = LatLonGrid.regular(80, 96, poles=False)
    alone = [variance(PerlinField.build(fine, periods, 1, 0.5)).mean() for periods in (2, 4, 8)]
    together = variance(PerlinField.build(fine, 2, 3, 0.5)).mean()
    np.testing.assert_allclose(together, alone[0] + alone[1] / 4 + alone[2] / 16, rtol=1e-5)
    # 8 ∫ (1 - f)² t² dt ∫ (1 - f)² dt over the fade f, by quadrature
    np.testing.assert_allclose(alone, 0.09306, rtol=1e-3)


def test_longitude_has_no_seam():
    """Turning the grid by whole periods permutes the nodes: the noise is as likely there, also across 0 degrees."""
    field = PerlinField.build(GRID, 7, 2, 0.5)
    for own, periods in zip(responses(field), (7, 14), strict=True):
        np.testing.assert_allclose(np.roll(own, 2 * periods // 7, axis=2), np.roll(own, -8, axis=4), atol=1e-5)


def test_neighbours_across_the_seam_are_as_close_as_others():
    field = PerlinField.build(LatLonGrid.regular(9, 96), 4, 3, 0.5)
    draws = np.asarray(field.draw(jax.random.key(5), 300))
    differences = np.sqrt(((np.roll(draws, -1, axis=-1) - draws) ** 2).mean((0, 1)))
    assert differences[-1] == pytest.approx(differences[23], rel=0.1)  # also from the last point before a node to it
    assert differences.max() < 0.35 * draws.std()


@pytest.mark.parametrize("shape", [(721, 24), (720, 48), (11, 7), (2, 5)])
def test_any_number_of_rows_will_do(shape):
    field = PerlinField.build(LatLonGrid.regular(*shape), 12, 3, 0.5)
    draws = np.asarray(field.draw(jax.random.key(0), 3))
    assert draws.shape == (3, *shape)
    assert np.isfinite(draws).all()


def test_region_is_a_part_of_the_globe():
    region = LatLonGrid(GRID.latitude[4:9], GRID.longitude[20:])
    whole, part = (PerlinField.build(grid, 5, 2, 0.5).draw(jax.random.key(2), 2) for grid in (GRID, region))
    np.testing.assert_allclose(part, whole[:, 4:9, 20:], atol=1e-6)


def test_fields_are_independent():
    draws = np.asarray(PerlinField.build(GRID, 3, 2, 0.5).draw(jax.random.key(0), 2000))[:, 8, 11].reshape(2, -1)
    assert abs(np.corrcoef(draws)[0, 1]) < 0.1
