"""Forecasts of other systems, in the layouts that their writers leave, are the forecasts that they were."""

import numpy as np
import pytest
import system_layouts as layouts
from fake_data import contents, forecasts
from s3_server import put_contents

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.products import is_forecast, read_forecast, window_sums
from weatherml.products.grib import write_grib

MEMBERS, ONE = layouts.forecast(), layouts.forecast((0,))

LAYOUTS = {
    "wb2.zarr": (layouts.weatherbench2, MEMBERS),
    "realizations.zarr": (lambda path, own: layouts.weatherbench2(path, own, "realization"), MEMBERS),
    "wb2-deterministic.zarr": (lambda path, own: layouts.weatherbench2(path, own.isel(number=0, drop=True)), ONE),
    "wbx.nc": (layouts.weatherbench_x, MEMBERS),
    "earth2.zarr": (layouts.earth2_zarr, MEMBERS),
    "earth2.nc": (layouts.earth2_netcdf, MEMBERS),
    "earth2-variable.nc": (layouts.earth2_one_array, MEMBERS),
    "anemoi.nc": (layouts.anemoi_netcdf, ONE.isel(init_time=[0])),
    "anemoi-columns.nc": (lambda path, own: layouts.anemoi_netcdf(path, own, "F"), ONE.isel(init_time=[0])),
}


def same(found, expected, exactness=0.0):
    """Require a forecast to be another, in every value, axis and dimension."""
    assert set(found.data_vars) == set(expected.data_vars)
    valid = found["init_time"] + found["lead_time"]
    np.testing.assert_array_equal(found["valid_time"].transpose("init_time", "lead_time"), valid)
    for name, field in expected.data_vars.items():
        assert found[name].dims == field.dims and found[name].dtype == np.float32
        for dim in field.dims:
            np.testing.assert_array_equal(found[dim].values, field[dim].values)
        spread = float(field.max() - field.min())
        np.testing.assert_allclose(found[name].values, field.values, rtol=0, atol=exactness * spread)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_forecast_is_what_it_was_whoever_wrote_it(tmp_path, name):
    write, expected = LAYOUTS[name]
    write(tmp_path / name, expected)
    assert is_forecast(tmp_path / name)
    found = read_forecast(tmp_path / name)
    assert all(field.chunks is not None for field in found.data_vars.values())
    same(found, expected)


def test_a_store_of_valid_times_alone_is_told_its_initial_time(tmp_path):
    layouts.anemoi_zarr(tmp_path / "anemoi.zarr", ONE)
    with pytest.raises(UserError, match=r"anemoi.zarr is no forecast.*, or pass init_time='2020-01-01T00' if all"):
        read_forecast(tmp_path / "anemoi.zarr")
    same(read_forecast(tmp_path / "anemoi.zarr", init_time="2001-01-01"), ONE.isel(init_time=[0]))


def test_control_and_members_in_a_file_for_each_lead_are_one_ensemble(tmp_path):
    pytest.importorskip("cfgrib")
    members = layouts.forecast((0, 1, 2)).fillna(280.0).assign_attrs(forecast_config='{"members": 3}')
    paths = layouts.grib_ensemble(tmp_path, members)
    assert len(paths) == 6
    same(read_forecast([*paths[:3:-1], tmp_path / "[cp]f-[01].grib2"]), members, 1.1 / 2**16)


@pytest.mark.parametrize("kind", ["fc", "cf"])
def test_control_and_members_in_one_file_are_one_ensemble(tmp_path, kind):
    pytest.importorskip("cfgrib")
    members = layouts.forecast((0, 1, 2)).fillna(280.0)
    told = {"forecast_config": '{"members": 3}'} if kind == "cf" else {}
    write_grib(tmp_path / "control.grib2", members.isel(number=[0]).assign_attrs(told))
    write_grib(tmp_path / "members.grib2", members.isel(number=[1, 2]))
    control, others = ((tmp_path / f"{name}.grib2").read_bytes() for name in ("control", "members"))
    (tmp_path / "one.grib2").write_bytes(others + control)
    same(read_forecast(tmp_path / "one.grib2"), members, 1.1 / 2**16)


def test_a_forecast_of_its_own_beside_a_control_is_refused(tmp_path):
    pytest.importorskip("cfgrib")
    members = layouts.forecast((0, 1)).fillna(280.0)
    write_grib(tmp_path / "own.grib2", members.isel(number=[0]))
    write_grib(tmp_path / "all.grib2", members)
    (tmp_path / "one.grib2").write_bytes(b"".join((tmp_path / f"{n}.grib2").read_bytes() for n in ("own", "all")))
    with pytest.raises(UserError, match=r"one.grib2 holds number 0 of .* twice, of different kinds"):
        read_forecast(tmp_path / "one.grib2")


