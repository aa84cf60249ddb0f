"""SFNO against its definition in float64, its symmetries, and its refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy_weights import drawn
from test_spherical_harmonics import harmonic, random_spectrum

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.models.layers.spherical_harmonics import SphericalHarmonics
from weatherml.models.sfno import Block, Hyperdiffusion, SFNOConfig, SpectralFilter, SphericalNorm, internal_grid
from weatherml.sphere import exact_degree, legendre_functions
from weatherml.state import StateSpec, parse_channels

CHANNELS = parse_channels(["z500", "t850", "msl"])
N_FORCINGS = 2
GRID = LatLonGrid.gaussian(8, 24)


@nnx.jit
def run(network, x, key=None):
    return network(x, key)


def with_random_weights(build):
    """Biases and scales are drawn far from zero and one, too."""
    return drawn(build, deviation=0.5)


def build(grid=GRID, **sizes):
    config = SFNOConfig(**{"scale_factor": 1, "width": 6, "depth": 2} | sizes)
    return with_random_weights(lambda: config.build(StateSpec(CHANNELS, grid), N_FORCINGS, nnx.Rngs(0)))


def fields(grid=GRID, batch=2):
    rng = np.random.default_rng(1)
    return jnp.asarray(rng.normal(size=(batch, len(CHANNELS) + N_FORCINGS, *grid.shape)), jnp.float32)


def relative_error(ours, reference):
    return np.abs(np.asarray(ours) - reference).max() / np.abs(reference).max()


def random_filter(degree, width, is_isotropic=False):
    spectral_filter = with_random_weights(lambda: SpectralFilter(degree, width, rngs=nnx.Rngs(0)))
    if is_isotropic:
        spectral_filter.weight[...] = spectral_filter.weight[...].at[1].set(0)
    return spectral_filter


def brute_force_filter(field, weight, grid):
    """Filter `[lon, lat, batch, embed]` one harmonic at a time, by quadrature in float64."""
    _, quadrature = np.polynomial.legendre.leggauss(grid.n_lat)
    area = quadrature[:, None, None] * 2 * np.pi / grid.n_lon
    result = np.zeros_like(field)
    for degree in range(weight.shape[1]):
        matrix = weight[0, degree] + 1j * weight[1, degree]
        for order in range(degree + 1):
            values = harmonic(degree, order, grid)[..., None, None]
            coefficient = (field * area * values.conj()).sum((0, 1)) @ matrix
            result += np.real(coefficient * values) * (2 if order else 1)
    return result


@pytest.mark.parametrize(("shape", "degree"), [((7, 13), 6), ((6, 14), 4), ((9, 7), 3)])
def test_filter_follows_its_definition(shape, degree):
    grid, spectral_filter = LatLonGrid.gaussian(*shape), random_filter(degree, 5)
    transform = SphericalHarmonics(grid, degree)
    field = np.random.default_rng(3).normal(size=(grid.n_lon, grid.n_lat, 2, 5))
    ours = transform.inverse(spectral_filter(transform.forward(jnp.asarray(field, jnp.float32))))
    expected = brute_force_filter(field, np.asarray(spectral_filter.weight[...], np.float64), grid)
    assert relative_error(ours, expected) < 2e-5


def evaluate(spectrum, points):
    """Sum up harmonics `[part, order, degree, channel]` at unit vectors `[point, 3]`, in float64."""
    functions = legendre_functions(spectrum.shape[1] - 1, points[:, 2])
    orders = np.arange(spectrum.shape[1])[:, None]
    waves = np.exp(1j * orders * np.arctan2(points[:, 1], points[:, 0])) * np.where(orders, 2, 1)
    return np.einsum("mdc,mdx,mx->xc", spectrum[0] + 1j * spectrum[1], functions, waves).real


def turned(spectrum, rotation, grid):
    """Return the spectrum of a field whose value at a point was another's, where `rotation [3, 3]` takes it."""
    lat, lon = np.meshgrid(np.arcsin(np.polynomial.legendre.leggauss(grid.n_lat)[0][::-1]), np.radians(grid.longitude))
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1).reshape(-1, 3)
    field = evaluate(spectrum, points @ rotation.T).reshape(grid.n_lon, grid.n_lat, -1)
    return np.asarray(SphericalHarmonics(grid, spectrum.shape[1] - 1).forward(jnp.asarray(field, jnp.float32)))


@pytest.mark.parametrize("is_isotropic", [True, False])
def test_filter_with_real_weights_commutes_with_every_rotation(is_isotropic):
    degree = exact_degree(GRID)
    spectral_filter = random_filter(degree, 4, is_isotropic)
    rotation, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    spectrum = random_spectrum(degree, (4,))

    def filtered(spectrum):
        result = np.array(spectral_filter(jnp.asarray(spectrum)[:, :, :, None])[:, :, :, 0])
        result[1, 0] = 0  # no part of a real field
        return result

    error = relative_error(filtered(turned(spectrum, rotation, GRID)), turned(filtered(spectrum), rotation, GRID))
    assert error < 1e-5 if is_isotropic else error > 0.1


