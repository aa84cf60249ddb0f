"""Whatever people have is checked without a traceback or a warning of a library."""

import warnings

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.data.quality.check import check_dataset
from weatherml.data.quality.gathering import gather
from weatherml.grid import LatLonGrid

LEVELS = dict.fromkeys(("temperature", "geopotential", "u_component_of_wind", "v_component_of_wind"), (500, 850))
SURFACE = dict.fromkeys(("2m_temperature", "total_precipitation", "mean_sea_level_pressure"), ())


def made(**options):
    return analyses(LEVELS | SURFACE, **options)


LOST_TIME = np.array(["2001-01-01", "NaT", "2001-01-02", "2001-01-03"], "datetime64[ns]")
TIMELESS = made(times=1)["2m_temperature"].isel(time=0, drop=True)
WEEKS = np.datetime64("2001-01-01", "ns") + np.arange(60) * np.timedelta64(6, "h")
EQUAL = made(times=3).isel(time=[0, 0, 1]).drop_vars("time").rename(time="number").assign_coords(number=[0, 1, 2])
ODD = {
    "a forecast": lambda: forecasts(LEVELS | SURFACE),
    "forecasts that stay": lambda: (
        forecasts(LEVELS | SURFACE).isel(init_time=[0, 0, 1, 0]).assign_coords(init_time=made(times=4)["time"].values)
    ),
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
    "times that mostly repeat": lambda: made(times=np.repeat(WEEKS[:16], 3)),
    "one time only": lambda: made(times=np.repeat(WEEKS[:1], 48)),
    "a time that is none": lambda: made(times=LOST_TIME),
    "many times, one of them none": lambda: made(times=np.where(np.arange(60) == 7, np.datetime64("NaT", "ns"), WEEKS)),
    "equal members": lambda: EQUAL,
    "hours": lambda: made(times=60, step="1h"),
    "months": lambda: made(times=30, step="30D"),
    "a globe": lambda: made(grid=LatLonGrid.regular(19, 36)),
    "whole numbers": lambda: made().astype("int32"),
    "complex numbers": lambda: made() * np.complex64(1 + 1j),
    "numbers as text": lambda: made().astype(str),
    "other units": lambda: made().map(lambda field: field.assign_attrs(units="degF")),
    "an unknown name": lambda: made().rename(temperature="warmth"),
    "no fields": lambda: xr.Dataset(coords=made(times=1).coords),
    "no latitude": lambda: made().isel(latitude=0, drop=True),
    "fields without a time": lambda: made().assign(sea_surface_temperature=TIMELESS),
    "sea surface temperature without a time": lambda: TIMELESS.to_dataset(name="sea_surface_temperature"),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_data_are_checked_without_a_traceback(what):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        findings = check_dataset(ODD[what]())
    assert all("\n" not in str(finding) and finding.rule for finding in findings)


@pytest.mark.parametrize("repeats", [1, 2])
def test_what_has_no_order_in_time_is_not_judged_by_it(repeats):
    """Equal fields are no copies of another time where they say none, or times repeat."""
    times = np.repeat(WEEKS[: 60 // repeats], repeats)
    fields = made(times=times[:40]).isel(time=[0, 0, 1, 0, *range(4, 40)])
    fields = fields.assign_coords(time=times[:40]) if repeats > 1 else fields.drop_vars("time").rename(time="number")
    told = {"frozen", "repeated", "exchanged", "version-change", "unit-change", "spike"}
    assert told.isdisjoint(finding.rule for finding in check_dataset(fields))


@pytest.mark.parametrize("dim", ["number", "time"])
def test_what_is_lost_is_found_without_times_too(dim):
    fields = made(times=30)[["2m_temperature"]]
    fields["2m_temperature"][3] = 0
    fields = fields.drop_vars("time").rename(time="number") if dim == "number" else fields
    (finding,) = [f for f in check_dataset(fields) if f.rule == "constant"]
    assert ("in 1 of 30 fields" if dim == "number" else "at 2001-01-01T18") in finding.message


def test_evidence_in_time_keeps_channels_and_their_snapshots_together():
    mixed = gather(made().assign(sea_surface_temperature=TIMELESS)[["sea_surface_temperature", "2m_temperature"]])
    timed = mixed.in_time
    assert [channel.variable for channel in timed.channels] == ["2m_temperature"]
    assert np.array_equal(timed.snapshots.values[:, 0], mixed.snapshots.values[:, 1])
    assert not gather(made().isel(time=slice(None, None, -1))).in_time.channels
