"""Forecasts of other systems, in the layouts that their writers leave, are the forecasts that they were."""

import numpy as np
import pytest
import system_layouts as layouts
from fake_data import contents
from s3_server import put_contents

from weatherml.errors import UserError
from weatherml.products import is_forecast, read_forecast

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


def test_control_and_members_in_a_file_for_each_lead_are_one_ensemble(tmp_path):
    pytest.importorskip("cfgrib")
    members = layouts.forecast((0, 1, 2)).fillna(280.0).assign_attrs(forecast_config='{"members": 3}')
    paths = layouts.grib_ensemble(tmp_path, members)
    assert len(paths) == 6
    same(read_forecast([*paths[:3:-1], tmp_path / "[cp]f-[01].grib2"]), members, 1.1 / 2**16)


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
