"""Reading: what conversion wrote is, in every layout, the forecast that it was."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses
from fake_data import forecasts as one_field
from made_forecasts import FAILED, made
from test_reduction import draw, reduce

import weatherml as wml
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.products import is_forecast, read_forecast, without_stopped
from weatherml.products.convert import convert, select
from weatherml.products.selection import Region, in_one_piece, is_statistics, select_statistic
from weatherml.products.stations import Stations
from weatherml.products.store import stopped_numbers
from weatherml.state import spec_of

CHANNELS = ("z500", "z850", "t850", "t2m", "u10m", "sst", "total_precipitation_6hr")
LAYOUTS = {
    "own.zarr": "canonical",
    "forecast.nc": "canonical",
    "wb.zarr": "weatherbench2",
    "forecast.grib2": "canonical",
}
STATIONS = Stations(("Oslo", "Suva"), (59.9, -18.1), (10.75, 178.4))


@pytest.fixture(scope="module")
def forecasts():
    """Return what there is to convert; ragged levels, a mask, and a member that stopped among it."""
    members = made(CHANNELS).chunk({"init_time": 1, "lead_time": 2, "number": 1})
    in_turn = {"model_digest": '["a", "b"]', "provenance": "[[{}], [{}]]", "batch": 1}
    return {
        "members": members,
        "in turn": members.assign_attrs(in_turn),
        "one member": made(CHANNELS, numbers=(0,)),
        "one of many": members.isel(number=[1]),
        "one lead": members.isel(lead_time=[1], init_time=[0]),
        "minutes": made(("t2m", "z500"), step="20m"),
        "across 0": select(members, region=Region.parse("60,-60,-30,60")),
        "statistics": reduce(draw()).assign_attrs(failed=FAILED, quantile_rank_error=0),
        "stations": select(members, stations=STATIONS),
    }


@pytest.fixture(scope="module")
def expected(forecasts):
    """Return what reading should find: a region across 0 from 0 to 360, as everywhere here."""
    rows, columns = [60, 30, 0, -30], [0, 30, 60, 300, 330]
    return forecasts | {"across 0": forecasts["members"].sel(latitude=rows, longitude=columns)}


@pytest.fixture(scope="module")
def written(forecasts, tmp_path_factory):
    """Return a function that converts once, from the kind of forecast and the file to its path."""
    folder, paths = tmp_path_factory.mktemp("reading"), {}

    def path_of(kind, name):
        if (kind, name) not in paths:
            paths[kind, name] = folder / kind / name
            paths[kind, name].parent.mkdir(exist_ok=True)
            convert(forecasts[kind], paths[kind, name], LAYOUTS[name])
        return paths[kind, name]

    return path_of


KINDS = ["members", "in turn", "one member", "one of many", "one lead", "minutes", "across 0", "statistics", "stations"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "forecast.grib2"])
def test_what_is_exact_is_read_as_it_was(expected, written, kind, name):
    found, expected = read_forecast(written(kind, name)).load(), expected[kind].load()
    assert set(found.data_vars) == set(expected.data_vars)
    xr.testing.assert_identical(found.drop_attrs(deep=False), expected.drop_attrs(deep=False))
    assert {key: found.attrs[key] for key in expected.attrs} == expected.attrs
    for field, own in found.data_vars.items():
        assert own.dims == expected[field].dims and own.dtype == expected[field].dtype


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("statistics", "stations")])
def test_grib_is_read_as_it_was_within_its_precision(expected, written, kind):
    pytest.importorskip("cfgrib")
    found, expected = read_forecast(written(kind, "forecast.grib2")).load(), expected[kind].load()
    assert set(found.coords) == set(expected.coords) and list(found.data_vars) == list(expected.data_vars)
    for name, coordinate in expected.coords.items():
        np.testing.assert_array_equal(found[name], coordinate)
        assert found[name].dtype == coordinate.dtype and found[name].attrs == coordinate.attrs
    for name, field in expected.data_vars.items():
        assert found[name].dims == field.dims and found[name].attrs == field.attrs
        exactness = 1.1 * float(field.max() - field.min()) / 2**16
        np.testing.assert_allclose(found[name], field, rtol=0, atol=exactness)  # NaN where NaN is


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_is_read_before_it_is_asked_for(written, name):
    path = written("members", name)
    assert is_forecast(path)
    found = read_forecast(path)
    assert found["geopotential"].shape == (2, 3, 3, 2, 7, 12)
    assert all(field.chunks is not None for field in found.data_vars.values())


@pytest.mark.parametrize("name", LAYOUTS)
def test_members_that_stopped_are_known_in_every_layout(written, name):
    assert without_stopped(read_forecast(written("members", name)))["number"].values.tolist() == [0, 1]


@pytest.mark.parametrize("name", ["own.zarr", "forecast.nc", "wb.zarr"])
def test_statistics_are_told_from_members_in_every_layout(written, name):
    statistics = read_forecast(written("statistics", name))
    assert is_statistics(statistics) and not is_statistics(read_forecast(written("members", name)))
    xr.testing.assert_identical(without_stopped(statistics), statistics)
    mean = select_statistic(statistics, "mean")
    assert set(mean.data_vars) == {"geopotential", "temperature", "u_component_of_wind", "sea_surface_temperature"}
    assert "quantile" not in mean.coords
    assert statistics["geopotential_mean"].attrs["ancillary_variables"] == "geopotential_count"


@pytest.mark.parametrize("numbers", [[0, 1, 2], [2]])
@pytest.mark.parametrize("name", ["own.zarr", "forecast.nc", "wb.zarr"])
def test_what_else_is_told_of_members_is_kept_beside_the_fields(tmp_path, forecasts, name, numbers):
    told = np.full((2, 3), np.timedelta64("NaT", "ns"))
    told[:, 2] = np.timedelta64(12, "h")
    forecast = forecasts["members"].assign(stopped_lead=(("init_time", "number"), told)).sel(number=numbers)
    convert(select(forecast, ["t2m"], stations=STATIONS), tmp_path / "stations.zarr")
    convert(forecast, tmp_path / name, LAYOUTS[name])
    for found in map(read_forecast, (tmp_path / name, tmp_path / "stations.zarr")):
        xr.testing.assert_equal(found["stopped_lead"].variable, forecast["stopped_lead"].variable)
        assert "stopped_lead" not in found.data_vars and stopped_numbers(found) == {2}


@pytest.mark.parametrize("name", ["own.zarr", "forecast.nc", "wb.zarr"])
def test_a_region_across_0_is_one_region_wherever_it_has_been(tmp_path, forecasts, written, name):
    """Maps and scores take its columns from 0 to 360; stations and other formats in one piece."""
    found, part = read_forecast(written("across 0", name)), forecasts["across 0"]
    assert spec_of(found).grid.longitude == (0, 30, 60, 300, 330)
    xr.testing.assert_equal(in_one_piece(found)["2m_temperature"], part["2m_temperature"])
    oslo = Stations(("Oslo",), (59.9,), (-10.0,))
    xr.testing.assert_equal(
        select(found, stations=oslo)["2m_temperature"], select(part, stations=oslo)["2m_temperature"]
    )
    with pytest.raises(UserError, match="whose columns reach from -60 to 60"):
        select(found, stations=Stations(("in the gap",), (0.0,), (200.0,)))
    with xr.open_dataset(written("across 0", "forecast.nc"), decode_timedelta=True) as opened:
        assert opened["longitude"].values.tolist() == [-60, -30, 0, 30, 60]


def test_a_statistic_that_is_not_there_is_one_line(written, forecasts):
    with pytest.raises(UserError, match=r"the forecast has no statistic 'men'; did you mean 'mean'\?$"):
        select_statistic(forecasts["statistics"], "men")
    with pytest.raises(UserError, match="no statistic 'rank'; known: count, exceedance, maximum, mean, minimum"):
        select_statistic(forecasts["statistics"], "rank")
    with pytest.raises(UserError, match="no statistic 'mean'; it has members"):
        select_statistic(forecasts["members"], "mean")


def test_another_systems_forecast_in_the_layout_of_weatherbench_is_read(tmp_path, forecasts):
    theirs = (
        forecasts["members"]
        .drop_attrs()
        .rename(init_time="time", lead_time="prediction_timedelta", number="realization")
    )
    theirs = theirs.drop_vars("valid_time").assign(ocean_colour=theirs["2m_temperature"])
    theirs.transpose(..., "longitude", "latitude")[["2m_temperature", "ocean_colour"]].to_zarr(
        tmp_path / "theirs.zarr", zarr_format=2, consolidated=True
    )
    found = read_forecast(tmp_path / "theirs.zarr")
    xr.testing.assert_identical(found["2m_temperature"].load(), forecasts["members"]["2m_temperature"].load())
    assert found.attrs["weatherml_source_layout"] == ["variables passed over: ocean_colour"]


def test_files_of_analyses_are_no_forecasts(tmp_path):
    pytest.importorskip("cfgrib")
    files = {name: tmp_path / name for name in ("a.nc", "a.zarr", "a.grib", "a.txt", "nothing.nc")}
    dataset = analyses({"2m_temperature": ()}, 2)
    dataset.to_netcdf(files["a.nc"])
    dataset.to_zarr(files["a.zarr"], zarr_format=3, consolidated=False)
    files["a.txt"].write_text("text")
    write_analysis(files["a.grib"])
    assert not any(is_forecast(path) for path in files.values())
    assert wml.open_files(files["a.grib"]).sizes == {"time": 1, "latitude": 3, "longitude": 4}
    for name, message in (
        (
            "a.nc",
            r"a.nc is no forecast, it has dimensions \['latitude', 'longitude', 'time'\]; pass what forecast",
        ),
        ("a.zarr", "a.zarr is no forecast, it has dimensions"),
        ("a.txt", "a.txt is not GRIB, NetCDF or zarr"),
        ("nothing.nc", "nothing.nc does not exist; pass a forecast: a zarr store, NetCDF or GRIB2"),
    ):
        with pytest.raises(UserError, match=message):
            read_forecast(files[name])


@pytest.mark.parametrize(("step", "channels"), [("20m", ("t2m",)), ("6h", ("total_precipitation_6hr",))])
def test_grib_of_minutes_or_of_accumulations_alone_is_a_forecast(tmp_path, step, channels):
    pytest.importorskip("cfgrib")
    convert(made(channels, numbers=(0,), step=step, n_init=1), tmp_path / "f.grib2")
    assert is_forecast(tmp_path / "f.grib2")


def write_analysis(path):
    import eccodes

    message = eccodes.codes_grib_new_from_samples("GRIB2")
    grid = {"Ni": 4, "Nj": 3, "latitudeOfFirstGridPointInDegrees": 90, "latitudeOfLastGridPointInDegrees": -90}
    grid |= {"longitudeOfLastGridPointInDegrees": 270, "iDirectionIncrementInDegrees": 90}
    for key, value in {**grid, "jDirectionIncrementInDegrees": 90, "shortName": "2t", "typeOfProcessedData": 0}.items():
        eccodes.codes_set(message, key, value)
    eccodes.codes_set_values(message, np.linspace(250, 300, 12))
    path.write_bytes(eccodes.codes_get_message(message))
    eccodes.codes_release(message)


def test_a_forecast_that_is_being_made_is_one_that_is_not_finished(tmp_path):
    (tmp_path / ".f.zarr.partial").mkdir()
    assert is_forecast(tmp_path / "f.zarr")
    with pytest.raises(UserError, match=r"f.zarr is not finished; run the same forecast again to resume it"):
        read_forecast(tmp_path / "f.zarr")


PROGRAM = """
import sys
for name in ("jax", "flax", "optax"):
    sys.modules[name] = None  # an import fails
