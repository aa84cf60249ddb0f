"""Best tracks that are cut, wrong or of another kind: one line each, that names the file and what is wrong in it."""

import gzip

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks.best_tracks import hurdat2, ibtracs, read

NONE = "    0," * 8
HURDAT2 = (
    "AL012099,            UNNAMED,      2,\n"
    f"20990520, 0000,  , EX, 30.3N,   0.5E,  30, -999, -999, -999, -999, -999,{NONE}   70\n"
    f"20990520, 0600,  , HU,  1.5S, 179.5W, 145,  913,  100,    0,   30,   60,{NONE} -999\n"
)
IBTRACS = (
    "SID,SEASON,NAME,ISO_TIME,LAT,LON,WMO_WIND,WMO_PRES\n"
    " ,Year, , ,degrees_north,degrees_east,kts,mb\n"
    "2099228N13300,2099,IDA,2099-08-16 00:00:00,13.0,-60.5,35,1000\n"
    "2099228N13300,2099,IDA,2099-08-16 06:00:00,13.4,-61.5,40,998\n"
)
LAST = IBTRACS.splitlines()[-1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HURDAT2[:200], "line 3 is no record of HURDAT2: '20990520, 0600"),
        ("".join(HURDAT2.splitlines(keepends=True)[:2]), "ends 1 record before the end of AL012099"),
        (HURDAT2.replace("      2,", "      3,"), "ends 1 record before the end of AL012099"),
        (HURDAT2.replace("      2,", "      1,"), "line 3 is no header of a storm of HURDAT2: '20990520, 0600"),
        (HURDAT2.replace("      2,", "    two,"), "line 1 is no header of a storm"),
        (HURDAT2.replace(", 30.3N,", ","), "line 2 is no record"),
        (HURDAT2.replace(" 30.3N", " 30.3"), "line 2 is no record"),
        (HURDAT2.replace(" 30.3N", "130.3N"), "line 2 is no record"),
        (HURDAT2.replace("20990520, 0000", "20991320, 0000"), "line 2 is no record"),
        (HURDAT2.replace(" 145,", " 1.5,"), "line 3 is no record"),
        (HURDAT2.partition("\n")[2], "line 1 is no header of a storm"),
        (IBTRACS, "line 1 is no header of a storm"),
        (HURDAT2.encode("utf-16"), "is no plain text, as HURDAT2 is .byte 0 is 0xff.; save it as ASCII"),
        (HURDAT2.replace("UNNAMED", "JOSÉ").encode("latin-1"), "is no plain text, as HURDAT2 is .byte 24 is 0xc9"),
        (gzip.compress(HURDAT2.encode()), "is no plain text, as HURDAT2 is"),
        (None, "cannot be read as a text of best tracks"),
        (HURDAT2.replace("2099", "1492"), r"line 2 is no record of HURDAT2 \(its year is outside 1678 to 2261\)"),
        (HURDAT2.replace("2099", "9999"), "line 2 .*its year is outside 1678 to 2261"),
        (HURDAT2.replace(" 145", "9999"), "line 3 .*maximum_wind_speed 9999 is none of a storm"),
        (HURDAT2.replace(" 913", "  10"), "line 3 .*mean_sea_level_pressure 10 is none of a storm"),
        (HURDAT2.replace("  100,", " -100,"), "line 3 .*radius_of_34kt_wind_ne -100 is none of a storm"),
        (HURDAT2.replace(" 913", "9" * 1200), "line 3 is no record"),
        (HURDAT2.replace(" 145", "1_45"), "line 3 is no record"),
        (HURDAT2.replace(" 30.3N", "-30.3S"), "line 2 is no record"),
        (HURDAT2 + HURDAT2, "has AL012099 in line 1 and again in line 4; keep one of the two"),
        (
            HURDAT2.replace("      2,", "     -2,"),
            "line 1 is no header of a storm of HURDAT2 .-2 records cannot follow",
        ),
    ],
)
def test_broken_hurdat2_is_told_in_one_line(content, words, tmp_path):
    _require_told(tmp_path / "best.txt", content, words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (IBTRACS.replace(LAST, LAST[:40]), "1 record without LAT or LON, the first is record 2, of 2099228N13300"),
        (IBTRACS.replace(LAST, LAST[:45]), "1 record without LAT or LON"),
        (IBTRACS.replace("13.4", ""), "1 record without LAT or LON, the first is record 2"),
        (IBTRACS.replace("13.4", "13.4N"), "LAT holds what is no number"),
        (IBTRACS.replace(",40,", ",forty,"), "WMO_WIND holds what is no number"),
        (IBTRACS.replace("13.4", "103.4"), "1 place off the globe"),
        (IBTRACS.replace("2099-08-16 06:00:00", ""), "has tracks without times: ISO_TIME is empty"),
        (IBTRACS.replace("2099-08-16 06:00:00", "soon"), "has an ISO_TIME that is no time"),
        (IBTRACS.replace("ISO_TIME", "WHEN"), "has no column iso_time, so it is none of IBTrACS"),
        (IBTRACS.replace("LON", "LAN").replace("SID", "ID"), "has no column sid, lon"),
        (IBTRACS.replace("WMO", "USA"), "has no winds or pressures of 'wmo'; choose another agency"),
        ("", "cannot be read as best tracks of IBTrACS .No columns"),
        (HURDAT2, "has no column sid"),
        (IBTRACS.replace("IDA", "JOSÉ").encode("latin-1"), "codec can't decode byte 0xc9.*save it as UTF-8"),
        (IBTRACS.encode("utf-16"), "save it as UTF-8"),
        (gzip.compress(IBTRACS.encode() + b'"', mtime=0), "save it as UTF-8"),
        (None, "cannot be read as best tracks of IBTrACS .*No such file"),
        (IBTRACS.replace("2099-", "1492-"), "ISO_TIME .*lies outside the years 1678 to 2261"),
        (IBTRACS.replace("2099-", "9999-"), "ISO_TIME .*lies outside the years 1678 to 2261"),
        (IBTRACS.replace("IDA", '"IDA'), "line 3 has a quote that is not closed in it"),
        (IBTRACS.replace("2099228N13300", " "), "has 2 records without SID, the first is record 1"),
        (IBTRACS.replace("kts", "mph"), "WMO_WIND: maximum_wind_speed is in 'mph', which is none of kts"),
        (IBTRACS.replace("1000\n", "100000\n").replace("998\n", "99800\n"), "is in Pa already, it seems; divide it by"),
    ],
)
def test_broken_ibtracs_is_told_in_one_line(content, words, tmp_path):
    _require_told(tmp_path / "best.csv", content, words)


