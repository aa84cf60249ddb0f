"""`weatherml extremes`: one event from a file of a case to a page."""

import json

import numpy as np
import pytest
from fake_data import analyses
from tiny_experiment import done, refused

from weatherml.extremes.cases.catalogue import listed_in

SURFACE = {"2m_temperature": ()}
LIST = """
- {case_id_number: 5, title: Noise, start_date: 2002-06-20, end_date: 2002-06-22, event_type: heat_wave,
   location: {type: centered_region, parameters: {latitude: 0, longitude: 0, bounding_box_degrees: 90}}}
- {case_id_number: 6, title: Cold noise, start_date: 2003-01-01, end_date: 2003-01-02, event_type: freeze,
   location: {type: shapefile_region, parameters: {shapefile_path: a.shp}}}
"""
CASE = """
listed: 5
list: {folder}/events.yaml
truth: {folder}/truth.nc
climatology: {{period: [2001-06-01, 2001-07-10]}}
definition: {{percentile: 60, minimum_days: 2, window_days: 5}}
least_share: 0.3
init_times: {{first: 2002-06-18, last: 2002-06-20}}
lead_times: {{last: 6d}}
systems:
  last days: {{baseline: persistence_ensemble, members: 4}}
  stays: persistence
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with two summers of days, a list of cases and a case."""
    folder = tmp_path_factory.mktemp("case")
    days = np.concatenate([np.arange(f"{year}-06-01", f"{year}-07-11", dtype="M8[D]") for year in (2001, 2002)])
    truth = analyses(SURFACE, days.astype("datetime64[ns]")) * 5 + 290
    truth["2m_temperature"].attrs["units"] = "K"
    truth.to_netcdf(folder / "truth.nc")
    (folder / "events.yaml").write_text(LIST)
    (folder / "case.yaml").write_text(CASE.format(folder=folder))
    return folder


def test_a_case_of_a_list_is_judged_and_written_as_a_page(folder):
    page = folder / "page.html"
    told = json.loads(done("extremes", folder / "case.yaml", "-o", page, "--json"))
    assert told["case"] == "Noise"
    assert set(told["systems"]["last days"]["probability"].values()) <= {0, 0.25, 0.5, 0.75, 1}
    assert told["systems"]["stays"]["members"] == 1
    text = page.read_text()
    for words in ("How early it was seen", "Where", "Scores", "One event is no sample", "An ensemble of one says"):
        assert words in text
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "exists" in refused("extremes", folder / "case.yaml", "-o", page)


def test_values_on_the_command_line_win(folder):
    told = json.loads(done("extremes", folder / "case.yaml", "name=Mine", "definition.minimum_days=30", "--json"))
    assert (told["case"], told["happened"], told["onset"]) == ("Mine", False, None)


def test_workers_say_what_one_process_says(folder):
    words = ("extremes", folder / "case.yaml", "--json")
    assert done(*words, "--workers", 2) == done(*words)
    assert "is no address" in refused(*words, "--scheduler", "somewhere")


def test_a_case_of_a_list_needs_no_file_and_may_be_asked_for_by_its_title(folder):
    shared = (f"list={folder}/events.yaml", f"truth={folder}/truth.nc", "climatology.period=[2001-06-01, 2001-07-10]")
    own = ("systems={stays: persistence}", "init_times={first: 2002-06-18, last: 2002-06-20}", "lead_times.last=6d")
    told = json.loads(done("extremes", "listed=noise", *shared, *own, "--json"))
    assert (told["case"], list(told["systems"])) == ("Noise", ["stays"])
    assert "has none called 'Noisy'; did you mean 'Noise'" in refused("extremes", "listed=Noisy", *shared, *own)
    region = "region={south: -40, north: 40, west: -60, east: 60}"
    cold = ("listed=6", "period=[2002-06-20, 2002-06-22]", region, "definition.temperature=290")
    assert json.loads(done("extremes", *cold, *shared, *own, "--json"))["case"] == "Cold noise"
    assert "list names" in refused("extremes", folder / "case.yaml", "listed=null")


def test_a_hazard_describes_itself(folder):
    told = json.loads(done("extremes", "--describe", "heat_wave", "--json"))
    assert {own["name"]: own["default"] for own in told["keys"]}["percentile"] == 90
    shown = done("extremes", "--describe", "heat_wave")
    assert "percentile = 90 %" in shown and "2m_temperature" in shown
    assert "tropical_cyclone" in done("extremes", "--describe", "all")
    assert "unknown hazard 'heatwave'; did you mean" in refused("extremes", "--describe", "heatwave")
    told = refused("extremes", folder / "case.yaml", "definition.minimum_area=10")
    assert "minimum_area changes nothing of where a case has a heat wave" in told


def test_cases_are_listed_and_chosen(folder):
    own = json.loads(done("extremes", "--list", "--json"))
    assert [case["case_id_number"] for case in own] == [case.case_id_number for case in listed_in()]
    assert "shapefile region" in done("extremes", "--list", folder / "events.yaml")
    chosen = json.loads(done("extremes", "--list", folder / "events.yaml", "--hazard", "freeze", "--json"))
    assert [case["title"] for case in chosen] == ["Cold noise"]
    chosen = json.loads(done("extremes", "--list", folder / "events.yaml", "--period", "2002-06-22", "2002", "--json"))
    assert [case["title"] for case in chosen] == ["Noise"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["listed=7"], "no such case"),
        (["region={latitude: 50, longitude: 15, radius: 9}"], "the region is empty"),
        (["period=[2002-08-01, 2002-08-03]"], "the truth has no time in 2002-08-01 .. 2002-08-03"),
        (["systems={a: nowhere.zarr}"], "nowhere.zarr"),
        (["lead_times=null"], "no system tells when forecasts begin"),
        (["init_times.first=2001-01-01"], "last days cannot be made: the truth has no time 2001-01-01"),
        (["climatology=null"], "a heat wave is told from what is usual"),
        (["-o", "page.txt"], "is no page"),
    ],
)
def test_a_mistake_is_one_line(folder, words, told):
    assert told in refused("extremes", folder / "case.yaml", *words)


def test_a_list_takes_no_values_and_a_case_no_choice(folder):
    assert "--list takes the file of a list" in refused("extremes", "--list", "a=1")
    assert "belong to --list" in refused("extremes", folder / "case.yaml", "--hazard", "freeze")
    assert "needs the file of a case" in refused("extremes")