@pytest.mark.parametrize(
    ("grid", "scale_factor", "columns"),
    [
        (GRID, 1, 7),
        (GRID, 2, 4),  # two steps inside
        (LatLonGrid.regular(9, 12), 1.5, 3),
        (LatLonGrid.gaussian(12, 7), 1, 5),  # tall
    ],
)
def test_turns_with_its_input_about_the_axis(grid, scale_factor, columns):
    network, x = build(grid, scale_factor=scale_factor), fields(grid)
    assert relative_error(run(network, jnp.roll(x, columns, -1)), np.roll(run(network, x), columns, -1)) < 1e-5


@pytest.mark.parametrize("grid", [GRID, LatLonGrid.regular(13, 24)])
def test_mirrors_hemispheres_with_its_input(grid):
    network, x = build(grid, scale_factor=2), fields(grid)
    assert relative_error(run(network, x[:, :, ::-1]), run(network, x)[:, :, ::-1]) < 1e-5


def test_a_learned_position_tells_meridians_apart():
    network, x = build(position=True), fields()
    assert relative_error(run(network, jnp.roll(x, 5, -1)), np.roll(run(network, x), 5, -1)) > 1e-3


def test_norm_gives_every_channel_mean_zero_and_variance_one_over_the_sphere():
    x = np.random.default_rng(5).normal(size=(24, 8, 2, 3)) * [1, 5, 0.2] + [2, -1, 0]
    normal = np.asarray(SphericalNorm(GRID, 3)(jnp.asarray(x, jnp.float32)))
    weights = GRID.area_weights()[..., None] / (24 * 8)
    np.testing.assert_allclose((normal * weights).sum((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose((normal**2 * weights).sum((0, 1)), 1, atol=1e-4)


def test_hyperdiffusion_keeps_the_large_scales_and_takes_the_small_ones():
    whole, seen = SphericalHarmonics(GRID, 7), SphericalHarmonics(GRID, 5)
    state, tendency = (whole.inverse(jnp.asarray(random_spectrum(7, (2, 3), seed))) for seed in (8, 9))
    output = np.asarray(whole.forward(Hyperdiffusion(seen, 2)(tendency, state)))
    states, tendencies = (np.asarray(whole.forward(field)) for field in (state, tendency))
    for degree, share in [(1, (2 / 30) ** 2), (3, (12 / 30) ** 2), (5, 1)]:
        expected = tendencies[:, :, degree] - share * states[:, :, degree]
        np.testing.assert_allclose(output[:, :, degree], expected, atol=1e-5)
    np.testing.assert_allclose(output[:, :, 6:], -states[:, :, 6:], atol=1e-5)


def test_diffusion_is_of_the_state_and_not_of_the_forcings():
    plain, damped, x = build(), build(diffusion_order=3), fields()
    n_channels, transform = len(CHANNELS), SphericalHarmonics(GRID, 7)
    tendency, state = (a.transpose(3, 2, 0, 1) for a in (run(plain, x), x[:, :n_channels]))
    expected = Hyperdiffusion(transform, 3)(tendency, state).transpose(2, 3, 1, 0)
    assert relative_error(run(damped, x), expected) < 1e-5


@pytest.mark.parametrize(
    "grid", [LatLonGrid.regular(13, 18), LatLonGrid.regular(10, 24, poles=False), LatLonGrid.gaussian(9, 5)]
)
def test_steps_on_odd_even_and_tall_grids(grid):
    network = build(grid, scale_factor=1.5, depth=3)
    output = run(network, fields(grid, batch=3))
    assert output.shape == (3, len(CHANNELS), *grid.shape) and jnp.isfinite(output).all()


def test_internal_grid_of_factor_one_is_the_gaussian_grid_itself():
    assert internal_grid(GRID, 1) == GRID
    assert internal_grid(LatLonGrid.regular(721, 1440), 3).shape == (240, 480)


def test_a_dropped_sample_passes_a_block_unchanged():
    transform = SphericalHarmonics(GRID, 7)
    config = SFNOConfig(width=6)
    block = with_random_weights(lambda: Block(config, (transform, transform), 0.5, rngs=nnx.Rngs(0)))
    x = jnp.asarray(np.random.default_rng(7).normal(size=(24, 8, 16, 6)), jnp.float32)
    branch = run(block, x) - x
    change = run(block, x, jax.random.split(jax.random.key(8), 16)) - x
    dropped = jnp.abs(change).max((0, 1, 3)) == 0
    assert 0 < dropped.sum() < 16
    np.testing.assert_allclose(change[:, :, ~dropped], 2 * branch[:, :, ~dropped], atol=1e-5)


def test_bfloat16_stays_near_float32():
    exact, rounded = (run(build(dtype=dtype), fields()) for dtype in ("float32", "bfloat16"))
    assert rounded.dtype == jnp.float32
    assert 1e-4 < relative_error(rounded, exact) < 5e-2


def test_refuses_a_truncation_that_its_grids_do_not_hold():
    with pytest.raises(UserError, match=r"truncation 9 is beyond degree 7, .* 8 x 24 and 8 x 24 .*; lower truncation"):
        build(truncation=9)


def test_refuses_a_grid_without_spherical_harmonics():
    with pytest.raises(UserError, match=r"latitudes 90, 85, 80 .. -85 \(36 rows, .* choose what"):
        build(LatLonGrid.from_coordinates(90 - 5 * np.arange(36), 5 * np.arange(72)))
