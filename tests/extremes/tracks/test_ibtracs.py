"""IBTrACS: the official csv and netCDF layouts, and parquet where pyarrow is."""

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks.best_tracks import ibtracs, read

CSV = """\
SID,SEASON,NUMBER,BASIN,SUBBASIN,NAME,ISO_TIME,NATURE,LAT,LON,WMO_WIND,WMO_PRES,WMO_AGENCY,TRACK_TYPE,USA_STATUS,USA_LAT,USA_LON,USA_WIND,USA_PRES
 ,Year, , , , , , ,degrees_north,degrees_east,kts,mb, , , ,degrees_north,degrees_east,kts,mb
2099228N13300,2099,1,NA,CS,IDA,2099-08-16 00:00:00,TS,13.0,-60.5,35,1000,hurdat_atl,main,TS,13.1,-60.4,40,999
2099228N13300,2099,1,NA,CS,IDA,2099-08-16 03:00:00,TS,13.4,-61.5, , , ,main, , , , ,
2099230S12179,2100,2,SP,MM,NOT_NAMED,2099-08-18 00:00:00,ET,-12.0,181.5,50,985,nadi,PROVISIONAL,TY,-12.0,-178.5,65,980
2099230S12179,2100,2,SP,MM,NOT_NAMED,2099-08-18 00:00:00,ET,-12.1,181.6,50,985,nadi,PROVISIONAL,TY,-12.0,-178.4,65,980
2099231N20150,2099,3,WP,MM,SPUR,2099-08-19 00:00:00,DS,20.0,150.0,20,1005,tokyo,PROVISIONAL_spur, , , , ,
"""


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "ibtracs.csv"
    path.write_text(CSV)
    return path


def test_csv_of_the_responsible_agency(csv):
    tracks = read(csv)
    assert tracks["storm_id"].values.tolist() == ["2099228N13300"] * 2 + ["2099230S12179"]
    assert tracks["basin"].values.tolist() == ["NA", "NA", "SP"]
    assert tracks["nature"].values.tolist() == ["TS", "TS", "ET"]
    np.testing.assert_allclose(tracks["maximum_wind_speed"], np.multiply([35, np.nan, 50], 0.514444), rtol=1e-5)
    np.testing.assert_array_equal(tracks["mean_sea_level_pressure"], [100_000, np.nan, 98_500])
    np.testing.assert_array_equal(tracks["longitude"], [299.5, 298.5, 181.5])
    assert tracks.attrs["left_out"].startswith("1 record of a time")
    assert (tracks.attrs["agency"], tracks.attrs["wind_averaging"][:6]) == ("wmo", "of the")


def test_an_agency_of_choice_has_its_own_places_winds_and_status(csv):
    tracks = ibtracs.read(csv, agency="usa")
    np.testing.assert_array_equal(tracks["latitude"], [13.1, -12.0])
    np.testing.assert_array_equal(tracks["longitude"], [299.6, 181.5])
    np.testing.assert_allclose(tracks["maximum_wind_speed"], np.multiply([40, 65], 0.514444), rtol=1e-5)
    assert tracks["status"].values.tolist() == ["TS", "TY"]


@pytest.mark.parametrize("agency", ["wmo", "usa"])
@pytest.mark.parametrize("ending", ["csv", "nc"])
def test_what_is_written_is_read_again(ending, agency, csv, tmp_path):
    tracks = ibtracs.read(csv, agency)
    ibtracs.write(tracks, tmp_path / f"again.{ending}")
    again = ibtracs.read(tmp_path / f"again.{ending}", agency)
    tracks.attrs.pop("left_out", None)
    xr.testing.assert_identical(again, tracks)


@pytest.mark.parametrize("ending", ["csv", "nc"])
def test_no_storms_and_storms_without_intensities_are_written_and_read(ending, csv, tmp_path):
    tracks = ibtracs.read(csv)
    for own in (tracks.isel(record=slice(0)), tracks.drop_vars(["maximum_wind_speed", "mean_sea_level_pressure"])):
        ibtracs.write(own, tmp_path / f"again.{ending}")
        again = ibtracs.read(tmp_path / f"again.{ending}")
        assert again["storm_id"].values.tolist() == own["storm_id"].values.tolist()
        assert np.isnan(again["maximum_wind_speed"]).all()


