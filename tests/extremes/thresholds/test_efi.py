"""Extreme forecast index and shift of tails against closed forms, the integral by brute force and ECMWF's program."""

import logging
import pickle

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.data.statistics.quantile_climatology import QuantileClimatology
from weatherml.errors import UserError
from weatherml.extremes import PERCENTILES, calendar_quantiles, efi, reforecast_quantiles, sot
from weatherml.extremes.thresholds.indices import extreme_forecast_index, shift_of_tails
from weatherml.grid import LatLonGrid
from weatherml.state import spec_of

P = np.array(PERCENTILES)
GRID = LatLonGrid.regular(2, 3, poles=False)


@pytest.fixture(scope="module")
def climate():
    """Percentiles of five places, of a skewed distribution."""
    return np.sort(np.random.default_rng(0).gamma(2, 3, (101, 5)), axis=0)


@pytest.fixture(scope="module")
def rain():
    """Percentiles of places that are dry for none, half and nine tenths of the time, and always."""
    values = np.sort(np.random.default_rng(2).gamma(1, 5e-3, (101, 4)), axis=0)
    return np.where(P[:, None] < [0, 0.505, 0.905, 2], 0, values + 1e-3)


def integral(members, quantiles, dry=None, n=200_001):
    """The index of one place by its integral; p = sin(t)**2 takes the weight 1 / sqrt(p (1 - p)) away."""
    p = np.sin(np.pi / 2 * (np.arange(n) + 0.5) / n) ** 2
    quantile = np.interp(p, P, quantiles)
    share = np.searchsorted(np.sort(members), quantile, side="right") / len(members)
    counts = np.ones(n) if dry is None else quantile > dry
    return np.sum((p - share) * counts) / max(np.sum(p * counts), 1e-9)


@pytest.mark.parametrize("n_members", [1, 2, 11])
def test_the_index_is_the_integral(climate, n_members):
    members = np.random.default_rng(n_members).gamma(2, 4, (n_members, 5))
    expected = [integral(members[:, i], climate[:, i]) for i in range(5)]
    np.testing.assert_allclose(extreme_forecast_index(members, climate, P), expected, atol=2e-5)


def test_of_precipitation_the_dry_part_of_the_climate_is_left_out(rain):
    members = np.random.default_rng(3).gamma(1, 8e-3, (7, 4)) * (np.arange(7) > 2)[:, None]
    expected = [integral(members[:, i], rain[:, i], 1e-4) for i in range(4)]
    np.testing.assert_allclose(extreme_forecast_index(members, rain, P, dry=1e-4), expected, atol=1e-4)
    wet, never = np.full((3, 4), 1.0), np.zeros((3, 4))
    np.testing.assert_allclose(extreme_forecast_index(wet, rain, P, dry=1e-4), [1, 1, 1, 0])
    assert extreme_forecast_index(never, rain, P, dry=1e-4)[0] == pytest.approx(-1)


@pytest.mark.parametrize("often", [0.0, 1.0])
@pytest.mark.parametrize("dry", [None, -1.0])
def test_it_is_nothing_of_members_distributed_as_a_climate_of_equal_values(often, dry):
    """As of sea ice: none, or all, in most of the cases; and where there never is any, or always."""
    values = np.sort(np.where(np.arange(101) % 5 < 3, often, np.linspace(0, 1, 101)))
    found = extreme_forecast_index(((values[1:] + values[:-1]) / 2)[:, None], values[:, None], P, dry)
    np.testing.assert_allclose(found, 0, atol=3e-3)
    np.testing.assert_allclose(extreme_forecast_index(np.full((4, 2), often), np.full((101, 2), often), P), 0)


def test_it_is_one_above_all_of_the_climate_and_less_one_below(climate):
    np.testing.assert_array_equal(extreme_forecast_index(np.add(climate[-1:], [[1], [2]]), climate, P), 1)
    np.testing.assert_array_equal(extreme_forecast_index(np.subtract(climate[:1], [[1], [2]]), climate, P), -1)


def test_it_is_nothing_where_the_forecast_is_the_climate(climate):
    middles = (climate[1:] + climate[:-1]) / 2
    np.testing.assert_allclose(extreme_forecast_index(middles, climate, P), 0, atol=1e-12)
    np.testing.assert_allclose(extreme_forecast_index(climate[50:51], climate, P), 0, atol=1e-12)


def test_one_member_at_a_percentile_has_the_closed_form(climate):
    np.testing.assert_allclose(
        extreme_forecast_index(climate[75:76], climate, P), 4 / np.pi * np.arcsin(np.sqrt(0.75)) - 1, rtol=1e-12
    )


