"""HURDAT2: what is read of it, and that what is written is the text again."""

import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.extremes.tracks import each
from weatherml.extremes.tracks.best_tracks import hurdat2, read

TEXT = """\
AL012099,            UNNAMED,      2,
20990520, 0000,  , EX, 30.3N,   0.5E,  30, -999,    0,    0,    0,    0, -999, -999, -999, -999,    0,    0,    0,    0,   70
20990520, 0430, L, HU,  1.5S, 179.5W, 145,  913,  100,    0,   30,   60,    0,    0,    0,    0,    0,    0,    0,    0, -999
EP022099,                ANA,      1,
20991231, 1800,  , TD,  9.0N,  99.9W, -99, 1008,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,   15
"""  # noqa: E501
WITHOUT_RADIUS = "\n".join(line if line.count(",") < 9 else line[:-5] for line in TEXT.splitlines()) + "\n"


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "best_tracks.txt"
        path.write_text(text)
        return path

    return write


def test_knots_hpa_and_sides_become_si_units_and_degrees_east(written):
    tracks = read(written(TEXT))
    np.testing.assert_allclose(tracks["maximum_wind_speed"], [30 * 0.514444, 145 * 0.514444, np.nan], rtol=1e-5)
    np.testing.assert_array_equal(tracks["mean_sea_level_pressure"], [np.nan, 91300, 100800])
    np.testing.assert_array_equal(tracks["radius_of_34kt_wind_sw"], [0, 30 * 1852, 0])
    np.testing.assert_array_equal(tracks["radius_of_50kt_wind_ne"], [np.nan, 0, 0])
    np.testing.assert_array_equal(tracks["latitude"], [30.3, -1.5, 9])
    np.testing.assert_array_equal(tracks["longitude"], [0.5, 180.5, 260.1])
    assert tracks["status"].values.tolist() == ["EX", "HU", "TD"]
    assert tracks["record_identifier"].values.tolist() == ["", "L", ""]
    assert tracks["time"].values[1] == np.datetime64("2099-05-20T04:30")
    assert [(number, str(own["name"].values[0]), own.sizes["record"]) for number, own in each(tracks)] == [
        (0, "UNNAMED", 2),
        (1, "ANA", 1),
    ]


@pytest.mark.parametrize("text", [TEXT, WITHOUT_RADIUS])
def test_what_is_written_is_the_text_again(text, written, tmp_path):
    tracks = hurdat2.read(written(text))
    hurdat2.write(tracks, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == text
    assert ("radius_of_maximum_wind" in tracks) == (text is TEXT)


def test_every_storm_of_two_atlantic_seasons_comes_back_as_it_was(shared, tmp_path):
    path = shared("reference/cyclones/hurdat2_atlantic_2021_2022.txt")
    tracks = hurdat2.read(path)
    hurdat2.write(tracks, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text().splitlines() == path.read_text().splitlines()
    assert len(set(tracks["storm_id"].values)) == 37


def test_tracks_of_a_forecast_are_written_with_what_they_know(written, tmp_path):
    tracks = hurdat2.read(written(TEXT))[["track_id", "time", "latitude", "longitude", "storm_id"]]
    hurdat2.write(tracks, tmp_path / "again.txt")
    header, line, *_ = (tmp_path / "again.txt").read_text().splitlines()
    assert header == TEXT.splitlines()[0]
    assert line == f"20990520, 0000,  ,   , 30.3N,   0.5E, -99,{' -999,' * 13}"
    with pytest.raises(UserError, match="no storm_id"):
        hurdat2.write(tracks.drop_vars("storm_id"), tmp_path / "again.txt")


def test_no_storms_are_an_empty_text(written, tmp_path, caplog):
    none = hurdat2.read(written(WITHOUT_RADIUS)).isel(record=slice(0))
    hurdat2.write(none, tmp_path / "none.txt")
    again = hurdat2.read(tmp_path / "none.txt")
    assert list(again.variables) and set(again.variables) == set(none.variables)
    assert again.sizes["record"] == 0
    assert "none.txt has no storms" in caplog.text


def test_winds_and_pressures_of_0_are_not_known(written):
    tracks = hurdat2.read(written(TEXT.replace(" 145,  913,", "   0,    0,")))
    assert np.isnan(tracks[["maximum_wind_speed", "mean_sea_level_pressure"]].isel(record=1).to_array()).all()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"storm_id": ["AL012099"] * 2 + ["S"]}, "'S' is none of HURDAT2"),
        ({"storm_id": ["AL012099"] * 3}, "storm_id AL012099 has track_id 0 and 1, and HURDAT2 knows storms by"),
        ({"storm_id": ["AL012099", "AL022099", "AL032099"]}, "track_id 0 has storm_id AL012099 and AL022099"),
        ({"number": [0, 0, 1]}, "tracks of 2 members would be mixed"),
    ],
)
def test_what_the_text_cannot_hold_is_not_written(columns, words, written, tmp_path):
    tracks = hurdat2.read(written(TEXT))
    with pytest.raises(UserError, match=words):
        hurdat2.write(tracks.assign({name: ("record", own) for name, own in columns.items()}), tmp_path / "again.txt")
    assert not (tmp_path / "again.txt").exists()


def test_times_between_minutes_are_not_written(written, tmp_path):
    tracks = hurdat2.read(written(TEXT))
    late = tracks.assign(time=tracks["time"] + np.timedelta64(10, "s"))
    with pytest.raises(UserError, match="whole minutes, tracks have 2099-05-20T00:00:10"):
        hurdat2.write(late, tmp_path / "again.txt")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("30.3N", "30.3", "line 2 is no record"),
        ("0430, L", "2530, L", "line 3 is no record"),
        ("      2,", "      3,", "line 4 is no record of HURDAT2: 'EP022099"),
        ("      2,", "      1,", "line 3 is no header"),
        (TEXT.splitlines()[-1], "", "ends 1 record before the end of EP022099"),
        (TEXT, "nothing", "line 1 is no header"),
        ("ANA", "ANÁ", "is no plain text"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old, new, words, written):
    with pytest.raises(UserError, match=words):
        hurdat2.read(written(TEXT.replace(old, new)))


def test_a_file_of_another_kind_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"tracks\.xlsx ends in none of \.txt, \.csv"):
        read(tmp_path / "tracks.xlsx")
    with pytest.raises(UserError, match=r"none\.txt cannot be read"):
        read(tmp_path / "none.txt")