@pytest.mark.parametrize(
    ("names", "numbers", "told"),
    [
        (["p02", "c00", "p01"], [2, 0, 1], "members p02, c00, p01 are numbers 2, 0, 1"),
        (["p02", "p11"], [2, 11], "members p02, p11 are numbers 2, 11"),
        (["hot", "control", "cold"], [1, 0, 2], None),
        (["p01", "cntl"], [1, 0], "members cntl, p01 are numbers 0, 1"),
        ([0.5, 1.5], [0, 1], "members 0.5, 1.5 are numbers 0, 1"),
        ([3.0, 4.0], [3, 4], None),
    ],
)
def test_members_with_names_are_numbered_with_the_control_first(tmp_path, names, numbers, told):
    named = layouts.forecast(range(len(names))).drop_vars("valid_time").assign_coords(number=names)
    named.rename(number="realization").to_netcdf(tmp_path / "named.nc")
    found = read_forecast(tmp_path / "named.nc")
    assert found["number"].values.tolist() == numbers and found["number"].dtype == np.int64
    np.testing.assert_array_equal(
        found["2m_temperature"], named["2m_temperature"].transpose(*found["2m_temperature"].dims)
    )
    assert told is None or told in str(found.attrs)


def test_a_name_that_comes_twice_is_one_member(tmp_path):
    named = layouts.forecast().drop_vars("valid_time").assign_coords(number=["a", "a"])
    named.to_netcdf(tmp_path / "named.nc")
    with pytest.raises(UserError, match=r"number of .*named.nc has 0 2 times"):
        read_forecast(tmp_path / "named.nc")


def grib_sums(path, ranges):
    """Write precipitation of a millimetre an hour, accumulated over ranges of hours."""
    import eccodes

    grid = {"Ni": 4, "Nj": 3, "latitudeOfFirstGridPointInDegrees": 90, "latitudeOfLastGridPointInDegrees": -90}
    grid |= {"longitudeOfLastGridPointInDegrees": 270, "iDirectionIncrementInDegrees": 90}
    grid |= {"jDirectionIncrementInDegrees": 90, "productDefinitionTemplateNumber": 8, "typeOfProcessedData": 1}
    with open(path, "wb") as file:
        for hours in ranges:
            first, last = map(int, hours.split("-"))
            message = eccodes.codes_grib_new_from_samples("GRIB2")
            for key, value in {**grid, "paramId": 228, "dataDate": 20200101, "stepRange": hours}.items():
                eccodes.codes_set(message, key, value)
            eccodes.codes_set_values(message, np.full(12, (last - first) / 1000))
            file.write(eccodes.codes_get_message(message))
            eccodes.codes_release(message)
    return path


@pytest.mark.parametrize(
    ("files", "name", "leads", "hours"),
    [
        ([["0-6", "0-12", "0-18"]], "total_precipitation_6hr", [6, 12, 18], 6),
        ([["0-6"], ["0-18"], ["0-12"]], "total_precipitation_6hr", [6, 12, 18], 6),
        ([["0-6"], ["6-12"], ["12-18"]], "total_precipitation_6hr", [6, 12, 18], 6),
        ([["0-3", "0-6", "0-9", "0-12", "0-18"]], "total_precipitation_6hr", [6, 9, 12, 18], 6),
        ([["0-1", "0-2"]], "total_precipitation", [1, 2], 1),
        ([["0-12"]], "total_precipitation_12hr", [12], 12),
    ],
)
def test_sums_since_the_start_are_read_as_sums_over_windows(tmp_path, files, name, leads, hours):
    """ECMWF accumulates from the initial time on: a lead of 18 h is no sum over 6 hours."""
    pytest.importorskip("cfgrib")
    paths = [grib_sums(tmp_path / f"{place}.grib2", ranges) for place, ranges in enumerate(files)]
    found = read_forecast(paths)
    assert list(found.data_vars) == [name]
    there = found[name].dropna("lead_time", how="all")
    assert (there["lead_time"].values / np.timedelta64(1, "h")).tolist() == leads
    np.testing.assert_allclose(there, hours / 1000, rtol=1e-5)
    assert found[name].attrs["units"] == "m" and found["valid_time"].notnull().all()


@pytest.mark.parametrize("name", ["total_precipitation", "total_precipitation_6hr"])
def test_sums_that_files_do_not_tell_are_since_the_start_where_that_is_said(name):
    fallen = forecasts({"total_precipitation_6hr": ()}, n_init=2, n_lead=5, n_members=3) ** 2
    since_start = fallen.cumsum("lead_time").assign_coords(fallen.coords).rename({"total_precipitation_6hr": name})
    found = window_sums(since_start.assign(other=since_start[name]))
    assert set(found.data_vars) == {"total_precipitation_6hr", "other"}
    own = found["total_precipitation_6hr"].transpose(*fallen["total_precipitation_6hr"].dims)
    np.testing.assert_allclose(own, fallen["total_precipitation_6hr"], atol=1e-5)
    assert own.attrs["units"] == "m"
    with pytest.raises(UserError, match="total_precipitation, toa_incident_solar_radiation, got other; pass those"):
        window_sums(since_start.rename({name: "other"}))


