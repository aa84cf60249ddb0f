"""What the page on thresholds shows is what is found."""

import logging

import numpy as np
import pytest
from docs_page import python_of
from fake_data import analyses, as_forecast, forecasts

from weatherml.extremes.thresholds.indices import extreme_forecast_index
from weatherml.grid import LatLonGrid

PAGE = "thresholds.md"
VARIABLES = {"2m_temperature": ()}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """What the page defines, given what it says it is given."""
    grid = LatLonGrid.regular(4, 6, poles=False)
    forecast = 280 + forecasts(VARIABLES, n_init=2, n_members=6, step="12h", grid=grid)
    truth = 280 + analyses(VARIABLES, times=9, step="12h", grid=grid)
    names = {
        "__name__": PAGE,
        "analyses": 280 + analyses(VARIABLES, times=2 * 731, step="12h", start="1999-01-01", grid=grid),
        "forecast": forecast.assign_coords(valid_time=forecast["init_time"] + forecast["lead_time"]),
        "truth": truth,
        "reforecasts": 280
        + forecasts(VARIABLES, n_init=40, n_members=3, step="12h", start="1999-01-01", grid=grid, seed=5),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        exec(python_of(PAGE), names)
    return names


def test_the_page_says_of_what_its_climates_are(page):
    assert page["judged"].attrs["threshold"] == "analyses of 1999 to 2000, 31 days around each date"
    assert page["index"].attrs["climate"] == "re-forecasts: 40 runs of 3 members, 1999-01-01 to 1999-02-09"


def test_the_probabilities_of_the_page_are_counts_of_members(page):
    count = 6 * page["probability"]["2m_temperature"].values
    np.testing.assert_allclose(count, count.round(), atol=1e-5)
    np.testing.assert_allclose(page["cautious"]["2m_temperature"], (count + 1) / 8, rtol=1e-6)


def test_the_index_of_the_page_is_the_formula(page):
    quantiles = page["drifting"].dataset["2m_temperature"].isel(lead_time=-1).values.reshape(101, -1)
    members = page["forecast"]["2m_temperature"].transpose("init_time", "lead_time", "number", ...).values[0, -1]
    expected = extreme_forecast_index(members.reshape(6, -1), quantiles, np.linspace(0, 1, 101))
    np.testing.assert_allclose(page["index"]["2m_temperature"].values[0, -1].ravel(), expected, atol=1e-5)


def test_both_errors_of_the_highest_values_are_judged(page):
    """The relative one with the levels of the paper, the absolute one with those of its code."""
    relative, absolute = (page["heights"][name].sel(bound="estimate")[..., 0].item() for name in page["heights"])
    truth = as_forecast(page["truth"], page["forecast"])["2m_temperature"].isel(lead_time=0).values.reshape(2, -1)
    made = page["forecast"]["2m_temperature"].isel(lead_time=0).transpose("init_time", "number", ...).values
    for found, levels in ((relative, np.logspace(-1, -4, 50)), (absolute, np.logspace(-3, -0.1, 100))):
        own, true = np.quantile(made.reshape(2, 6, -1), 1 - levels, axis=-1), np.quantile(truth, 1 - levels, axis=-1)
        apart = own.mean(-1) - true
        expected = (apart / true).sum(0) if len(levels) == 50 else apart.mean(0)
        assert found == pytest.approx(expected.mean(), rel=2e-3)


def test_the_page_warns_of_nothing(page, caplog):
    with caplog.at_level(logging.WARNING):
        page["index"].load()
    assert not caplog.text
