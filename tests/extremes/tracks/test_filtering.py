"""Bands of waves and the rotation of winds: closed forms, and what NCL made of ERA5."""

import numpy as np
import pytest
import xarray as xr

from weatherml import sphere
from weatherml.errors import UserError
from weatherml.extremes.tracks.filtering import T5_42, Band, band_passed, rotation
from weatherml.grid import LatLonGrid

GRIDS = {
    "gaussian": LatLonGrid.gaussian(12, 24),
    "poles": LatLonGrid.regular(13, 26),
    "no poles": LatLonGrid.regular(12, 24, poles=False),
    "columns from 7.5 E": LatLonGrid.from_coordinates(15.0 * np.arange(6, -7, -1), 7.5 + 15 * np.arange(24)),
}
NCL_RADIUS = 6371.22


def field(values, grid, name="vorticity", **more):
    coords = {"latitude": list(grid.latitude), "longitude": list(grid.longitude)}
    return xr.DataArray(values, coords | more, [*more, "latitude", "longitude"], name)


def sines(grid):
    """x, y and z of the points of a grid on the unit sphere."""
    lat, lon = np.meshgrid(np.radians(grid.latitude), np.radians(grid.longitude), indexing="ij")
    return np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)


@pytest.fixture(params=GRIDS)
def grid(request):
    return GRIDS[request.param]


def test_waves_of_a_band_pass_as_they_are_and_others_do_not(grid):
    x, y, z = sines(grid)
    inside = x * y * z + (x**3 - 3 * x * y**2)  # harmonics of degree 3
    outside = 7 + 2 * x + 5 * (x**2 - y**2) + 3 * (35 * z**4 - 30 * z**2 + 3)  # of 0, 1, 2 and 4
    passed = band_passed(field(inside + outside, grid), Band(3, 3))
    np.testing.assert_allclose(passed, inside, atol=2e-4)  # latitudes to 1e-4 degree


def test_what_has_passed_is_called_by_its_channel():
    grid = GRIDS["poles"]
    levels = field(np.zeros((2, *grid.shape)), grid, level=[500, 850])
    assert band_passed(levels, Band(2, 3)).name == "vorticity_anomaly"
    assert band_passed(levels.sel(level=850), Band(2, 3)).name == "vorticity_850_anomaly"


def test_a_taper_leaves_of_the_highest_wavenumber_what_is_said_and_of_lower_ones_more():
    weights = Band(5, 42, kept=0.1).weights()
    assert weights[:5].tolist() == [0] * 5
    assert weights[42] == pytest.approx(0.1)
    assert np.all(np.diff(weights[5:]) < 0)
    # exp(-K (n (n + 1))^2), K from the highest: at half of it (1/16 of the exponent, but for the + 1).
    assert weights[21] == pytest.approx(0.1 ** ((21 * 22) ** 2 / (42 * 43) ** 2))


def test_coefficients_and_back_is_the_field(grid):
    x, y, z = sines(grid)
    values = np.stack([1 + x * y + z**3, x * z**2 - y])
    coefficients = sphere.analyse(values, grid, 4)
    np.testing.assert_allclose(sphere.synthesise(coefficients, grid), values, atol=1e-5)
    other = LatLonGrid.gaussian(9, 21)
    there = np.stack([1 + a * b + c**3 for a, b, c in [sines(other)]])
    np.testing.assert_allclose(sphere.synthesise(coefficients[0], other), there[0], atol=1e-5)


def test_a_lazy_field_is_filtered_block_by_block_to_the_same_numbers():
    grid = GRIDS["poles"]
    values = np.random.default_rng(0).normal(size=(3, 2, *grid.shape))
    whole = field(values, grid, time=np.arange(3), level=[850, 500])
    lazy = band_passed(whole.chunk(time=1, longitude=5), Band(2, 6))
    assert lazy.chunks[0] == (1, 1, 1)
    xr.testing.assert_allclose(lazy, band_passed(whole, Band(2, 6)), rtol=1e-6)


def test_rotation_of_a_wind_of_a_potential_and_a_streamfunction(grid):
    x, y, z = sines(grid)
    cosine = np.hypot(x, y)
    radius = sphere.EARTH_RADIUS * 1e3
    # The streamfunction a (x^2 - y^2) / 2 and the potential a y z, of degree 2: laplacian -6 / a^2 of each. Slopes
    # eastward are over cos(lat), which is left out of both here, so that the poles have a wind, too.
    lon = np.broadcast_to(np.radians(grid.longitude), grid.shape)
    psi_north, psi_east = -z * cosine * np.cos(2 * lon), -cosine * np.sin(2 * lon)
    chi_north, chi_east = (cosine**2 - z**2) * np.sin(lon), z * np.cos(lon)
    u, v = -psi_north + chi_east, psi_east + chi_north
    made = rotation(field(u, grid), field(v, grid))
    np.testing.assert_allclose(made["vorticity"] * radius, -6 * (x**2 - y**2) / 2, atol=1e-3)
    np.testing.assert_allclose(made["divergence"] * radius, -6 * y * z, atol=1e-3)
    assert made["divergence"].attrs["units"] == "s-1"


def test_real_pressure_in_wavenumbers_5_to_42_is_what_ncl_has(shared):
    with xr.open_dataset(shared("reference/sphere/era5_msl_2025120100_2.5x2.5.nc")) as file:
        passed = band_passed(file["msl"].load(), T5_42)
    with xr.open_dataset(shared("reference/sphere/era5_msl_2025120100_2.5x2.5_t5-42_ncl.nc")) as file:
        np.testing.assert_allclose(passed, file["msl"], atol=1e-3)  # Pa, of up to 6000; NCL computes in float32


def test_real_vorticity_and_divergence_are_what_ncl_has(shared):
    with xr.open_dataset(shared("reference/sphere/era5_uv850_2025120100_2.5x2.5.nc")) as file:
        # Its rows go from south to north, whatever their labels say: NCL's vorticity lies where ERA5's own does.
        wind = file.load().copy(data={name: file[name].values[::-1] for name in ("u", "v")})
    made = rotation(wind["u"], wind["v"]) * (sphere.EARTH_RADIUS / NCL_RADIUS)
    with xr.open_dataset(shared("reference/sphere/era5_vodv850_2025120100_2.5x2.5_ncl.nc")) as file:
        np.testing.assert_allclose(made["vorticity"], file["vo"], atol=1e-9)  # s-1, of up to 2e-4
        np.testing.assert_allclose(made["divergence"], file["dv"], atol=1e-9)


REGION, COARSE = LatLonGrid((9.0, 8.0), (0.0, 1.0, 2.0)), GRIDS["poles"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Band(6, 5), "6 to 5 is empty; write Band"),
        (lambda: Band(5, 42, kept=0), "kept=0 .* is no share"),
        (lambda: band_passed(field(np.zeros(COARSE.shape), COARSE)), r"to 11, the band ends at 42; .*Band\(5, 11\)"),
        (lambda: band_passed(field(np.zeros(REGION.shape), REGION)), "no global Gaussian or"),
        (lambda: sphere.analyse(np.zeros(COARSE.shape), COARSE, 12), "up to degree 11, 12 was asked for; end at 11"),
        (lambda: sphere.synthesise(np.zeros((9, 9)), LatLonGrid.gaussian(9, 16)), "up to number 8; .*17 columns or"),
    ],
)
def test_what_cannot_be_filtered_is_said_in_one_line(make, said):
    with pytest.raises(UserError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)