def test_netcdf_of_something_else_is_told_in_one_line(tmp_path):
    xr.Dataset({"t2m": ("time", np.ones(3))}).to_netcdf(tmp_path / "best.nc")
    _require_told(tmp_path / "best.nc", ..., "has no column sid, iso_time, lat, lon, so it is none of IBTrACS")
    _require_told(tmp_path / "cut.nc", (tmp_path / "best.nc").read_bytes()[:300], "cannot be read as best tracks")


OFFICIAL = xr.Dataset(
    {
        "sid": ("storm", np.array([b"2099228N13300"])),
        "iso_time": (("storm", "date_time"), np.array([[b"2099-08-16 00:00:00", b"2099-08-16 06:00:00"]])),
        "lat": (("storm", "date_time"), np.array([[13.0, 13.4]])),
        "lon": (("storm", "date_time"), np.array([[-60.0, -61.0]])),
        "wmo_wind": (("storm", "date_time"), np.array([[35.0, 40.0]]), {"units": "m s-1"}),
    }
)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (OFFICIAL.isel(storm=0), r"LAT is float64 along \('date_time',\), not numbers \[storm, date_time\]"),
        (OFFICIAL.expand_dims(x=2), "LAT is float64 along .*isel"),
        (OFFICIAL.assign(lat=(("s2", "date_time"), np.ones((3, 2)))), "sid lies along .*not .'s2', 'date_time'."),
        (OFFICIAL.assign(lat=(("storm", "date_time"), np.array([["a", "b"]]))), "LAT is .*, not numbers"),
    ],
)
def test_netcdf_in_other_dims_is_told_in_one_line(dataset, words, tmp_path):
    dataset.to_netcdf(tmp_path / "best.nc")
    _require_told(tmp_path / "best.nc", ..., words)


def test_the_units_that_a_file_states_hold(tmp_path):
    path = tmp_path / "best.csv"
    path.write_text(IBTRACS.replace("kts,mb", "m/s,Pa").replace("1000\n", "100000\n").replace("998\n", "NaN\n"))
    tracks = read(path)
    np.testing.assert_allclose(tracks["maximum_wind_speed"], [35, 40])
    np.testing.assert_allclose(tracks["mean_sea_level_pressure"], [100_000, np.nan])
    for dims in (("storm", "date_time"), ("date_time", "storm")):
        OFFICIAL.transpose(*dims).to_netcdf(tmp_path / "best.nc")
        np.testing.assert_allclose(read(tmp_path / "best.nc")["maximum_wind_speed"], [35, 40])


def test_a_byte_order_mark_is_no_text_and_what_cannot_be_written_leaves_the_file(tmp_path):
    path = tmp_path / "best.txt"
    path.write_bytes(b"\xef\xbb\xbf" + HURDAT2.encode())
    tracks = read(path)
    for name in ("JOSÉ", "A,B\nC"):
        own = tracks.assign(name=("record", [name] * 2))
        with pytest.raises(UserError, match="cannot be in HURDAT2, plain ASCII between commas"):
            hurdat2.write(own, path)
    assert read(path).identical(tracks)
    with pytest.raises(UserError, match="has a line break, which a csv cannot"):
        ibtracs.write(own, tmp_path / "best.csv")


def _require_told(path, content, words):
    if isinstance(content, str):
        path.write_text(content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(UserError, match=words) as told:
        read(path)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 400