import weatherml.products
from weatherml.products import convert, read_forecast, without_stopped
from weatherml.products.convert import select
from weatherml.products.stations import Stations
from weatherml.products.store import stopped_numbers
from weatherml.state import spec_of
forecast = without_stopped(read_forecast(sys.argv[1]))
convert(select(forecast, ["u10m"], stations=Stations(("Oslo",), (59.9,), (10.75,))), sys.argv[2])
"""


def test_converting_and_reading_need_no_jax(written, tmp_path):
    words = [sys.executable, "-c", PROGRAM, written("members", "forecast.nc"), tmp_path / "places.nc"]
    process = subprocess.run(words, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert read_forecast(tmp_path / "places.nc").sizes["station"] == 1


# A spacing of 360 / 256 has columns half-way between two ten-thousandths of a degree, 360 / 14 an endless fraction.
GRIDS = {
    "gaussian": LatLonGrid.gaussian(64, 14),
    "regular": LatLonGrid.regular(46, 90),
    "cells": LatLonGrid.regular(128, 256, poles=False),
    "endless": LatLonGrid.regular(14, 14),
    "region": LatLonGrid(LatLonGrid.regular(129, 2).latitude[5:9], LatLonGrid.regular(2, 256).longitude[3:50]),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("grid", GRIDS)
def test_a_forecast_of_any_layout_lies_on_the_grid_that_it_was_made_on(tmp_path, grid, name):
    wanted = GRIDS[grid]
    forecast = one_field({"2m_temperature": ()}, n_init=1, n_lead=1, n_members=2, grid=wanted)
    convert(forecast, tmp_path / name, LAYOUTS[name])
    found = read_forecast(tmp_path / name)
    assert found["latitude"].values.tolist() == list(wanted.latitude)
    assert found["longitude"].values.tolist() == list(wanted.longitude)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_region_across_0_lies_on_the_columns_of_its_store(tmp_path, name):
    forecast = one_field({"2m_temperature": ()}, n_init=1, n_lead=1, n_members=2, grid=GRIDS["endless"])
    part = select(forecast, region=Region.parse("60,-60,-30,60"))
    convert(part, tmp_path / name, LAYOUTS[name])
    found = read_forecast(tmp_path / name)
    assert set(found["longitude"].values) <= set(forecast["longitude"].values)
    xr.testing.assert_allclose(found["2m_temperature"], forecast["2m_temperature"].reindex_like(found), atol=1e-3)


@pytest.mark.parametrize(("name", "coordinate"), [("own.zarr", "lead_time"), ("wb.zarr", "prediction_timedelta")])
def test_a_forecast_that_has_lost_coordinates_is_one_line(written, tmp_path, name, coordinate):
    """Zarr would read leads that are all 0."""
    shutil.copytree(written("members", name), tmp_path / name)
    chunks = [file for file in (tmp_path / name / coordinate).rglob("*") if file.is_file() and file.name.isdigit()]
    chunks[0].write_bytes(bytes(8))
    with pytest.raises(UserError, match=rf"cannot read .*{name} as zarr \(.*\); it may be damaged") as refused:
        read_forecast(tmp_path / name)
    assert "\n" not in str(refused.value)
    chunks[0].unlink()
    with pytest.raises(UserError, match=rf"has lost {coordinate}/.*0, and with it values of its coordinate"):
        read_forecast(tmp_path / name)
