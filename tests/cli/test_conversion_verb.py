"""`weatherml convert`: a forecast, or a part of it, in the formats of others."""

import json

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses
from made_forecasts import CHANNELS, made
from tiny_experiment import done, refused

import weatherml as wml
from weatherml.grid import LatLonGrid
from weatherml.products.convert import convert
from weatherml.products.reading import read_forecast
from weatherml.products.store import open_forecast


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("convert") / "forecast.zarr"
    convert(made().chunk({"lead_time": 2}), path)
    return path


def test_a_part_of_a_forecast_becomes_netcdf(store, tmp_path):
    words = ("--channels", "t2m,z500", "--channels", "sst", "--region", "60,-60,-30,30", "-o", tmp_path / "part.nc")
    assert done("convert", store, *words) == f"{tmp_path / 'part.nc'}\n"
    opened = xr.load_dataset(tmp_path / "part.nc", decode_timedelta=True)
    assert set(opened.data_vars) == {"t2m", "z", "sst"}
    assert opened["longitude"].values.tolist() == [-60, -30, 0, 30]
    expected = open_forecast(store)["2m_temperature"].sel(latitude=60, longitude=330)
    np.testing.assert_array_equal(opened["t2m"].sel(latitude=60, longitude=-30), expected)


def test_grib_says_how_exact_it_is(store, tmp_path):
    printed = done("convert", store, "-o", tmp_path / "forecast.grib2").splitlines()
    assert len(printed) == len(CHANNELS) + 1
    assert printed[0].split()[:3] == ["geopotential_500", "packed", "within"]
    assert printed[0].endswith(" m2 s-2")
    assert read_forecast(tmp_path / "forecast.grib2").sizes["number"] == 3


def test_a_forecast_goes_to_another_grid(store, tmp_path):
    done("convert", store, "--channels", "t2m", "--grid", "5x6", "--region", "50,-60,-50,60", "-o", tmp_path / "a.zarr")
    coarse = open_forecast(tmp_path / "a.zarr")["2m_temperature"]
    expected = wml.regrid(open_forecast(store)[["2m_temperature"]], "5x6")["2m_temperature"]
    assert coarse["latitude"].values.tolist() == [45, 0, -45] and coarse["longitude"].values.tolist() == [0, 60, 300]
    np.testing.assert_array_equal(coarse, expected.sel(latitude=coarse["latitude"], longitude=coarse["longitude"]))


def test_stations_come_from_a_file(store, tmp_path):
    (tmp_path / "places.csv").write_text("name,latitude,longitude\nOslo,60,330\n")
    done("convert", store, "--stations", tmp_path / "places.csv", "--channels", "t2m", "-o", tmp_path / "places.nc")
    opened = xr.load_dataset(tmp_path / "places.nc", decode_timedelta=True)
    expected = open_forecast(store)["2m_temperature"].sel(latitude=60, longitude=330)
    np.testing.assert_array_equal(opened["t2m"].isel(station=0), expected)


def test_what_a_polar_station_lacks_is_said(tmp_path):
    wind = made(("u10m",), n_init=1, grid=LatLonGrid.gaussian(8, 12)).max("number", keep_attrs=True)
    convert(wind.rename({"10m_u_component_of_wind": "10m_u_component_of_wind_maximum"}), tmp_path / "statistics.nc")
    (tmp_path / "places.csv").write_text("name,latitude,longitude\nOslo,60,10\nPole,90,0\n")
    words = ("convert", tmp_path / "statistics.nc", "--stations", tmp_path / "places.csv", "-o", tmp_path / "places.nc")
    assert done(*words).splitlines()[0] == (
        "10m_u_component_of_wind_maximum is missing at Pole, between the last row and a pole: what lies across it"
        " follows from 10m_u_component_of_wind_minimum"
    )


@pytest.mark.parametrize("words", [("-o", "a.nc"), ("-o", "a.zarr", "--layout", "weatherbench2")])
def test_what_was_converted_scores_as_the_forecast(store, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    analyses({"2m_temperature": ()}, 12).to_netcdf("truth.nc")
    done("convert", store, "--channels", "t2m", "-o", "part.zarr")
    done("convert", store, "--channels", "t2m", *words)
    scores = [done("evaluate", path, "truth.nc", "--drop-stopped", "--json") for path in ("part.zarr", words[1])]
    assert json.loads(scores[0]) and scores[0] == scores[1]


def test_weatherbench_is_a_layout_of_zarr(store, tmp_path):
    done("convert", store, "--layout", "weatherbench2", "-o", tmp_path / "wb.zarr")
    assert "prediction_timedelta" in xr.open_zarr(tmp_path / "wb.zarr", decode_timedelta=True).dims


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "a.txt"), "cannot end in '.txt'; choose one of .nc, .grib2, .zarr"),
        (("-o", "a.nc", "--channels", "q500"), "the forecast has no variable 'specific_humidity'"),
        (("-o", "a.nc", "--channels", " ,"), "--channels names no channel; name some, such as z500,t2m"),
        (("-o", "a.nc", "--region", "1,2"), "must read north,west,south,east"),
        (("-o", "a.nc", "--grid", "coarse"), "grid 'coarse' says no grid; write 1.5deg, 121x240 or gaussian 32x64"),
        (("-o", "a.nc", "--stations", "none.csv"), "cannot read stations none.csv"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(store, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused("convert", store, *words)
    assert not list(tmp_path.iterdir())


def test_an_existing_output_needs_overwrite(store, tmp_path):
    words = ("convert", store, "--channels", "t2m", "-o", tmp_path / "a.nc")
    done(*words)
    assert "a.nc exists" in refused(*words)
    done(*words, "--overwrite")
