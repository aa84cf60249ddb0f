"""Tracks in IMILAST's text: a hand-made file, what it refuses, and TRACK's whole winter there and back."""

import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.extremes.tracks import imilast, make

HEADER = "99 00,CycloneNo,StepNo,DateI10,Year,Month,Day,Time,LongE,LatN,MSL"
ROWS = """
90 1 2
00 1 1 2025123118 2025 12 31 18 -0.50 60.00 {0}
00 1 2 2026010100 2026 01 01 00 0.25 61.50 {1}
90 4 1
00 4 1 2026010100 2026 01 01 00 180.00 -82.50 {2}
"""


@pytest.fixture
def write(tmp_path):
    def written(*values, header=HEADER):
        (tmp_path / "tracks.txt").write_text(header + ROWS.format(*values))
        return tmp_path / "tracks.txt"

    return written


def test_a_file_is_read_and_written_as_it_was(write, tmp_path):
    path = write("-450.296577", "-539.574112", "-12.000000")
    tracks = imilast.read(path)
    assert tracks["track_id"].values.tolist() == [1, 1, 4]
    assert tracks["longitude"].values.tolist() == [359.5, 0.25, 180]
    assert tracks["latitude"].values.tolist() == [60, 61.5, -82.5]
    assert tracks["time"].values.astype("datetime64[h]").astype(str).tolist() == ["2025-12-31T18"] + 2 * [
        "2026-01-01T00"
    ]
    imilast.write(tracks, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == path.read_text().replace("90 4", "90 2").replace("00 4", "00 2")


@pytest.mark.parametrize(
    ("values", "name", "first"),
    [
        (("-450", "2", "-12"), "mean_sea_level_pressure_anomaly", -450),
        (("980.5", "1001", "1012"), "mean_sea_level_pressure", 98050),
        (("98050", "100100", "101200"), "mean_sea_level_pressure", 98050),
    ],
)
def test_pressure_is_known_by_its_values(write, values, name, first):
    pressure = imilast.read(write(*values))[name]
    assert (float(pressure[0]), pressure.attrs["units"]) == (first, "Pa")


def test_what_is_not_known_is_no_anomaly(write, tmp_path):
    tracks = imilast.read(write("985", "-999.0", "980"))
    np.testing.assert_array_equal(tracks["mean_sea_level_pressure"], [98_500, np.nan, 98_000])
    imilast.write(tracks, tmp_path / "again.txt")
    np.testing.assert_array_equal(
        imilast.read(tmp_path / "again.txt")["mean_sea_level_pressure"], [98_500, np.nan, 98_000]
    )
    anomaly = imilast.read(write("-450", "-9999", "nan"))["mean_sea_level_pressure_anomaly"]
    np.testing.assert_array_equal(anomaly, [-450, np.nan, np.nan])
    assert np.isnan(imilast.read(write("-999", "-999", "-999"))["mean_sea_level_pressure"]).all()


def test_places_that_are_not_known_are_refused(write):
    path = write("985", "984", "983")
    path.write_text(path.read_text().replace(" 0.25 ", " -999 "))
    with pytest.raises(UserError, match="1 place off the globe"):
        imilast.read(path)


def test_no_tracks_are_written_and_read(write, tmp_path):
    none = imilast.read(write("-1", "-2", "-3")).isel(record=slice(0))
    imilast.write(none, tmp_path / "none.txt")
    assert imilast.read(tmp_path / "none.txt").sizes["record"] == 0


@pytest.mark.parametrize("name", ["number", "init_time"])
def test_members_are_not_mixed(name, tmp_path):
    time = np.datetime64("2020-01-01", "ns")
    two = {"number": [0, 1], "init_time": time - np.array([0, 6]) * np.timedelta64(1, "h")}[name]
    tracks = make({"track_id": [0, 1], name: two, "time": [time] * 2, "latitude": [50] * 2, "longitude": [0] * 2})
    for function in (imilast.rejoined, lambda own: imilast.write(own, tmp_path / "tracks.txt")):
        with pytest.raises(UserError, match=f"isel.record=tracks.{name} == tracks.{name}"):
            function(tracks)
    assert imilast.rejoined(tracks.isel(record=tracks[name] == tracks[name][0]))["track_id"].size == 1


def test_other_columns_keep_their_names(write, tmp_path):
    tracks = imilast.read(write("7", "8.5", "9", header=HEADER.replace("MSL", "Intensity1")))
    imilast.write(tracks, tmp_path / "again.txt")
    assert imilast.read(tmp_path / "again.txt")["Intensity1"].values.tolist() == [7, 8.5, 9]


@pytest.mark.parametrize(
    ("values", "header", "said"),
    [
        (("29.5", "29.9", "30.1"), HEADER, "MSL from 29.5 to 30.1 is neither a pressure in hPa or Pa nor an anomaly"),
        (("985", "-5", "980"), HEADER, "MSL has pressures, such as 985, beside -5, which is none; write -999"),
        (("deep", "2", "3"), HEADER, "MSL holds what is no number"),
        (("1", "2", "3"), "99 00,Cyclone,StepNo", "no file of IMILAST, its first line names no CycloneNo"),
        (("1 2", "2", "3"), HEADER, "10 columns are named, record 1 has 11"),
        (("2", "3", "4"), HEADER.replace("DateI10,Year", "Year,DateI10"), "DateI10 holds no times such as 2025120100"),
    ],
)
def test_what_is_no_such_file_is_refused(write, values, header, said):
    with pytest.raises(UserError, match=said):
        imilast.read(write(*values, header=header))


def test_a_missing_file_and_times_within_an_hour_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        imilast.read(tmp_path / "nowhere.txt")
    half_past = make({"track_id": [1], "time": [np.datetime64("2020-01-01T00:30")], "latitude": [0], "longitude": [0]})
    with pytest.raises(UserError, match="whole hours"):
        imilast.write(half_past, tmp_path / "tracks.txt")


def test_a_storm_that_was_cut_at_the_border_of_two_periods_is_one_again():
    time = np.datetime64("2020-01-01", "ns") + np.array([0, 1, 2, 1, 2, 3, 0, 1]) * np.timedelta64(6 * 3600 * 10**9)
    latitude = [50, 51, 52, 51, 52, 53, 10, 11]  # of 5, of 7, which begins where 5 ends, and of another storm
    tracks = make({"track_id": [5] * 3 + [7] * 3 + [8] * 2, "time": time, "latitude": latitude, "longitude": [350] * 8})
    whole = imilast.rejoined(tracks)
    assert whole["track_id"].values.tolist() == [5] * 4 + [8] * 2
    assert whole["latitude"].values.tolist() == [50, 51, 52, 53, 10, 11]


def test_the_tracks_of_a_real_winter_come_back_byte_for_byte(shared, tmp_path):
    path = shared("reference/cyclones/era5_msl_2025-2026_djf_2.5x2.5_hodges_imilast.txt")
    tracks = imilast.read(path)
    assert len(np.unique(tracks["track_id"])) == 2934
    assert (tracks["mean_sea_level_pressure_anomaly"] < 0).all()
    imilast.write(tracks, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_bytes() == path.read_bytes()


def test_the_real_winter_was_tracked_in_seven_periods_that_overlap_by_three_times(shared):
    path = shared("reference/cyclones/era5_msl_2025-2026_djf_2.5x2.5_hodges_imilast.txt")
    tracks = imilast.read(path)
    tracks = tracks.isel(record=tracks["latitude"] < 90)  # at the pole each column of the row has a copy of a storm
    frame = tracks.to_dataframe()
    twice = frame[frame.duplicated(["time", "latitude", "longitude"])]["time"].unique()
    steps = (np.sort(twice) - np.datetime64("2025-12-01")) // np.timedelta64(6, "h")
    assert steps.tolist() == [57 * period + later for period in range(1, 7) for later in range(3)]
    assert not imilast.rejoined(tracks).to_dataframe().duplicated(["time", "latitude", "longitude"]).any()
