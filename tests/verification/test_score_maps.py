"""Scores at each point against numpy, and what sums of them obey."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.verification import MapSums, accumulate_maps, evaluate, evaluate_maps, summarize_maps
from weatherml.verification.metrics.deterministic.winds import WINDS

NAMES = ("rmse", "bias", "crps_fair", "csi(threshold=0.1)", "acc")


@pytest.fixture(scope="module")
def truth():
    return analyses()


@pytest.fixture(scope="module")
def forecast():
    return forecasts(n_members=3)


def errors(forecast, truth, name):
    """Of the ensemble mean, dims of the forecast."""
    true = as_forecast(truth, forecast)[name]
    return forecast[name].astype(float).mean("number", skipna=False) - true


def test_a_map_is_a_mean_over_init_times(forecast, truth):
    maps = evaluate_maps(forecast, truth, ["rmse", "bias"])
    assert maps["rmse"].dims == ("channel", "lead_time", "latitude", "longitude")
    error = errors(forecast, truth, "geopotential").sel(level=850)
    for name, expected in {"rmse": np.sqrt((error**2).mean("init_time")), "bias": error.mean("init_time")}.items():
        found = maps[name].sel(channel="geopotential_850")
        np.testing.assert_allclose(found, expected.transpose(*found.dims), atol=1e-6)


def test_events_are_counted_at_each_point(forecast, truth):
    name = "pod(threshold=0.1)"
    found = evaluate_maps(forecast, truth, name)[name].sel(channel="2m_temperature").isel(lead_time=1)
    made = forecast["2m_temperature"].mean("number").isel(lead_time=1) > 0.1
    true = as_forecast(truth, forecast)["2m_temperature"].isel(lead_time=1) > 0.1
    np.testing.assert_allclose(found, (made & true).sum("init_time") / true.sum("init_time"))


def test_maps_have_no_regions(forecast, truth):
    with pytest.raises(UserError, match="has no regions; leave regions out, or score them with evaluate"):
        evaluate_maps(forecast, truth, "rmse", regions=["tropics"])


def test_area_means_of_maps_are_scores(forecast, truth):
    maps = evaluate_maps(forecast, truth, ["mse", "crps_fair"])
    areas = xr.DataArray(LatLonGrid.regular(7, 12).cell_areas(), dims="latitude")
    scores = evaluate(forecast, truth, ["mse", "crps_fair"]).sel(bound="estimate", drop=True)
    means = maps.weighted(areas).mean(["latitude", "longitude"])
    xr.testing.assert_allclose(means.drop_attrs(), scores.drop_attrs(), rtol=1e-6)


@pytest.mark.parametrize("by", [None, "init_hour", "valid_hour"])
def test_parts_of_other_init_times_add_up_in_any_order(truth, by, tmp_path):
    forecast, climatology = forecasts(n_members=3, init_step="6h"), analyses(seed=3)
    whole = evaluate_maps(forecast, truth, NAMES, climatology, by=by)
    parts = [accumulate_maps(forecast.isel(init_time=[i]), truth, NAMES, climatology, by=by) for i in (2, 0, 3, 1)]
    parts[1].save(tmp_path / "part.nc")
    total = parts[0] + MapSums.load(tmp_path / "part.nc") + (parts[2] + parts[3])
    xr.testing.assert_allclose(summarize_maps(total, NAMES).transpose(*whole.dims), whole.transpose(*whole.dims))
    with pytest.raises(UserError, match=r"two parts both hold maps of init time 2001-01-01T12:00; add parts"):
        total + parts[0]


def test_maps_are_as_large_for_many_init_times_as_for_few(truth):
    few, many = (accumulate_maps(forecasts(n_init=n, init_step="6h"), truth, "rmse").dataset for n in (2, 16))
    assert few.drop_dims("init_time").nbytes == many.drop_dims("init_time").nbytes
    assert many.nbytes - few.nbytes <= 14 * (8 + 3 * 8)  # the times themselves


def test_groups_of_times_have_maps_of_their_own(forecast, truth):
    maps = evaluate_maps(forecast, truth, "mse", by="valid_hour")["mse"]
    assert maps.dims[0] == "valid_hour"
    error = errors(forecast, truth, "2m_temperature").sel(lead_time="12h")
    own = maps.sel(valid_hour="12", lead_time="12h", channel="2m_temperature")
    np.testing.assert_allclose(own, (error**2).mean("init_time"), atol=1e-6)
    assert maps.sel(valid_hour="06", lead_time="12h").isnull().all()


def test_a_point_counts_as_often_as_it_is_there(forecast, truth):
    holed = forecast.copy(deep=True)
    holed["2m_temperature"][:3, :, 1, 2:, 4] = np.nan
    maps = evaluate_maps(holed, truth, "bias", missing="count")["bias"].sel(channel="2m_temperature").isel(lead_time=1)
    error = errors(holed, truth, "2m_temperature").isel(lead_time=1)
    np.testing.assert_allclose(maps, error.mean("init_time"), atol=1e-6)


def test_a_wind_has_a_map_and_its_components_have_none():
    variables = dict.fromkeys(WINDS["10m_wind"], ())
    maps = evaluate_maps(forecasts(variables), analyses(variables), "wind_vector_rmse")["wind_vector_rmse"]
    assert maps.notnull().all(["lead_time", "latitude", "longitude"]).values.tolist() == [False, False, True]


@pytest.mark.parametrize("name", ["spectrum", "acc_centred", "fss(radius=500, threshold=0)"])
def test_what_needs_whole_fields_has_no_map(forecast, truth, name):
    with pytest.raises(UserError, match="is of whole fields and has no map; leave its metric out"):
        evaluate_maps(forecast, truth, name, analyses(seed=2))


def test_another_file_is_no_map(truth, tmp_path):
    truth.to_netcdf(tmp_path / "other.nc")
    with pytest.raises(UserError, match=r"other.nc holds no maps of statistics; write some with MapSums.save"):
        MapSums.load(tmp_path / "other.nc")
