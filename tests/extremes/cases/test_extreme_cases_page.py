"""What the page on cases shows is what is found, and its file of a case is one."""

import re
import shlex
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from docs_page import DOCS, python_of
from fake_data import analyses, as_forecast, forecasts
from tiny_experiment import done

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


@pytest.fixture(scope="module")
def own_data(tmp_path_factory):
    """The files that the page's examples name: two summers of a warm continent, a hot week and forecasts of it."""
    folder = tmp_path_factory.mktemp("data")
    grid = LatLonGrid(latitude=(55.0, 50.0, 45.0), longitude=(0.0, 10.0, 20.0))
    surface = {"2m_temperature": ()}
    years = [(2012, "2012-03-01", "2012-09-01"), (2015, "2015-03-20", "2015-07-21")]
    for year, first, last in years:
        days = np.arange(first, last, dtype="M8[D]").astype("M8[ns]")
        truth = analyses(surface, days, grid=grid, seed=year) + np.float32(290)
        truth["2m_temperature"].loc[{"time": slice("2015-06-30", "2015-07-07")}] += 8
        truth["2m_temperature"].attrs["units"] = "K"
        truth.to_zarr(folder / f"era5_{year}.zarr")
    like = forecasts(surface, n_init=7, n_lead=15, n_members=3, step="24h", start="2015-06-24", grid=grid)
    ours = like + as_forecast(truth, like.isel(number=0, drop=True))
    ours["2m_temperature"].attrs["units"] = "K"
    ours.to_zarr(folder / "forecast.zarr")
    box = "latitude_min: 42.5, latitude_max: 55, longitude_min: 0, longitude_max: 20"
    (folder / "events.yaml").write_text(
        f"""
- {{case_id_number: 30, title: A hot week, start_date: 2015-06-30, end_date: 2015-07-08, event_type: heat_wave,
   location: {{type: bounded_region, parameters: {{{box}}}}}}}
"""
    )
    first, more = re.findall(r"^```yaml\n(.*?)^```$", (DOCS / PAGE).read_text(), re.MULTILINE | re.DOTALL)
    (folder / "heat.yaml").write_text(first)
    (folder / "more.yaml").write_text(yaml.safe_dump(yaml.safe_load(first) | yaml.safe_load(more)))
    return folder


def commands():
    """The page's commands, as words."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (DOCS / PAGE).read_text(), re.MULTILINE | re.DOTALL)
    return [shlex.split(line, comments=True)[1:] for line in "".join(blocks).splitlines()]


def shorter(words):
    """The command, but that of a second page: one drawn is enough."""
    return words if "-o" not in words or words[1] == "heat.yaml" else words[: words.index("-o")]


@pytest.mark.parametrize("words", [shorter(own) for own in commands() if "--workers" not in own], ids=" ".join)
def test_every_command_of_the_page_runs(own_data, words):
    with chdir(own_data):
        told = done(*words, *(["--overwrite"] if "-o" in words else []))
        assert told.strip()
        for place in (n for n, word in enumerate(words) if word == "-o"):
            assert "likely, at 50 % or more, from" in Path(words[place + 1]).read_text()


def test_the_case_that_says_more_has_calibrated_probabilities_and_an_index(own_data):
    with chdir(own_data):
        done("extremes", "more.yaml", "-o", "more.html")
        text = Path("more.html").read_text()
    for words in ("Calibrated probabilities", "seasons: learnt from", "How unusual", "in interval, %"):
        assert words in text
    assert text.count('<source media="(max-width: 40rem)"') == text.count("<picture>") == 5


def test_the_file_of_the_page_names_every_hazard(own_data):
    case = read_case(own_data / "heat.yaml")
    assert (case.hazard, case.least_share, list(case.systems)) == ("heat_wave", 0.3, ["ours", "persistence"])
    told = re.search(r"hazard: (\w+) +# ([\w ]+)", (own_data / "heat.yaml").read_text())
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
    assert "ours, from 2026-01-24 00 UTC. Tracks that come into the region" in text
    assert "By <code>ours</code> it was likely, at 50 % or more, from 36 h before the onset on" in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_what_is_watched_is_that_of_the_stored_forecast(names):
    forecast = names["forecast"]
    stored = forecast.quantile(np.linspace(0.1, 0.9, 9), "number")
    xr.testing.assert_allclose(names["quantiles"].transpose(*stored["mean_sea_level_pressure"].dims), stored)
    alone = track(forecast.isel(init_time=[1], number=[0]), *EXTRATROPICAL)
    np.testing.assert_allclose(names["storms"][3]["longitude"].values, alone["longitude"].values)
    assert len(names["storms"]) == 6
