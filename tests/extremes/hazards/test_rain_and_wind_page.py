"""What the page on rain and wind shows is what is judged."""

import fake_data
import numpy as np
import pytest
from docs_page import python_of

from weatherml.grid import LatLonGrid

PAGE = "rain_and_wind.md"
GRID = LatLonGrid(tuple(np.arange(60.0, 40, -2)), tuple(np.arange(0.0, 30, 2)))
VARIABLES = {"total_precipitation_6hr": (), "10m_u_component_of_wind": (), "10m_v_component_of_wind": ()}


@pytest.fixture(scope="module")
def names():
    def of(dataset):
        rain = dataset["total_precipitation_6hr"]
        return (8 * dataset).assign(total_precipitation_6hr=0.006 * abs(rain))

    names = {
        "__name__": PAGE,
        "analyses": of(fake_data.analyses(VARIABLES, 16, grid=GRID)),
        "truth": of(fake_data.analyses(VARIABLES, 20, grid=GRID, seed=2)),
        "forecast": of(fake_data.forecasts(VARIABLES, 2, 5, 2, grid=GRID)),
        "period": ("2001", "2001"),
    }
    exec(python_of(PAGE), names)
    return names


def test_the_page_judges_rain_of_24_hours(names):
    assert names["came"]["total_precipitation_24hr"].sizes["time"] == 17
    wide, narrow = (names["fractions"][f"fss(radius={km})"].sel(bound="estimate") for km in (300, 100))
    assert (wide > narrow).all() and names["probabilities"]["brier"].sel(bound="estimate").notnull().all()
    assert names["compared"]["structure"].shape == (2, 2, 2) and names["too_wide"].dims == ("init_time", "lead_time")
    assert 0 <= names["hit_rate"] <= 1


def test_the_page_judges_storms(names):
    assert names["severity"].dims == ("init_time", "lead_time", "number") and (names["severity"] >= 0).all()
    assert names["storms"].sizes["object"] > 0 and (names["storms"]["greatest_ratio"] > 1).all()
