"""Storms as events: where those that are strong enough pass."""

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards.registry import find
from weatherml.extremes.hazards.storms import Storm, struck
from weatherml.extremes.tracks import table
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import distance

GRID = LatLonGrid.regular(37, 72)
TIMES = np.datetime64("2026-01-24", "ns") + np.arange(14) * np.timedelta64(6, "h")


@pytest.fixture(scope="module")
def fields():
    """A low of 950 hPa over 990 and more at 50 north, which goes over the date line at 8 degrees in six hours."""
    places = 150 + 8.0 * np.arange(len(TIMES))
    latitude, longitude = np.array(GRID.latitude)[:, None], np.array(GRID.longitude)
    far = np.stack([distance(latitude, longitude, 50, own) for own in places])
    values = (99_000 - 5_000 * np.exp(-((far / 700) ** 2))).astype(np.float32)
    coords = {"time": TIMES, "latitude": np.array(GRID.latitude), "longitude": longitude}
    return xr.Dataset({"mean_sea_level_pressure": (tuple(coords), values)}, coords)


def test_places_are_struck_near_the_records_that_are_deep_enough(fields):
    columns = {
        "track_id": [0, 0, 1],
        "time": TIMES[[0, 1, 1]],
        "latitude": [50, 52, 85],
        "longitude": [179, 185, 10],
        "mean_sea_level_pressure": [95_000, 97_000, 94_000],
    }
    found = struck(table.make(columns), fields, Storm(pressure=96_000, radius=900))
    latitude, longitude = np.array(GRID.latitude)[:, None], np.array(GRID.longitude)
    np.testing.assert_array_equal(found[0], distance(latitude, longitude, 50, 179) <= 900)
    np.testing.assert_array_equal(found[1], distance(latitude, longitude, 85, 10) <= 900)
    assert not found[2:].any()


def test_a_storm_is_tracked_once_and_strikes_where_it_goes(fields):
    hazard = find("storm")
    made = hazard.make(fields, hazard.define({"pressure": 96_000}))
    assert len(np.unique(made.tracks["track_id"])) == 1
    middle = made.event.sel(latitude=50)
    for number in (3, 6, 9):  # its column is the one that it passes, at all times
        centre = (150 + 8 * number) % 360
        columns = middle["longitude"].values[middle.isel(time=number).values]
        assert (
            len(columns)
            and np.abs((columns - centre + 180) % 360 - 180).max() <= 500 / 111.2 / np.cos(np.radians(50)) + 5
        )
    xr.testing.assert_equal(made.event, hazard.event(fields, hazard.define({"pressure": 96_000}), None))


def test_nothing_strikes_where_no_storm_is_deep_enough_and_a_radius_is_positive(fields):
    hazard = find("storm")
    assert not hazard.make(fields, hazard.define({"pressure": 90_000})).event.any()
    with pytest.raises(UserError, match="radius of 0 km strikes nowhere"):
        hazard.define({"radius": 0})
