"""The page on other systems: its Python on files as their writers leave them, and what its tables name."""

import re

import numpy as np
import pytest
import system_layouts as layouts
from docs_page import DOCS, run_python
from fake_data import analyses
from typer.main import get_command

from weatherml.cli.app import app
from weatherml.grid import LatLonGrid
from weatherml.products.alignment import Alignment

PAGE = (DOCS / "judging_other_systems.md").read_text()
HOUR = np.timedelta64(1, "h")


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Return what the page defines, in a folder with the files that it reads."""
    pytest.importorskip("cfgrib")
    folder, members = tmp_path_factory.mktemp("page"), layouts.forecast((0, 1, 2)).fillna(280.0)
    one = members[["2m_temperature"]].isel(number=[0]).drop_vars("valid_time")
    levels = {name: (500, 850) if "level" in field.dims else () for name, field in members.data_vars.items()}
    layouts.earth2_zarr(folder / "earth2.zarr", members)
    analyses(levels, 13, grid=LatLonGrid.regular(5, 8)).to_netcdf(folder / "era5.nc")
    analyses({"2m_temperature": ()}, 73, "1h").to_netcdf(folder / "hourly.nc")
    layouts.grib_ensemble(folder, members.assign_attrs(forecast_config='{"members": 3}'))
    for init in range(2):
        layouts.weatherbench_x(folder / f"run-{init}.nc", members.isel(init_time=[init]))
    one.assign_coords(lead_time=(one["lead_time"].values / HOUR).astype(int)).to_netcdf(folder / "numbered.nc")
    times = one["init_time"].values[0] + one["lead_time"].values
    one.isel(init_time=0, drop=True).rename(lead_time="time").assign_coords(time=times).to_netcdf(folder / "valid.nc")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run_python("judging_other_systems.md", None)


def test_the_code_of_the_page_judges_what_others_wrote(names):
    regridded, *_ = names["judged_as"].split("; ")  # and levels that the forecast lacks
    assert regridded == "the forecast is regridded conservatively, from 7 x 12 to 5 x 8"
    assert regridded in PAGE
    assert np.isfinite(names["scores"]["crps_fair"].sel(bound="estimate", channel="2m_temperature")).all()
    assert names["members"].sizes["number"] == 3 and names["runs"].sizes["init_time"] == 2
    assert (names["numbered"]["lead_time"].values / HOUR).tolist() == [6, 12, 18]
    assert names["valid"]["init_time"].values == np.datetime64("2001-01-01")
    assert "mean over 6h" in names["means"].attrs["judged_as"]


def test_the_options_of_the_page_are_those_of_the_verbs():
    commands = get_command(app).commands
    flags = {verb: {flag for p in commands[verb].params for flag in p.opts} for verb in ("evaluate", "convert")}
    untold = PAGE.split("## What files do not say")[1].split("\n## ")[0]
    for flag in re.findall(r"`(--[a-z-]+)", untold):
        assert flag in flags["evaluate"] & flags["convert"], flag
    aligned = PAGE.split("## Another grid")[1].split("\n## ")[0]
    assert {flag for flag in re.findall(r"`(--[a-z-]+)", aligned)} <= flags["evaluate"]
    assert set(re.findall(r"^\| `(\w+)=", aligned, re.MULTILINE)) == set(Alignment.__annotations__)
