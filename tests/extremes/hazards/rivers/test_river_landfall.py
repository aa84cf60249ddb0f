"""Rivers that come ashore, step by step, on a coast along a meridian."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from planted_rivers import band, fields

from weatherml.errors import UserError
from weatherml.extremes.hazards.rivers import FIXED, category, highest_category, landfall_errors, landfalls, rivers
from weatherml.extremes.hazards.rivers.transport import EASTWARD, NORTHWARD
from weatherml.grid import LatLonGrid

GRID = LatLonGrid.regular(61, 120)
EAST = np.broadcast_to(np.asarray(GRID.longitude) >= 201, GRID.shape)


def land(mask):
    return xr.DataArray(mask.astype(float), {"latitude": list(GRID.latitude), "longitude": list(GRID.longitude)})


def approaching(places, strength=(600.0,) * 9, turn=60):
    """A river whose middle moves eastward, six hours a step."""
    bands = [band(GRID, (40, east), turn, 4000, 900, own) for east, own in zip(places, strength, strict=False)]
    return fields(GRID, *bands)


@pytest.fixture(scope="module")
def ashore():
    """Reaches 201 E at the third time; strongest at the fourth."""
    given = approaching([150, 165, 180, 183, 186, 189], (600, 600, 620, 900, 700, 600))
    return landfalls(given, rivers(given, FIXED)[0], land(EAST))


def test_landfall_is_where_and_when_a_river_first_covers_the_coast(ashore):
    given = approaching([150, 165, 180, 183, 186, 189])
    covered = (rivers(given, FIXED)[0] > 0).sel(longitude=201)
    assert ashore.sizes["record"] == 1
    assert ashore["time"].values == given["time"].values[covered.any("latitude").values.argmax()]
    assert ashore["longitude"].item() == 201
    assert covered.sel(time=ashore["time"].values[0], latitude=ashore["latitude"].item())
    assert not ashore["arrived"].item()


def test_its_strength_there_and_how_long_it_lasts_make_its_category(ashore):
    assert ashore["transport"].item() == pytest.approx(620)
    assert ashore["peak"].item() == pytest.approx(900)
    assert ashore["hours"].item() == 24
    assert ashore["category"].item() == 3


def test_a_river_that_leaves_land_does_not_reach_it():
    given = approaching([180, 183, 186])
    west = land(~EAST)
    assert landfalls(given, rivers(given, FIXED)[0], west).sizes["record"] == 0


def test_a_river_that_is_there_at_first_may_have_come_before():
    given = approaching([183, 186])
    own = landfalls(given, rivers(given, FIXED)[0], land(EAST))
    assert own["arrived"].item() and own["time"].values == given["time"].values[0]


def test_an_island_of_one_cell_has_a_coast_on_all_sides():
    mask = np.zeros(GRID.shape, bool)
    mask[16, 62] = True
    given = approaching([150, 180, 186])
    own = landfalls(given, rivers(given, FIXED)[0], land(mask))
    assert (own["latitude"].item(), own["longitude"].item()) == (42, 186)


def test_forecasts_are_late_and_off_by_what_they_are(ashore):
    given = approaching([150, 155, 160, 180, 183, 186], (500,) * 6)
    forecast = landfalls(given, rivers(given, FIXED)[0], land(EAST))
    errors, counts = landfall_errors(forecast, ashore)
    assert counts == {"hits": 1, "misses": 0, "false_alarms": 0}
    assert errors["timing"].item() == 6 and errors["transport_error"].item() == pytest.approx(-120)
    assert errors["distance"].item() == pytest.approx(0, abs=1e-6)
    far = ashore.assign(latitude=ashore["latitude"] - 30)
    assert landfall_errors(forecast, far)[1] == {"hits": 0, "misses": 1, "false_alarms": 1}
    assert landfall_errors(forecast.isel(record=[]), ashore)[1] == {"hits": 0, "misses": 1, "false_alarms": 0}


def test_categories_are_those_of_the_published_table():
    peak = [249, 250, 499, 500, 760, 1000, 1250, 1300, 260]
    hours = [60, 23, 24, 48, 30, 12, 50, 23.9, 72]
    assert category(np.array(peak), np.array(hours)).tolist() == [0, 0, 1, 3, 3, 3, 5, 4, 2]


def test_the_highest_category_of_a_place_is_of_one_spell():
    strength = np.array([[300.0] * 9, [800, 0, 0, 0, 260, 260, 260, 260, 0], [200] * 9])
    times = np.datetime64("2020-01-01", "ns") + np.arange(9) * np.timedelta64(6, "h")
    given = xr.DataArray(strength.T[:, :, None], {"time": times}, ("time", "latitude", "longitude"))
    assert highest_category(given).values[:, 0].tolist() == [2, 2, 0]


def test_land_of_another_grid_is_refused():
    given = approaching([180])
    with pytest.raises(UserError, match=r"land \(60, 120\) and fields \(61, 120\) lie on different grids"):
        landfalls(given, rivers(given, FIXED)[0], land(EAST).isel(latitude=slice(60)))


@pytest.mark.parametrize("start", [0, 345])
@pytest.mark.parametrize(
    ("east", "north", "is_there"), [(600, 0, True), (-600, 0, False), (0, 600, True), (0, -600, False)]
)
def test_land_is_reached_where_vapour_goes_to_it_also_across_greenwich(start, east, north, is_there):
    """Land from 0 E on for wind along the rows, from 50 N on for wind along the columns; on a globe and a region."""
    longitude = np.arange(0, 360, 5.0) if start == 0 else np.r_[np.arange(0, 15, 5.0), np.arange(345, 360, 5.0)]
    grid = {"time": pd.date_range("2000", periods=2, freq="6h"), "latitude": np.arange(60, 40, -5.0)}
    coords = grid | {"longitude": longitude}
    one = xr.DataArray(np.ones((2, 4, len(longitude)), np.float32), coords, tuple(coords))
    given = xr.Dataset({EASTWARD: east * one, NORTHWARD: north * one})
    is_land = (one.longitude < 30) if east else (one.latitude >= 50)
    labels = (one > 0) & ((one.longitude < 15) | (one.longitude >= 345))
    found = landfalls(given, labels.astype(int), (one * is_land)[0].drop_vars("time"))
    assert found.sizes["record"] == is_there
    if is_there:
        assert found["longitude"].item() == 0 if east else found["latitude"].item() == 50


def test_rivers_end_where_times_are_missing_and_last_as_long_as_their_steps():
    given = approaching([150, 180, 183, 183, 183, 186])
    labels = rivers(given, FIXED)[0]
    hours = np.array([0, 6, 12, 500, 506, 512]) * np.timedelta64(1, "h")
    apart = given["time"].values[0] + hours
    found = landfalls(given.assign_coords(time=apart), labels.assign_coords(time=apart), land(EAST))
    assert found["hours"].values.tolist() == [12, 18] and found["arrived"].values.tolist() == [False, True]
    given = approaching([150, 180, 183, 183, 183, 186, 186])
    labels = rivers(given, FIXED)[0]
    growing = given["time"].values[0] + np.array([0, 3, 6, 9, 15, 21, 27]) * np.timedelta64(1, "h")
    whole = landfalls(given.assign_coords(time=growing), labels.assign_coords(time=growing), land(EAST))
    assert whole["hours"].values.tolist() == [3 + 3 + 6 + 6 + 6 + 6]


def test_no_spell_goes_on_across_times_that_are_missing():
    hours = np.array([0, 6, 12, 204, 210]) * np.timedelta64(1, "h")
    given = xr.DataArray(
        np.full((5, 1, 1), 300.0),
        {"time": np.datetime64("2020-01-01", "ns") + hours},
        ("time", "latitude", "longitude"),
    )
    assert highest_category(given).item() == 0
    with pytest.raises(UserError, match=r"times do not rise, .*sortby"):
        highest_category(given[::-1])