def test_a_missing_value_leaves_no_index(climate):
    members = climate[40:43].copy()
    members[1, 2] = np.nan
    assert np.flatnonzero(np.isnan(extreme_forecast_index(members, climate, P))).tolist() == [2]
    assert np.flatnonzero(np.isnan(shift_of_tails(members, climate, P))).tolist() == [2]


@pytest.mark.parametrize("levels", [(0.9, 0.99), (0.1, 0.01)])
@pytest.mark.parametrize("is_rain", [False, True])
def test_both_indices_are_those_of_the_program_of_ecmwf(climate, rain, levels, is_rain):
    """Its shift of tails is the same; its index takes the members to be spread evenly between percentiles."""
    from earthkit.meteo.extreme import array as ecmwf

    quantiles, dry = (rain, 1e-4) if is_rain else (climate, None)
    members = quantiles[[40, 60, 85, 93, 96, 99, 100]] * np.linspace(0.9, 1.4, 7)[:, None]
    eps = dry or -1
    shift = ecmwf.sot(quantiles, members, round(100 * levels[0]), eps=eps)
    np.testing.assert_allclose(shift_of_tails(members, quantiles, P, levels, dry), shift, atol=1e-9)
    index = ecmwf.efi(quantiles, members, eps=eps)
    np.testing.assert_allclose(extreme_forecast_index(members, quantiles, P, dry), index, atol=0.02)


def test_shift_of_tails_has_the_closed_form(climate):
    members = climate[99] + np.array([[0.0], [0.0]]) + 0.5 * (climate[99] - climate[90])
    np.testing.assert_allclose(shift_of_tails(members, climate, P), 0.5)
    far = climate[99] + 1000 * (climate[99] - climate[90])
    np.testing.assert_array_equal(shift_of_tails(np.stack([far, far]), climate, P), 10)


@pytest.fixture(scope="module")
def record():
    return analyses(times=2 * 730, step="12h", start="1999-01-01", grid=GRID)


@pytest.mark.parametrize("lazily", [False, True])
def test_each_place_and_level_is_compared_with_the_climate_of_its_date(record, lazily):
    climate = calendar_quantiles(record, PERCENTILES, ("1999", "2000"))
    forecast = forecasts(n_members=5, n_init=3, init_step="30D", step="12h", grid=GRID)
    index = efi(forecast.chunk(number=2, lead_time=1) if lazily else forecast, climate)
    assert index["geopotential"].dims == ("init_time", "lead_time", "level", "latitude", "longitude")
    told = "analyses of 1999 to 2000, 31 days around each date"
    words = {"units": "1", "long_name": "extreme forecast index of 2m temperature", "climate": told}
    assert index["2m_temperature"].attrs == words
    assert index.attrs == {"climate": told, "members": 5}
    at = {"init_time": 2, "lead_time": 1}
    quantiles = climate.at(forecast["valid_time"].isel(at).values[None])["geopotential"].values[0, :, 1]
    members = forecast["geopotential"].isel(at).transpose("number", "level", ...).values[:, 1]
    expected = extreme_forecast_index(members.reshape(5, -1), quantiles.reshape(101, -1), P)
    np.testing.assert_allclose(index["geopotential"].isel(at).isel(level=1).values.ravel(), expected, rtol=1e-6)


def test_the_climate_of_a_model_is_by_lead_time(record):
    past = forecasts(n_members=3, n_init=40, n_lead=4, start="1999-01-01", grid=GRID, seed=4)
    past["2m_temperature"] = past["2m_temperature"] + past["lead_time"] / np.timedelta64(1, "D")  # it drifts
    climate = reforecast_quantiles(past, PERCENTILES, memory=1)
    expected = np.quantile(past["2m_temperature"].isel(lead_time=2), 0.9, axis=[0, 1])
    found = climate.dataset["2m_temperature"].sel(quantile=0.9).isel(lead_time=2)
    np.testing.assert_allclose(found.transpose("latitude", "longitude"), expected.reshape(2, 3), rtol=1e-5)
    tails = sot(past.isel(init_time=[0]), climate)
    assert tails.attrs["climate"] == "re-forecasts: 40 runs of 3 members, 1999-01-01 to 1999-02-09"
    members = past["2m_temperature"].isel(init_time=0, lead_time=2).transpose("number", ...).values.reshape(3, -1)
    own = climate.dataset["2m_temperature"].isel(lead_time=2).values.reshape(101, -1)
    shift = shift_of_tails(members, own, P)
    np.testing.assert_allclose(tails["2m_temperature"].isel(init_time=0, lead_time=2).values.ravel(), shift, rtol=1e-5)
    with pytest.raises(UserError, match=r"the re-forecasts have no lead time .* leave it out of the forecast"):
        efi(forecasts(n_members=2, n_lead=5, grid=GRID), climate).compute()


