"""Spectra: Parseval, harmonics, loops over numpy fields, and what NCL filtered."""

import numpy as np
import pytest
import scipy.special
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS, highest_degree, power_by_degree
from weatherml.verification import evaluate, formulas

GRIDS = {
    "gaussian": LatLonGrid.gaussian(9, 20),
    "gaussian, tall": LatLonGrid.gaussian(14, 10),
    "poles": LatLonGrid.regular(9, 18),
    "poles, even": LatLonGrid.regular(10, 24),
    "no poles": LatLonGrid.regular(8, 17, poles=False),
    "one step inside the poles": LatLonGrid.from_coordinates(90 - 180 / 11 * np.arange(1, 11), 18.0 * np.arange(20)),
}


def harmonic(degree, order, grid):
    """Orthonormal, complex."""
    colatitude, longitude = np.meshgrid(
        np.radians(90 - np.array(grid.latitude)), np.radians(grid.longitude), indexing="ij"
    )
    if hasattr(scipy.special, "sph_harm_y"):
        return scipy.special.sph_harm_y(degree, order, colatitude, longitude)
    return scipy.special.sph_harm(order, degree, longitude, colatitude)


@pytest.mark.parametrize("name", GRIDS)
def test_every_harmonic_lies_at_its_degree(name):
    grid = GRIDS[name]
    highest = highest_degree(grid)
    own = [(degree, order) for degree in range(highest + 1) for order in range(degree + 1)]
    fields = np.stack([(harmonic(*each, grid) * np.sqrt(4 * np.pi * (2 if each[1] else 1))).real for each in own])
    expected = np.eye(highest + 1)[[degree for degree, _ in own]]
    np.testing.assert_allclose(power_by_degree(fields, grid), expected, atol=1e-4)  # latitudes to 1e-4 degree


def test_as_many_degrees_are_told_apart_as_rows_and_columns_allow():
    assert [highest_degree(grid) for grid in GRIDS.values()] == [8, 4, 7, 8, 7, 9]


def drawn(grid):
    """A field of harmonics up to degree 8."""
    rng = np.random.default_rng(0)
    return sum((rng.normal() + 1j * rng.normal()) * harmonic(d, m, grid) for d in range(9) for m in range(d)).real


def test_the_sum_over_degrees_is_the_mean_square():
    fine = drawn(LatLonGrid.gaussian(12, 24))
    _, weights = np.polynomial.legendre.leggauss(12)
    mean_square = (fine**2).mean(axis=1) @ weights / 2
    grid = GRIDS["poles, even"]
    assert power_by_degree(drawn(grid), grid).sum() == pytest.approx(mean_square, rel=1e-4)


def test_the_sum_over_waves_is_the_mean_square_of_a_row():
    for n_lon in (7, 8):
        rows = np.random.default_rng(1).normal(size=(3, n_lon))
        np.testing.assert_allclose(formulas.zonal_power(rows).sum(-1), (rows**2).mean(-1), rtol=1e-12)


def test_a_field_that_ncl_filtered_has_the_power_of_the_degrees_it_kept(shared):
    folder, grid = shared("reference/sphere"), LatLonGrid.regular(73, 144)
    names = ("era5_msl_2025120100_2.5x2.5.nc", "era5_msl_2025120100_2.5x2.5_t5-42_ncl.nc")
    whole, kept = (xr.open_dataset(folder / name)["msl"].sortby("latitude", ascending=False).values for name in names)
    power, of_kept = power_by_degree(whole, grid), power_by_degree(kept, grid)
    np.testing.assert_allclose(of_kept[5:43], power[5:43], rtol=1e-6)
    assert max(of_kept[:5].max(), of_kept[43:].max()) < 1e-12 * of_kept.max()


def area_means(forecast, truth, channel, power):
    """Means over init times and rows of the power of the forecast, of truth and of error, `[lead, wavenumber]`."""
    grid = LatLonGrid.from_dataset(forecast)
    share = grid.cell_areas() / grid.cell_areas().sum()
    made = forecast[channel].transpose("number", "init_time", "lead_time", ...).values.astype(float)
    true = as_forecast(truth, forecast)[channel].values.astype(float)
    rows = {"forecast": power(made).mean(0), "truth": power(true), "error": power(made.mean(0) - true)}
    return {name: np.einsum("iljk,j->lk", own, share) / len(own) for name, own in rows.items()}


def test_zonal_spectra_are_means_over_rows_and_members():
    truth, forecast = analyses(), forecasts(n_members=3, n_init=2)
    names = {of: f"zonal_spectrum(of='{of}')" for of in ("forecast", "truth", "error")}
    scores = evaluate(forecast, truth, list(names.values())).sel(bound="estimate", channel="2m_temperature")
    expected = area_means(forecast, truth, "2m_temperature", formulas.zonal_power)
    for of, name in names.items():
        np.testing.assert_allclose(scores[name], expected[of], rtol=1e-5)
    mse = evaluate(forecast, truth, "mse")["mse"].sel(bound="estimate", channel="2m_temperature")
    np.testing.assert_allclose(scores[names["error"]].sum("zonal_wavenumber"), mse, rtol=1e-6)


