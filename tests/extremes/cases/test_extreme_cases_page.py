"""What the page on cases shows is what is found, and its file of a case is one."""

import re
from contextlib import chdir

import numpy as np
import pytest
import xarray as xr
from docs_page import DOCS, python_of

from weatherml.extremes.cases.config import read_case
from weatherml.extremes.hazards.registry import known
from weatherml.extremes.tracks.presets import EXTRATROPICAL
from weatherml.extremes.tracks.tracking import track
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import distance

PAGE = "extreme_cases.md"
GRID = LatLonGrid.regular(37, 72)
INITS = np.array(["2026-01-23", "2026-01-24"], "datetime64[ns]")
LEADS = np.arange(1, 11) * np.timedelta64(6, "h").astype("timedelta64[ns]")


def pressure(centres, depth):
    """A low over 990 hPa at 50 north and at each of some longitudes."""
    latitude, longitude = np.array(GRID.latitude)[:, None], np.array(GRID.longitude)
    far = distance(latitude, longitude, 50, np.asarray(centres)[..., None, None])
    return (99_000 - depth * np.exp(-((far / 700) ** 2))).astype(np.float32)


def dataset(values, coords):
    horizontal = {"latitude": np.array(GRID.latitude), "longitude": np.array(GRID.longitude)}
    return xr.Dataset({"mean_sea_level_pressure": ((*coords, *horizontal), values)}, {**coords, **horizontal})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page is written."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def names(folder):
    """A low that goes east at 8 degrees in six hours; of three members, in two it is deep enough."""
    times = np.arange(INITS[0] - np.timedelta64(2, "D"), INITS[1] + LEADS[-1] + np.timedelta64(1, "s"), LEADS[0])
    since = (times - INITS[0]) / LEADS[0]
    truth = dataset(pressure(130 + 8 * since, 5_000), {"time": times})
    ahead = (INITS[:, None] + LEADS - INITS[0]) / LEADS[0]
    members = np.stack([pressure(130 + 8 * ahead, depth) for depth in (5_000, 4_000, 1_000)], axis=2)
    forecast = dataset(members, {"init_time": INITS, "lead_time": LEADS, "number": np.arange(3)})
    own = {"__name__": PAGE, "truth": truth, "forecast": forecast}
    with chdir(folder):
        exec(python_of(PAGE), own)
    return own


def test_the_file_of_the_page_is_a_case(tmp_path):
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", (DOCS / PAGE).read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "case.yaml").write_text(block)
    case = read_case(tmp_path / "case.yaml")
    assert (case.hazard, case.least_share, list(case.systems)) == ("heat_wave", 0.3, ["ours", "persistence"])
    told = re.search(r"hazard: (\w+) +# ([\w ]+)", block)
    assert {told[1], *told[2].split()} == {name for name in known() if not name.endswith("of_tests")}


def test_the_event_of_the_page_happens_in_two_members_of_three(names):
    assert names["outcome"].truth.happened
    np.testing.assert_allclose(names["probability"].sel(bound="estimate"), 2 / 3)
    assert (names["probability"].sel(bound="lower") > 0.2).all()
    assert names["table"]["onset_error"].tolist() == [0, 0]
    brier = names["brier"].sel(bound="estimate", system="ours").values
    assert np.nanmax(brier) > 0.02


def test_the_page_of_a_storm_has_its_tracks_and_nothing_of_the_network(names, folder):
    text = (folder / "low.html").read_text()
    assert "ours, from 2026-01-24 00 UTC: tracks that come into the region" in text
    assert "By <code>ours</code> it was likely, at 50 % or more, from 36 h before the onset on" in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_what_is_watched_is_that_of_the_stored_forecast(names):
    forecast = names["forecast"]
    stored = forecast.quantile(np.linspace(0.1, 0.9, 9), "number")
    xr.testing.assert_allclose(names["quantiles"].transpose(*stored["mean_sea_level_pressure"].dims), stored)
    alone = track(forecast.isel(init_time=[1], number=[0]), *EXTRATROPICAL)
    np.testing.assert_allclose(names["storms"][3]["longitude"].values, alone["longitude"].values)
    assert len(names["storms"]) == 6