def test_precipitation_is_known_by_its_variable():
    name = "total_precipitation_24hr"
    past = abs(analyses({name: ()}, 500, start="1999-01-01", grid=GRID)) * 1e-2
    dry = past.where(past > 5e-3, 0)
    climate = calendar_quantiles(dry, PERCENTILES, ("1999", "2000"), 365)
    forecast = xr.zeros_like(abs(forecasts({name: ()}, n_members=4, grid=GRID)))
    found = efi(forecast, climate)[name].values
    p = np.float64((dry[name] == 0).mean())
    assert found.mean() == pytest.approx(1 - 2 / (1 + np.sqrt(p * (1 - p)) / np.arccos(np.sqrt(p))), abs=0.03)


def test_what_cannot_be_compared_is_refused_in_one_line(record):
    forecast = forecasts(n_members=2, grid=GRID)
    climate = calendar_quantiles(record, PERCENTILES, ("1999", "2000"), times=["2001-07-01"])
    with pytest.raises(UserError, match="the calendar quantiles know no dayofyear of 2001-01-01T06:00"):
        efi(forecast, climate)
    few = calendar_quantiles(record, [0.1, 0.9], ("1999", "2000"))
    with pytest.raises(UserError, match=r"from 0.1 to 0.9 alone, and the index is of their tails; .*PERCENTILES"):
        efi(forecast, few)
    with pytest.raises(UserError, match=r"from 0.1 to 0.9 alone, and no 0.99; pass one that has"):
        sot(forecast, few)
    with pytest.raises(UserError, match=r"a tail lies beyond its quantile, on the same side .* not 0.9 and 0.01"):
        sot(forecast, few, tail=0.01)
    with pytest.raises(UserError, match="the climate has no 2m_temperature; pass one that has, or leave it out"):
        efi(forecast, calendar_quantiles(record[["geopotential"]], PERCENTILES, ("1999", "2000")))
    with pytest.raises(UserError, match="of geopotential has no level 850, only 500"):
        efi(forecast, calendar_quantiles(record.sel(level=[500]), PERCENTILES, ("1999", "2000")))
    with pytest.raises(UserError, match="the climate has no dimension 'quantile'; pass quantiles"):
        efi(forecast, record)


def test_it_can_be_sent_to_another_process(record):
    climate = calendar_quantiles(record, PERCENTILES, ("1999", "2000"))
    index = efi(forecasts(n_members=2, n_init=2, step="12h", grid=GRID).chunk(init_time=1), climate)
    xr.testing.assert_identical(pickle.loads(pickle.dumps(index)).load(), index.load())


def test_a_sketched_climatology_is_a_climate(record, tmp_path):
    """Which knows quantiles from 0.02 to 0.98: members beyond are beyond all of it."""
    known = (0.02, *np.arange(0.05, 0.96, 0.05).round(2), 0.98)
    fit(record, Fit(spec_of(record), ("1999", "2000"), Harmonics(1, 0), quantiles=known), tmp_path)
    climate = QuantileClimatology.load(tmp_path / "quantile_climatology.nc")
    forecast = forecasts(n_members=9, n_init=2, step="12h", grid=GRID)
    index = efi(forecast, climate)
    assert index.attrs["climate"] == "analyses of 1999 to 2000, 61 days around each date"
    at = {"init_time": 1, "lead_time": 2}
    quantiles = climate.at(forecast["valid_time"].isel(at).values[None])["geopotential"].values[0, :, 0].reshape(21, -1)
    members = forecast["geopotential"].isel(at).transpose("number", "level", ...).values[:, 0].reshape(9, -1)
    expected = extreme_forecast_index(members, quantiles, np.array(known))
    np.testing.assert_allclose(index["geopotential"].isel(at).isel(level=0).values.ravel(), expected, rtol=1e-5)


def test_levels_that_a_forecast_lacks_have_no_index(record):
    forecast = forecasts(n_members=2, step="12h", grid=GRID)
    forecast["geopotential"] = forecast["geopotential"].where(forecast["level"] == 850)
    climate = calendar_quantiles(record.sel(level=[850]), PERCENTILES, ("1999", "2000"))
    is_there = np.isfinite(efi(forecast, climate)["geopotential"])
    assert is_there.sel(level=850).all() and not is_there.sel(level=500).any()


def test_of_an_ensemble_of_one_it_is_said(record, caplog):
    with caplog.at_level(logging.WARNING):
        index = efi(forecasts(grid=GRID), calendar_quantiles(record, PERCENTILES, ("1999", "2000")))
    assert "the forecast has one member" in caplog.text
    assert float(abs(index["geopotential"]).max()) <= 1


def test_a_climate_of_the_times_that_are_judged_is_told(record, caplog):
    efi(forecasts(grid=GRID, n_members=3), calendar_quantiles(record, PERCENTILES, ("1999", "2001")))
    assert "of 1999 .. 2001 knows" in caplog.text