def test_spherical_spectra_are_means_over_members_and_init_times():
    grid = GRIDS["gaussian"]
    truth, forecast = analyses(grid=grid), forecasts(n_members=2, n_init=3, grid=grid)
    scores = evaluate(forecast, truth, ["spectrum", "spectrum(of='error')"]).sel(bound="estimate")
    own = scores.sel(channel="geopotential_850").isel(lead_time=1)
    made = forecast["geopotential"].sel(level=850).isel(lead_time=1).transpose("number", "init_time", ...).values
    true = as_forecast(truth, forecast)["geopotential"].sel(level=850).isel(lead_time=1).values
    np.testing.assert_allclose(own["spectrum"], power_by_degree(made, grid).mean((0, 1)), rtol=1e-5)
    error = power_by_degree(made.mean(0) - true, grid).mean(0)
    np.testing.assert_allclose(own["spectrum(of='error')"], error, rtol=1e-5)


def test_a_spectrum_is_of_whole_circles_or_of_the_globe_or_not_told():
    truth, forecast = analyses(), forecasts(n_init=2)
    scores = evaluate(forecast, truth, ["zonal_spectrum", "spectrum"], regions=["global", "tropics", "europe"])
    told = scores.sel(bound="estimate").notnull().all(["channel", "lead_time"])
    assert told["zonal_spectrum"].all("zonal_wavenumber").values.tolist() == [True, True, False]
    assert told["spectrum"].all("wavenumber").values.tolist() == [True, False, False]


@pytest.mark.parametrize("name", ["zonal_spectrum", "spectrum", "effective_resolution"])
def test_a_piece_of_a_circle_has_no_waves_around_it(name):
    part = {"longitude": [0, 1, 2, 11]}
    with pytest.raises(
        UserError, match=rf"metric '{name}' is of whole circles .* from -30 to 60 E; leave '{name}' out"
    ):
        evaluate(forecasts(n_init=1).isel(part), analyses().isel(part), ["rmse", name])


def test_a_hole_leaves_no_spectrum():
    truth, forecast = analyses(), forecasts(n_init=2)
    forecast["2m_temperature"][0, 1, 3, 5] = np.nan
    scores = evaluate(forecast, truth, ["zonal_spectrum", "spectrum"], missing="count").sel(bound="estimate")
    for name in ("zonal_spectrum", "spectrum"):
        missing = scores[name].sel(channel="2m_temperature").isnull()
        assert missing.any(missing.dims[-1]).values.tolist() == [False, True, False]


def test_a_smoothed_forecast_resolves_the_waves_that_it_kept():
    degree = np.arange(30)
    truth = 1 / (1.0 + degree) ** 3
    kept = np.where(degree <= 12, 1.0, 0.1)
    found = formulas.effective_resolution(truth * kept, truth, 0.55, EARTH_RADIUS)
    assert found == pytest.approx(2 * np.pi * EARTH_RADIUS / np.sqrt(12.5 * 13.5))  # half-way down from 12 to 13
    never = formulas.effective_resolution(truth, truth, 0.5, EARTH_RADIUS)
    assert never == pytest.approx(2 * np.pi * EARTH_RADIUS / np.sqrt(29 * 30))
    at_once = formulas.effective_resolution(0.1 * truth, truth, 0.5, EARTH_RADIUS)
    assert at_once == pytest.approx(2 * np.pi * EARTH_RADIUS / np.sqrt(2))


def test_a_forecast_that_is_too_smooth_is_told_by_its_resolution():
    grid = GRIDS["gaussian"]
    truth = analyses({"2m_temperature": ()}, grid=grid)
    sharp = as_forecast(truth, forecasts({"2m_temperature": ()}, n_init=3, grid=grid))
    smooth = (sharp + sharp.roll(longitude=1) + sharp.roll(longitude=-1)) / 3
    both = [evaluate(own, truth, "effective_resolution(share=0.5)") for own in (sharp, smooth)]
    fine, coarse = (own["effective_resolution(share=0.5)"].sel(bound="estimate").max().item() for own in both)
    assert fine == pytest.approx(2 * np.pi * EARTH_RADIUS / np.sqrt(8 * 9))
    assert coarse > 1.2 * fine


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("spectrum(of='wind')", "cannot be: of must be 'forecast' or 'truth' or 'error', not 'wind'"),
        ("effective_resolution(share=0)", "cannot be: a share of the truth's energy lies between 0 and 1, got 0"),
    ],
)
def test_a_spectrum_that_cannot_be_is_said_in_one_line(name, message):
    with pytest.raises(UserError, match=message):
        evaluate(forecasts(), analyses(), name)


def test_a_grid_without_harmonics_is_told_what_it_has():
    grid = LatLonGrid.from_coordinates(90 - 30 * np.arange(6), 30.0 * np.arange(12))
    with pytest.raises(UserError, match=r"no global Gaussian or equally spaced grid; choose .* zonal_spectrum"):
        evaluate(forecasts(grid=grid, n_init=1), analyses(grid=grid), "spectrum")
