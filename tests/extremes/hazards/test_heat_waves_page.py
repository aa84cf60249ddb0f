"""What the page on heat waves shows is what is found."""

import numpy as np
import pytest
import xarray as xr
from docs_page import python_of

from weatherml.grid import LatLonGrid

PAGE = "heat_waves.md"
GRID = LatLonGrid(tuple(np.arange(70.0, 30, -8)), tuple(np.arange(0.0, 40, 8)))


def summer(year, n_days, *wave):
    """Return daily maxima of June that vary by a degree, in the wave ten degrees more."""
    values = np.random.default_rng(year).normal(293, 1, (n_days, *GRID.shape)).astype(np.float32)
    for first, last in wave:
        values[first : last + 1, 1:4, 1:4] += 10
    coords = {"time": np.datetime64(f"{year}-06-01", "ns") + np.arange(n_days) * np.timedelta64(1, "D")}
    coords |= {"latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}
    return xr.Dataset({"2m_temperature": (tuple(coords), values)}, coords)


@pytest.fixture(scope="module")
def names():
    """What the page defines: of four members two have the wave that came, one has it two days late, one has none."""
    truth = summer(2015, 24, (10, 16))
    runs = [truth, truth, summer(2015, 24, (12, 18)), summer(2015, 24)]
    leads = truth["time"].values[6:] - truth["time"].values[6]
    named = [own.isel(time=slice(6, None)).rename(time="lead_time").assign_coords(lead_time=leads) for own in runs]
    forecast = xr.concat(named, "number").assign_coords(number=np.arange(4))
    names = {
        "__name__": PAGE,
        "analyses": xr.concat([summer(2011, 24), truth], "time"),
        "forecast": forecast.expand_dims(init_time=truth["time"].values[6:7]),
        "period": ("2011", "2011"),
        "summer": slice("2015-06-01", "2015-08-31"),
        "date": "2015-06-14",
    }
    exec(python_of(PAGE), names)
    return names


def test_the_page_finds_the_wave_that_was_planted(names):
    worst = names["worst"]
    assert str(worst["onset"].values)[:10] == "2015-06-11" and str(worst["end"].values)[:10] == "2015-06-17"
    assert 6 < worst["maximum_exceedance"] < 11


def test_the_page_says_what_members_made_of_it(names):
    errors = names["errors"]
    assert errors["onset_error"].values.tolist() == [0, 0, 2] and names["late"] == pytest.approx(2 / 3)
    assert names["found"].values.tolist() == [1, 1, 1, 0]


def test_the_page_says_how_probable_it_was(names):
    assert names["probability"].sel(lead_time="7D").max() == 0.75  # the 14th
    assert names["signal"]["probability"].item() == 0.75 and names["signal"]["lead_time"].dt.days.item() == 7
    assert np.isfinite(names["scores"]["brier(threshold=0.5)"].sel(bound="estimate")).all()
