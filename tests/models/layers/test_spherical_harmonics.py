"""Transforms against analytic harmonics, dinosaur's transform, and the laws of an orthonormal basis."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from dinosaur.spherical_harmonic import Grid

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.models.layers.spherical_harmonics import SphericalHarmonics
from weatherml.sphere import exact_degree, legendre_functions


def grid_of(latitude, n_lon, first_longitude=0.0):
    return LatLonGrid.from_coordinates(np.asarray(latitude), first_longitude + 360 / n_lon * np.arange(n_lon))


GRIDS = {
    "gaussian": LatLonGrid.gaussian(8, 20),
    "gaussian, odd": LatLonGrid.gaussian(9, 17),
    "gaussian, tall": LatLonGrid.gaussian(12, 9),
    "poles": LatLonGrid.regular(13, 24),
    "poles, even": LatLonGrid.regular(14, 24),
    "no poles": LatLonGrid.regular(12, 15, poles=False),
    "one step inside the poles": grid_of(90 - 180 / 14 * np.arange(1, 14), 16),
    "from the middle of a cell": grid_of(LatLonGrid.gaussian(8, 16).latitude, 16, 11.25),
}


@pytest.fixture(params=GRIDS)
def grid(request):
    return GRIDS[request.param]


def harmonic(degree, order, grid):
    """The complex harmonic in float64, `[lon, lat]`, without the Condon-Shortley sign."""
    colatitude, longitude = np.radians(90 - np.asarray(grid.latitude)), np.radians(grid.longitude)[:, None]
    if hasattr(scipy.special, "sph_harm_y"):
        values = scipy.special.sph_harm_y(degree, order, colatitude, longitude)
    else:
        values = scipy.special.sph_harm(order, degree, longitude, colatitude)
    return (-1) ** order * values


# Grids hold latitudes to 1e-4 degree, so that harmonics there are off by this much from those at the exact roots.
ROUNDED = 3e-5


def random_spectrum(degree, shape=(), seed=0):
    """Coefficients of a real field, `[part, order, degree, ...]`."""
    spectrum = np.random.default_rng(seed).normal(size=(2, degree + 1, degree + 1, *shape))
    orders, degrees = np.indices((degree + 1, degree + 1))
    spectrum[:, orders > degrees] = 0
    spectrum[1, 0] = 0
    return spectrum.astype(np.float32)


def test_legendre_functions_agree_with_scipy():
    grid = GRIDS["one step inside the poles"]
    table = legendre_functions(9, np.sin(np.radians(grid.latitude)))
    for degree in range(10):
        for order in range(degree + 1):
            np.testing.assert_allclose(table[order, degree], harmonic(degree, order, grid)[0].real, atol=1e-12)


def test_legendre_functions_obey_the_addition_theorem_up_to_degree_720():
    colatitude = np.radians([0.1, 3.0, 40.0, 89.0, 90.0, 155.0])
    table = legendre_functions(720, np.cos(colatitude))
    table[1:] *= np.sqrt(2)  # with their complex conjugates
    kernel = np.einsum("mdx,mdy->dxy", table, table)
    degrees = np.arange(721)[:, None, None]
    expected = (2 * degrees + 1) / (4 * np.pi)
    expected = expected * scipy.special.eval_legendre(degrees, np.cos(colatitude[:, None] - colatitude))
    np.testing.assert_allclose(kernel, expected, atol=1e-9)


def test_a_harmonic_has_one_coefficient(grid):
    transform = SphericalHarmonics(grid, exact_degree(grid))
    for degree in range(transform.degree + 1):
        for order in range(degree + 1):
            field = jnp.asarray(np.stack([(f := harmonic(degree, order, grid)).real, -f.imag], -1), jnp.float32)
            expected = np.zeros((2, transform.degree + 1, transform.degree + 1, 2))
            expected[:, order, degree] = np.eye(2) / 2 if order else [[1, 0], [0, 0]]
            np.testing.assert_allclose(transform.forward(field), expected, atol=ROUNDED)


def test_inverse_is_the_sum_of_harmonics(grid):
    transform = SphericalHarmonics(grid, 5)  # more than some of these grids could analyse
    spectrum = random_spectrum(5)
    field = sum(
        np.real((spectrum[0, m, d] + 1j * spectrum[1, m, d]) * harmonic(d, m, grid)) * (2 if m else 1)
        for d in range(6)
        for m in range(d + 1)
    )
    np.testing.assert_allclose(transform.inverse(jnp.asarray(spectrum)), field, atol=ROUNDED * 36)


def test_there_and_back_is_the_identity_up_to_the_exact_degree(grid):
    transform = SphericalHarmonics(grid, exact_degree(grid))
    spectrum = random_spectrum(transform.degree, (3, 2))
    np.testing.assert_allclose(transform.forward(transform.inverse(jnp.asarray(spectrum))), spectrum, atol=5e-6)


@pytest.mark.parametrize("name", ["gaussian", "poles", "poles, even", "no poles", "one step inside the poles"])
def test_one_degree_more_is_not_exact(name):
    transform = SphericalHarmonics(GRIDS[name], exact_degree(GRIDS[name]) + 1)
    spectrum = random_spectrum(transform.degree)
    assert np.abs(transform.forward(transform.inverse(jnp.asarray(spectrum))) - spectrum).max() > 1e-3


@pytest.mark.parametrize(
    ("grid", "degree"),
    [
        (LatLonGrid.gaussian(32, 64), 31),
        (LatLonGrid.gaussian(32, 48), 23),  # too few columns for more orders
        (LatLonGrid.regular(721, 1440), 360),
        (LatLonGrid.regular(720, 1440, poles=False), 359),
    ],
)
def test_exact_degree_is_what_quadrature_and_columns_allow(grid, degree):
    assert exact_degree(grid) == degree


def test_squares_integrate_to_the_sum_of_squared_coefficients():
    grid = GRIDS["gaussian, odd"]
    transform = SphericalHarmonics(grid, exact_degree(grid))
    spectrum = random_spectrum(transform.degree)
    field = np.asarray(transform.inverse(jnp.asarray(spectrum)), np.float64)
    _, weights = np.polynomial.legendre.leggauss(grid.n_lat)
    twice = np.where(np.arange(transform.degree + 1), 2, 1)[:, None]
    np.testing.assert_allclose((field**2 * weights).sum() * 2 * np.pi / grid.n_lon, (spectrum**2 * twice).sum(), 1e-5)


@pytest.mark.parametrize(
    ("name", "spacing"), [("gaussian", "gauss"), ("poles", "equiangular_with_poles"), ("no poles", "equiangular")]
)
def test_agrees_with_dinosaur(name, spacing):
    grid = GRIDS[name]
    degree = exact_degree(grid)
    theirs = Grid(degree + 1, degree + 1, grid.n_lon, grid.n_lat, latitude_spacing=spacing)
    field = np.random.default_rng(1).normal(size=(grid.n_lon, grid.n_lat)).astype(np.float32)
    modal = theirs.to_modal(field[:, ::-1])  # cosines and sines in turn, from the South Pole
    ours = np.array(SphericalHarmonics(grid, degree).forward(jnp.asarray(field)))
    ours[:, 1::2] *= -1  # theirs has the Condon-Shortley sign
    np.testing.assert_allclose(ours[0, 0], modal[0], atol=3e-6)
    ours *= np.sqrt(2)
    np.testing.assert_allclose(ours[0, 1:], modal[1::2], atol=3e-6)
    np.testing.assert_allclose(ours[1, 1:], -modal[2::2], atol=3e-6)


def test_moves_a_smooth_field_from_grid_to_grid():
    source, target = GRIDS["poles"], GRIDS["from the middle of a cell"]
    degree = exact_degree(source)
    spectrum = jnp.asarray(random_spectrum(degree, (2,)))
    field = SphericalHarmonics(source, degree).inverse(spectrum)
    moved = SphericalHarmonics(target, degree).inverse(SphericalHarmonics(source, degree).forward(field))
    np.testing.assert_allclose(moved, SphericalHarmonics(target, degree).inverse(spectrum), atol=1e-5)


def test_computes_in_float32():
    transform = SphericalHarmonics(GRIDS["gaussian"], 4)
    field = jnp.asarray(np.random.default_rng(2).normal(size=(20, 8)), jnp.bfloat16)
    np.testing.assert_array_equal(transform.forward(field), transform.forward(field.astype(jnp.float32)))


@pytest.mark.parametrize(
    ("grid", "named"),
    [
        (grid_of(90 - 0.25 * np.arange(720), 1440), r"latitudes 90, 89.75, 89.5 .. -89.75 \(720 rows, 1440 columns\)"),
        (LatLonGrid(GRIDS["poles"].latitude[2:7], GRIDS["poles"].longitude), r"latitudes 60, 45, 30 .. 0 \(5 rows"),
        (LatLonGrid(GRIDS["poles"].latitude, GRIDS["poles"].longitude[:9]), r"13 rows, 9 columns\) are no global"),
    ],
)
def test_refuses_a_grid_without_quadrature(grid, named):
    with pytest.raises(UserError, match=named):
        exact_degree(grid)
