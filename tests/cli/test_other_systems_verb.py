"""`weatherml evaluate` and `convert` of other systems' forecasts: what files do not say is an option of the verb."""

import json

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts
from tiny_experiment import done, refused

from weatherml.grid import LatLonGrid
from weatherml.products import read_forecast

SURFACE = {"2m_temperature": ()}
HOUR = np.timedelta64(1, "h")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Return a folder with an hourly truth, the same on a coarser grid, and perfect forecasts of it."""
    folder = tmp_path_factory.mktemp("systems")
    truth = analyses(SURFACE, 73, "1h")
    perfect = as_forecast(truth, forecasts(SURFACE, n_init=2)).drop_vars("valid_time", errors="ignore")
    numbers = perfect.assign_coords(lead_time=(perfect["lead_time"].values / HOUR).astype(int))
    truth.to_netcdf(folder / "truth.nc")
    perfect.to_netcdf(folder / "f.nc")
    numbers.to_netcdf(folder / "numbers.nc")
    numbers.drop_attrs().rename({"2m_temperature": "var167"}).to_netcdf(folder / "codes.nc")
    for init in range(2):
        perfect.isel(init_time=[init]).to_netcdf(folder / f"part-{init}.nc")
    analyses(SURFACE, 73, "1h", grid=LatLonGrid.regular(10, 16)).to_netcdf(folder / "fine.nc")
    truth.expand_dims(number=[0, 1]).to_netcdf(folder / "members.nc")
    return folder


def scores(*words):
    return json.loads(done("evaluate", *words, "--metric", "mae", "--json"))


def test_a_pattern_of_files_is_one_forecast(places):
    assert scores(places / "part-*.nc", places / "truth.nc") == scores(places / "f.nc", places / "truth.nc")


def test_info_reads_what_evaluate_reads(places):
    described = json.loads(done("info", places / "part-*.nc", "--json"))
    assert described["kind"] == "forecast" and described["init times"].startswith("2, 2001-01-01T00:00")
    assert json.loads(done("info", places / "part-0.nc", places / "part-1.nc", "--json")) == described


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("numbers.nc", "truth.nc"), "pass --lead-unit h if these are hours"),
        (("f.nc", "fine.nc"), "pass --grid truth to regrid the forecast, or forecast, or 1.5deg"),
        (("f.nc", "members.nc"), "pass --truth-member 0 to take one of them, or mean"),
        (("truth.nc", "truth.nc"), "pass --init 2020-01-01T00 if all its times are valid times of one initial time"),
        (("codes.nc", "truth.nc", "--lead-unit", "h"), "pass --rename var167=NAME to say what one is"),
        (("f.nc", "truth.nc", "--rename", "x=t2m"), "rename says what 'x' is, but no file has such a variable"),
        (("f.nc", "truth.nc", "--average", "90min"), "average 90min is not a multiple of the truth's spacing, 1h"),
        (("f.nc", "members.nc", "--truth-member", "first"), "--truth-member first is no number of a member"),
    ],
)
def test_what_is_not_told_is_one_line_with_an_option_of_the_verb(places, words, remedy):
    forecast, truth, *others = words
    assert remedy in refused("evaluate", places / forecast, places / truth, *others)


def test_what_is_told_judges_the_forecast_that_was_meant(places):
    expected = scores(places / "f.nc", places / "truth.nc")
    assert scores(places / "numbers.nc", places / "truth.nc", "--lead-unit", "h") == expected
    told = ("--lead-unit", "h", "--rename", "var167=t2m")
    assert scores(places / "codes.nc", places / "truth.nc", *told) == expected
    chosen = scores(places / "f.nc", places / "members.nc", "--truth-member", "1")
    assert chosen["scores"] == expected["scores"] and "the truth is its member 1" in chosen["judged_as"]


def test_a_truth_on_another_grid_is_judged_by_request_and_that_is_in_the_scores(places, tmp_path):
    printed = done(
        "evaluate",
        places / "f.nc",
        places / "fine.nc",
        "--grid",
        "forecast",
        "--average",
        "6h",
        "-o",
        tmp_path / "s.nc",
    )
    said = xr.load_dataset(tmp_path / "s.nc", decode_timedelta=True).attrs["judged_as"]
    assert "mean over 6h up to each valid time" in said and "regridded conservatively, from 10 x 16 to 7 x 12" in said
    assert all(clause in printed for clause in said.split("; "))


def test_a_forecast_that_says_little_is_converted(places, tmp_path):
    done("convert", places / "codes.nc", "--lead-unit", "h", "--rename", "var167=t2m", "-o", tmp_path / "f.zarr")
    assert (read_forecast(tmp_path / "f.zarr")["lead_time"].values / HOUR).tolist() == [6, 12, 18]
