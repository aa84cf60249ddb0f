"""What `weatherml info` says of a file."""

import json

import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr

from weatherml.data.quality.describe import describe
from weatherml.data.reading.opening import open_files
from weatherml.grid import LatLonGrid

TRUTH = layouts.truth(n_times=3)


def test_a_description_names_everything(tmp_path):
    layouts.new_cds(layouts.raw(TRUTH)).to_netcdf(tmp_path / "new.nc")
    found = describe(open_files(tmp_path / "new.nc"))
    assert found["format"] == "NetCDF-4"
    assert found["variables"][1] == {
        "name": "temperature",
        "source_name": "t",
        "units": "K",
        "dims": {"time": 3, "level": 3, "latitude": 19, "longitude": 36},
    }
    assert found["grid"]["summary"] == "global regular 10 degrees, 19 x 36"
    assert found["times"] == {"first": "2017-02-03T00", "last": "2017-02-03T12", "n": 3, "step": "6 h"}
    assert found["levels"] == [300, 500, 850]
    assert found["layout"] == ["levels ran from the ground up: reordered"]
    assert found["unpacked"] == 4 * 3 * 19 * 36 * (3 + 3 + 1 + 1)


def test_a_description_is_json():
    assert json.loads(json.dumps(describe(TRUTH))) == describe(TRUTH)


@pytest.mark.parametrize(
    ("grid", "summary"),
    [
        (LatLonGrid.gaussian(8, 16), "global Gaussian, 4 rows a hemisphere, 8 x 16"),
        (LatLonGrid.regular(8, 16, poles=False), "global regular 22.5 degrees, 8 x 16"),
        (LatLonGrid((50.0, 47.5, 45.0), (5.0, 7.5)), "regional regular 2.5 degrees, 3 x 2"),
        (LatLonGrid((50.0, 47.0, 45.0), (5.0, 7.5)), "regional irregular, 3 x 2"),
    ],
)
def test_grids_are_told_apart(grid, summary):
    coords = {"latitude": np.asarray(grid.latitude), "longitude": np.asarray(grid.longitude)}
    dataset = xr.Dataset({"2m_temperature": (("latitude", "longitude"), np.zeros(grid.shape))}, coords)
    assert describe(dataset)["grid"]["summary"] == summary


def test_irregular_times_are_called_so():
    assert describe(layouts.truth(4).isel(time=[0, 1, 3]))["times"]["step"] == "irregular"


def test_members_are_listed(shared):
    found = describe(open_files(shared("reanalysis/era5_eda_zt_850_500_3deg_20170101.grib")))
    assert found["members"] == list(range(10)) and found["format"] == "GRIB"
