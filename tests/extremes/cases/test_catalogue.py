"""Lists of cases in ExtremeWeatherBench's form."""

import re

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


AROUND = "{latitude: -30, longitude: -175, bounding_box_degrees: SIZE}"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("19.5", ""), "its bounded_region: latitude_min is nothing, which is no number; write degrees"),
        (("19.5", "fortytwo"), "latitude_min is fortytwo, which is no number"),
        (("19.5", "[1]"), r"latitude_min is \[1\], which is no number"),
        (("19.5", "yes"), "latitude_min is True, which is no number"),
        (("19.5", ".nan"), "its bounded_region: south: Input should be a finite number, got nan"),
        (("19.5", "60"), "a region from 60 to 48.25 degrees north holds nothing"),
        ((BOX, "{}"), "its bounded_region lacks 'latitude_min'"),
        (("bounded_region", "centered_region", BOX, AROUND.replace("SIZE", "[5]")), r"\[5\] is no height and width"),
        (("bounded_region", "centered_region", BOX, AROUND.replace("SIZE", "[5, 6, 7]")), "is no height and width"),
        (("bounded_region", "centered_region", BOX, AROUND.replace("SIZE", "[5, a]")), "is a, which is no number"),
        (("2022-05-17", "2021-05-17"), "case 3: its period must run forward"),
        (("2022-05-07 00:00:00", "someday"), "case 3: its period 'someday' is no ISO 8601 time"),
        (("freeze", "frost"), "case 3: unknown hazard 'frost'"),
    ],
)
def test_a_faulty_case_is_listed_with_a_word_and_leaves_the_others_alone(changed, told, written, caplog):
    faulty = entry()
    for old, new in zip(changed[::2], changed[1::2], strict=True):
        faulty = faulty.replace(old, new)
    cases = listed_in(written(entry(1), faulty, entry(4, "shapefile_region", "{shapefile_path: a.shp}")))
    cases.warn_of_faults()
    (warning,) = caplog.messages
    assert re.search(rf"events.yaml: case 3: .*{told.removeprefix('case 3: ')}", warning)
    assert "\n" not in warning
    assert not cases.case(1).faults()
    assert {own.case_id_number for own in cases.only(period=("2022-05-17", "2022"))} >= {1, 4}


@pytest.mark.parametrize("given", [3, ["a", "b"]])
def test_what_is_no_file_is_no_list(given):
    with pytest.raises(UserError, match=r"the list of cases is a file, got .*; name one, such as list=events.yaml"):
        listed_in(given)


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
