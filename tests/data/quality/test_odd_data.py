"""Whatever people have is checked without a traceback or a warning of a library."""

import warnings

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.data.quality.check import check_dataset
from weatherml.grid import LatLonGrid

LEVELS = dict.fromkeys(("temperature", "geopotential", "u_component_of_wind", "v_component_of_wind"), (500, 850))
SURFACE = dict.fromkeys(("2m_temperature", "total_precipitation", "mean_sea_level_pressure"), ())


def made(**options):
    return analyses(LEVELS | SURFACE, **options)


LOST_TIME = np.array(["2001-01-01", "NaT", "2001-01-02", "2001-01-03"], "datetime64[ns]")
TIMELESS = made(times=1)["2m_temperature"].isel(time=0, drop=True)
ODD = {
    "a forecast": lambda: forecasts(LEVELS | SURFACE),
    "an ensemble": lambda: forecasts(LEVELS | SURFACE, n_members=2),
    "no times": lambda: made(times=3).isel(time=slice(0, 0)),
    "one time": lambda: made(times=1),
    "two times": lambda: made(times=2),
    "no time": lambda: made(times=1).isel(time=0, drop=True),
    "one cell": lambda: made(grid=LatLonGrid((10.0,), (20.0,))),
    "one row": lambda: made(grid=LatLonGrid((10.0,), (20.0, 21.0))),
    "one column": lambda: made(grid=LatLonGrid((10.0, 9.0), (20.0,))),
    "a southern region": lambda: made(grid=LatLonGrid((-30.0, -31.0, -32.0), (20.0, 21.0, 22.0, 23.0))),
    "nothing finite": lambda: made() * np.float32(np.nan),
    "infinite": lambda: made() * np.float32(np.inf),
    "huge": lambda: made() * np.float32(1e30),
    "zero": lambda: made() * np.float32(0),
    "times in reverse": lambda: made().isel(time=slice(None, None, -1)),
    "a time twice": lambda: made().isel(time=[0, 1, 1, 2]),
    "a time that is none": lambda: made(times=LOST_TIME),
    "hours": lambda: made(times=60, step="1h"),
    "months": lambda: made(times=30, step="30D"),
    "a globe": lambda: made(grid=LatLonGrid.regular(19, 36)),
    "whole numbers": lambda: made().astype("int32"),
    "an unknown name": lambda: made().rename(temperature="warmth"),
    "no fields": lambda: xr.Dataset(coords=made(times=1).coords),
    "no latitude": lambda: made().isel(latitude=0, drop=True),
    "fields without a time": lambda: made().assign(sea_surface_temperature=TIMELESS),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_data_are_checked_without_a_traceback(what):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        findings = check_dataset(ODD[what]())
    assert all("\n" not in str(finding) and finding.rule for finding in findings)
