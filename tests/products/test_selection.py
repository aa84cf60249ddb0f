"""Selection: channels with ragged levels, regions across the date line and across 0 degrees."""

import numpy as np
import pytest
import xarray as xr
from fake_data import forecasts
from hypothesis import given
from hypothesis import strategies as st

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.products.selection import Region, select_channels, select_region, variable_of
from weatherml.state import spec_of

FIELDS = {"geopotential": (300, 500, 850), "temperature": (300, 500, 850), "2m_temperature": ()}
degrees = st.integers(-180, 360)


@pytest.fixture(scope="module")
def forecast():
    return forecasts(FIELDS, n_members=2)


def test_channels_are_kept_as_a_forecast_of_them_would_hold_them(forecast):
    selected = select_channels(forecast, ["z500", "t850", "t2m"])
    assert selected["level"].values.tolist() == [500, 850]
    xr.testing.assert_equal(selected["temperature"].sel(level=850), forecast["temperature"].sel(level=850))
    assert selected["geopotential"].sel(level=850).isnull().all()
    assert selected["temperature"].attrs == forecast["temperature"].attrs
    assert spec_of(selected).grid == spec_of(forecast).grid


def test_surface_channels_alone_leave_no_levels(forecast):
    selected = select_channels(forecast, ["2m_temperature"])
    assert set(selected.data_vars) == {"2m_temperature"}
    assert "level" not in selected.coords


def test_channels_of_statistics_are_those_of_their_variables(forecast):
    reduced = forecast.mean("number").rename({name: f"{name}_mean" for name in forecast.data_vars})
    exceedance = forecast["temperature"].isel(level=2, number=0, drop=True)
    reduced["temperature_850_exceedance"] = exceedance.expand_dims(temperature_850_threshold=[270.0])
    assert set(select_channels(reduced, ["t500"]).data_vars) == {"temperature_mean"}
    selected = select_channels(reduced, ["t850"])
    assert set(selected.data_vars) == {"temperature_mean", "temperature_850_exceedance"}
    assert "temperature_850_threshold" not in select_channels(reduced, ["t500"]).coords
    assert variable_of("2m_temperature_spread") == "2m_temperature"
    assert variable_of("total_precipitation_6hr_mean") == "total_precipitation_6hr"


@pytest.mark.parametrize(
    ("channel", "message"),
    [("u500", "has no variable 'u_component_of_wind'"), ("z400", "geopotential has no level 400 hPa; it is there at")],
)
def test_channels_that_are_not_there_are_refused(forecast, channel, message):
    with pytest.raises(UserError, match=message):
        select_channels(forecast, [channel])


@given(st.integers(-90, 90), st.integers(0, 180), degrees, degrees, st.sampled_from([(7, 12), (10, 9)]))
def test_a_region_holds_the_points_inside_and_no_others(south, height, west, east, size):
    grid = LatLonGrid.regular(*size)
    north = min(south + height, 90)
    field = forecasts({"2m_temperature": ()}, n_init=1, n_lead=1, grid=grid)
    region = Region(north, west, south, east)
    inside_rows = [lat for lat in grid.latitude if south - 1e-9 <= lat <= north + 1e-9]
    steps = 360 if east - west >= 360 else (east - west) % 360
    inside_columns = [lon for lon in grid.longitude if (lon - west + 1e-4) % 360 - 1e-4 <= steps + 1e-9]
    if not inside_rows or not inside_columns:
        with pytest.raises(UserError, match="no grid point lies in the region"):
            select_region(field, region)
        return
    selected = select_region(field, region)
    assert selected["latitude"].values.tolist() == inside_rows
    assert sorted(selected["longitude"].values % 360) == inside_columns
    assert (np.diff(selected["longitude"]) > 0).all()
    assert np.ptp(selected["longitude"].values) <= max(steps, 0) + 1e-9
    for longitude in selected["longitude"].values:
        xr.testing.assert_equal(
            selected["2m_temperature"].sel(longitude=longitude, drop=True),
            field["2m_temperature"].sel(longitude=longitude % 360, latitude=inside_rows, drop=True),
        )


def test_a_region_across_0_degrees_is_in_one_piece(forecast):
    selected = select_region(forecast, Region.parse("72,-35,30,60"))
    assert selected["longitude"].values.tolist() == [-30, 0, 30, 60]
    assert selected["longitude"].attrs["units"] == "degrees_east"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "must read north,west,south,east"),
        ("a,b,c,d", "must read north,west,south,east"),
        ("10,0,20,5", "must have 90 >= north >= south >= -90"),
        ("20,-190,10,5", "must have west and east within -180 .. 360"),
    ],
)
def test_regions_that_are_none_are_refused(text, message):
    with pytest.raises(UserError, match=message):
        Region.parse(text)
