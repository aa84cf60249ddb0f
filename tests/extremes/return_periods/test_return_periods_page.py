"""What the page on return periods shows is what is found."""

import numpy as np
import pytest
import xarray as xr
from docs_page import python_of
from fake_data import analyses, as_forecast, forecasts

from weatherml.grid import LatLonGrid

PAGE = "return_periods.md"


@pytest.fixture(scope="module")
def page():
    """What the page defines, of twenty years of daily values at four places."""
    times = np.arange("1990-01-01", "2010-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
    values = 290 + np.random.default_rng(0).gumbel(size=(len(times), 2, 2)).astype(np.float32)
    places = {"latitude": [60.0, 30.0], "longitude": [0.0, 90.0]}
    record = xr.DataArray(values, {"time": times} | places, ("time", "latitude", "longitude"))
    grid = LatLonGrid.from_dataset(record)
    forecast = 296 + forecasts({"2m_temperature": ()}, n_members=3, grid=grid)
    names = {
        "__name__": PAGE,
        "record": record,
        "forecast": forecast,
        "truth": 296 + analyses({"2m_temperature": ()}, grid=grid),
    }
    exec(python_of(PAGE), names)
    return names


def test_levels_of_the_page_are_those_of_the_distribution_it_was_drawn_from(page):
    """The largest of 365 Gumbel values is Gumbel, and higher by log 365."""
    truth = 290 + np.log(365.25) - np.log(-np.log(1 - 1 / 10))
    own = page["levels"]["level"].sel(return_period=10)
    assert ((own.sel(bound="lower") < truth) & (truth < own.sel(bound="upper"))).mean() >= 0.75
    truth_of_peaks = 290 - np.log(-np.log(1 - 1 / (50 * 365.25)))
    bounds = page["by_profile"]["level"].isel(return_period=0)
    assert ((bounds.sel(bound="lower") < truth_of_peaks) & (truth_of_peaks < bounds.sel(bound="upper"))).all()


def test_the_largest_value_of_twenty_years_is_exceeded_about_once_in_twenty(page):
    years = page["how_rare"]["return_period"]
    assert 5 < years.sel(bound="estimate").median() < 100
    assert (years.sel(bound="lower") < years.sel(bound="upper")).all()


def test_a_level_is_the_threshold_of_a_verdict(page):
    assert page["judged"].attrs["base_rate"] == 1 / 3652
    level = page["ten_years"]["2m_temperature"]
    probability = (page["forecast"]["2m_temperature"] > level).mean("number")
    event = as_forecast(page["truth"], page["forecast"])["2m_temperature"] > level
    areas = xr.DataArray(LatLonGrid.from_dataset(level).cell_areas(), dims="latitude")
    expected = ((probability - event) ** 2).mean(["init_time", "longitude"]).weighted(areas).mean("latitude")
    assert 0 < expected.max() and event.any()
    np.testing.assert_allclose(page["judged"]["brier"].sel(bound="estimate")[0], expected, rtol=1e-5)
