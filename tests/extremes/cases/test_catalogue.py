"""Lists of cases in ExtremeWeatherBench's form."""

import pytest

from weatherml.errors import UserError
from weatherml.extremes.cases.catalogue import listed_in
from weatherml.extremes.cases.region import Bounds
from weatherml.extremes.hazards.registry import known

ENTRY = """
- case_id_number: {number}
  title: Somewhere
  start_date: 2022-05-07 00:00:00
  end_date: 2022-05-17 06:00:00
  location:
    type: {kind}
    parameters: {parameters}
  event_type: freeze
"""
BOX = "{latitude_min: 19.5, latitude_max: 48.25, longitude_min: -9.75, longitude_max: 16}"


@pytest.fixture
def written(tmp_path):
    def write(*entries, head=""):
        path = tmp_path / "events.yaml"
        path.write_text(head + "".join(entries))
        return path

    return write


def entry(number=3, kind="bounded_region", parameters=BOX):
    return ENTRY.format(number=number, kind=kind, parameters=parameters)


def test_a_list_is_read_with_and_without_a_key_over_it(written):
    plain = listed_in(written(entry())).case(3)
    indented = entry().replace("\n", "\n  ")
    assert listed_in(written(indented, head="cases:")).case(3) == plain
    assert plain.place == Bounds(south=19.5, north=48.25, west=-9.75, east=16.0)


@pytest.mark.parametrize(
    ("size", "bounds"),
    [("10", (-35, -25, -180, -170)), ("[10, 30]", (-35, -25, -190, -160))],
)
def test_a_region_around_a_place_has_its_whole_width(written, size, bounds):
    parameters = f"{{latitude: -30, longitude: -175, bounding_box_degrees: {size}}}"
    place = listed_in(written(entry(kind="centered_region", parameters=parameters))).case(3).place
    assert (place.south, place.north, place.west, place.east) == bounds


def test_cases_are_chosen_by_hazard_and_by_a_period_that_they_share_a_time_with(written):
    cases = listed_in(written(entry(1), entry(2).replace("2022", "2023").replace("freeze", "heat_wave")))
    assert [own.case_id_number for own in cases.only(hazard="heat_wave")] == [2]
    assert [own.case_id_number for own in cases.only(period=("2022-05-17", "2022-12"))] == [1]
    assert [own.case_id_number for own in cases.only(period=("2022-05-18", "2022-12"))] == []
    with pytest.raises(UserError, match="has no case of 'sandstorm', only of freeze, heat_wave"):
        cases.only(hazard="sandstorm")


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([entry(7)], "no such case: .* has no number 3, only 7 .. 7"),
        ([entry(kind="shapefile_region", parameters="{shapefile_path: a.shp}")], "lies in a shapefile_region"),
        ([entry(parameters="{latitude_min: 1}")], "its bounded_region lacks 'latitude_max'"),
        ([entry(3), entry(3)], "has case 3 twice"),
        ([entry().replace("event_type", "event")], r"entry 1: unknown key 'event'"),
        (["a: 1"], "is no list of cases"),
    ],
)
def test_a_bad_list_is_one_line(written, entries, told):
    with pytest.raises(UserError, match=told):
        _ = listed_in(written(*entries)).case(3).place


def test_own_cases_are_of_known_hazards():
    own = listed_in()
    assert len({case.case_id_number for case in own}) == len(own) >= 2
    assert {case.event_type for case in own} <= {*known(), "heat_wave", "storm"}
    assert all(case.place for case in own)