def test_sums_over_no_window_that_has_a_name_are_said(tmp_path):
    pytest.importorskip("cfgrib")
    with pytest.raises(UserError, match=r"f.grib2 holds nothing but total_precipitation \(sums since the start, over"):
        read_forecast(grib_sums(tmp_path / "f.grib2", ["0-5", "0-10"]))


@pytest.mark.parametrize("dim", ["init_time", "lead_time", "number"])
def test_files_share_out_any_axis(tmp_path, dim):
    for place in range(MEMBERS.sizes[dim]):
        layouts.weatherbench_x(tmp_path / f"{place}.nc", MEMBERS.isel({dim: [place]}))
    same(read_forecast(tmp_path / "*.nc"), MEMBERS)


def test_files_share_out_variables_and_levels(tmp_path):
    parts = [MEMBERS.sel(level=[850]), MEMBERS[["geopotential", "temperature"]].sel(level=[500])]
    for place, part in enumerate(parts):
        layouts.weatherbench_x(tmp_path / f"{place}.nc", part)
    same(read_forecast([tmp_path / "0.nc", tmp_path / "1.nc"]), MEMBERS)


def test_stores_in_a_bucket_are_one_forecast(bucket, tmp_path):
    for init in range(2):
        layouts.weatherbench2(tmp_path / f"{init}.zarr", MEMBERS.isel(init_time=[init]))
        put_contents(f"{bucket}/{init}.zarr", contents(tmp_path / f"{init}.zarr"))
    assert is_forecast(f"{bucket}/0.zarr")
    same(read_forecast([f"{bucket}/0.zarr", f"{bucket}/1.zarr"]), MEMBERS)


def test_what_no_file_has_is_missing_and_said(tmp_path):
    layouts.weatherbench_x(tmp_path / "long.nc", MEMBERS.isel(init_time=[0]))
    layouts.weatherbench_x(tmp_path / "short.nc", MEMBERS.isel(init_time=[1], lead_time=[0]))
    found = read_forecast([tmp_path / "long.nc", tmp_path / "short.nc"])
    assert found["2m_temperature"].isel(init_time=1, lead_time=[1, 2]).isnull().all()
    assert found["2m_temperature"].isel(init_time=1, lead_time=0).notnull().all()
    assert found.attrs["weatherml_source_layout"] == ["8 fields in no file: missing"]


def test_files_of_one_member_each_are_an_ensemble_by_choice(tmp_path):
    paths = [tmp_path / "a.nc", tmp_path / "b.nc"]
    for path, number in zip(paths, (0, 1), strict=True):
        layouts.weatherbench_x(path, MEMBERS.isel(number=number, drop=True))
    with pytest.raises(UserError, match=r"a.nc and .*b.nc both hold geopotential of .*repeated='members' if each file"):
        read_forecast(paths)
    same(read_forecast(paths, repeated="members"), MEMBERS)
    one = MEMBERS.isel(number=[0])
    same(read_forecast(paths, repeated="first"), one)
    same(read_forecast(paths[::-1], repeated="last"), one)


def reduced_grib(path):
    """Write a smooth field on the reduced Gaussian grid N32, of which every row has a length of its own."""
    import eccodes

    message = eccodes.codes_grib_new_from_samples("reduced_gg_pl_32_grib2")
    told = {"typeOfProcessedData": 1, "shortName": "t", "typeOfLevel": "isobaricInhPa", "level": 500, "forecastTime": 6}
    for key, value in told.items():
        eccodes.codes_set(message, key, value)
    latitude, longitude = (np.radians(eccodes.codes_get_array(message, name)) for name in ("latitudes", "longitudes"))
    eccodes.codes_set(message, "bitsPerValue", 24)
    eccodes.codes_set_values(message, 280 + 10 * np.cos(latitude) ** 2 * np.cos(2 * longitude))
    path.write_bytes(eccodes.codes_get_message(message))
    eccodes.codes_release(message)


def test_rows_of_different_lengths_are_interpolated_by_request(tmp_path):
    pytest.importorskip("cfgrib")
    reduced_grib(tmp_path / "f.grib2")
    refusal = r"has 6114 points in rows of 20 to 128, as on a reduced .*; bring .*, or pass points='interpolate' to"
    with pytest.raises(UserError, match=refusal):
        read_forecast(tmp_path / "f.grib2")
    found = read_forecast(tmp_path / "f.grib2", points="interpolate")
    assert LatLonGrid.from_dataset(found).is_same(LatLonGrid.gaussian(64, 128))
    rows, columns = np.radians(found["latitude"].values)[:, None], np.radians(found["longitude"].values)
    expected = 280 + 10 * np.cos(rows) ** 2 * np.cos(2 * columns)
    np.testing.assert_allclose(found["temperature"][0, 0, 0, 0], expected, atol=0.02)
    np.testing.assert_allclose(found["temperature"][0, 0, 0, 0, 32], expected[32], atol=2e-5)  # the longest row
    assert "rows of 20 to 128 points were interpolated linearly" in found.attrs["weatherml_source_layout"][0]
