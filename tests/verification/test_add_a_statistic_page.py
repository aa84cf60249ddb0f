"""What the page on statistics shows is what is judged."""

import re

import numpy as np
import pytest
from docs_page import DOCS, python_of
from fake_data import analyses, as_forecast, forecasts

from weatherml.grid import LatLonGrid
from weatherml.verification.metrics.registry import registry

PAGE = "add_a_statistic.md"
VARIABLES = {"specific_humidity": (700, 850), "u_component_of_wind": (850,), "2m_temperature": ()}


@pytest.fixture
def names(monkeypatch):
    """What the page defines, given a forecast and a truth."""
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    forecast = forecasts(VARIABLES, n_members=2)
    levels = {name: forecast[name].where(forecast.level.isin(own)) for name, own in VARIABLES.items() if own}
    names = {"__name__": PAGE, "forecast": forecast.assign(levels), "truth": analyses(VARIABLES)}
    exec(python_of(PAGE), names)
    return names


def area_mean(field):
    share = LatLonGrid.regular(7, 12).cell_areas() / LatLonGrid.regular(7, 12).cell_areas().sum()
    return (field.transpose(..., "latitude", "longitude").mean("longitude").values @ share).mean(0)


def estimate(scores, name, channel):
    return scores[name].sel(bound="estimate", channel=channel).values


def test_the_page_judges_what_it_says(names):
    forecast, truth = names["forecast"].drop_vars("valid_time"), as_forecast(names["truth"], names["forecast"])
    mean = forecast.mean("number").astype(float)
    error = mean["2m_temperature"] - truth["2m_temperature"]
    for tolerance in (1, 2):
        found = estimate(names["scores"].sel(region="global"), f"within(tolerance={tolerance})", "2m_temperature")
        np.testing.assert_allclose(found, area_mean(abs(error) <= tolerance), rtol=1e-6)
    assert names["where"]["within(tolerance=1)"].sel(channel="2m_temperature").mean() == pytest.approx(
        float((abs(error) <= 1).mean())
    )
    flux = [own["specific_humidity"] * own["u_component_of_wind"] for own in (mean, truth)]
    squared = ((flux[0] - flux[1]) ** 2).sel(level=850)
    found = estimate(names["flux"], "flux_rmse", "moisture_flux_850")
    np.testing.assert_allclose(found, np.sqrt(area_mean(squared)), rtol=1e-5)
    zonal = (error.mean("longitude") ** 2).expand_dims(longitude=12)
    found = estimate(names["zonal"], "zonal_mean_rmse", "2m_temperature")
    np.testing.assert_allclose(found, np.sqrt(area_mean(zonal)), rtol=1e-6)


def test_a_statistic_and_its_metric_are_less_than_twenty_lines():
    first = re.search(r"^@dataclass.*?^```$", (DOCS / PAGE).read_text(), re.MULTILINE | re.DOTALL)[0]
    assert "class Within" in first
    assert "registry.register" in first
    assert len([line for line in first.splitlines() if line.strip()]) < 20