def test_a_wind_or_pressure_of_0_is_not_known(csv):
    csv.write_text(CSV.replace(",50,985,", ",0,0,"))
    tracks = ibtracs.read(csv)
    np.testing.assert_array_equal(tracks["mean_sea_level_pressure"], [100_000, np.nan, np.nan])
    np.testing.assert_array_equal(np.isnan(tracks["maximum_wind_speed"]), [False, True, True])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"number": [0, 0, 1]}, "tracks of 2 members would be mixed"),
        ({"storm_id": ["A"] * 3}, "storm_id A has track_id 0 and 1, and IBTrACS knows storms by storm_id"),
    ],
)
def test_what_would_be_other_storms_when_read_is_not_written(columns, words, csv, tmp_path):
    tracks = ibtracs.read(csv).assign({name: ("record", own) for name, own in columns.items()})
    with pytest.raises(UserError, match=words):
        ibtracs.write(tracks, tmp_path / "again.csv")


def test_the_official_netcdf_layout(tmp_path):
    """Storms by times, most of them empty, texts as bytes, numbers in float32."""
    path, empty = tmp_path / "ibtracs.nc", np.nan
    both = ("storm", "date_time")
    times = [["2099-01-01 00:00:00", "2099-01-01 06:00:00", ""], ["2099-01-02 00:00:00", "", ""]]
    xr.Dataset(
        {
            "sid": ("storm", np.array([b"2099001N10100", b"2099002S10100"])),
            "name": ("storm", np.array([b"ONE", b"TWO"])),
            "iso_time": (both, np.char.encode(times)),
            "time": (both, np.array([[87_000, 87_000.25, empty], [87_001, empty, empty]])),
            "lat": (both, np.array([[10.1, 10.2, empty], [-10.3, empty, empty]], np.float32)),
            "lon": (both, np.array([[100.1, -179.9, empty], [100, empty, empty]], np.float32)),
            "wmo_wind": (both, np.array([[50, empty, empty], [65, empty, empty]], np.float32)),
            "wmo_pres": (both, np.array([[990, empty, empty], [970, empty, empty]], np.float32)),
        }
    ).to_netcdf(path)
    tracks = read(path)
    assert tracks["track_id"].values.tolist() == [0, 0, 1]
    assert tracks["name"].values.tolist() == ["ONE", "ONE", "TWO"]
    assert tracks["time"].values[1] == np.datetime64("2099-01-01T06")
    np.testing.assert_array_equal(tracks["latitude"], [10.1, 10.2, -10.3])
    np.testing.assert_array_equal(tracks["longitude"], [100.1, 180.1, 100])
    np.testing.assert_array_equal(tracks["mean_sea_level_pressure"], [99_000, np.nan, 97_000])


def test_420_storms_with_era5_at_their_centres(shared, tmp_path):
    pytest.importorskip("pyarrow", reason="parquet files need pyarrow")
    tracks = read(shared("reference/cyclones/ibtracs_era5_natlantic_2000_2024.parquet"))
    assert len(set(tracks["storm_id"].values)) == 420
    ibtracs.write(tracks, tmp_path / "again.parquet")
    tracks.attrs.pop("left_out")
    xr.testing.assert_identical(read(tmp_path / "again.parquet"), tracks)
    era5 = ibtracs.at_centres(tracks)
    assert 9.3e4 < era5["mean_sea_level_pressure"].min() < 9.4e4


def test_without_pyarrow_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match="parquet files need pyarrow"):
        read(tmp_path / "any.parquet")


@pytest.mark.parametrize(
    ("old", "new", "agency", "words"),
    [
        ("SID", "ID", "wmo", "no column sid, so it is none of IBTrACS"),
        ("", "", "jma", "agency 'jma' is none of IBTrACS; choose wmo, usa"),
        ("", "", "tokyo", "no winds or pressures of 'tokyo'"),
        ("2099-08-16 03:00:00", "", "wmo", "tracks without times"),
        ("2099-08-16 03:00:00", "noon", "wmo", "ISO_TIME that is no time"),
        (",985,", ",9.85,", "wmo", "985 Pa, which no storm has; multiply it by 100"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(old, new, agency, words, csv):
    csv.write_text(CSV.replace(old, new) if old else CSV)
    with pytest.raises(UserError, match=words):
        ibtracs.read(csv, agency)
