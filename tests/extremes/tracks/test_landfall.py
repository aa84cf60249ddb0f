"""Landfalls: crossings of the coast between records, and errors of forecasts of them."""

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks import make, to_frame
from weatherml.extremes.tracks.best_tracks import hurdat2
from weatherml.extremes.tracks.judging.landfall import landfall_errors, landfalls
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import distance

SIX = np.timedelta64(6, "h")
START = np.datetime64("2099-09-01", "ns")


def mask(coast=180.0, step=1.0, region=slice(None)):
    """Land from a meridian on to 40 degrees beyond, on the globe or some of its columns."""
    grid = LatLonGrid.regular(round(180 / step) + 1, round(360 / step))
    longitude = np.array(grid.longitude)
    land = ((longitude - coast) % 360 < 40).astype(np.float32)
    field = np.broadcast_to(land, grid.shape)
    return xr.DataArray(
        field, {"latitude": np.array(grid.latitude), "longitude": longitude}, ["latitude", "longitude"]
    ).isel(longitude=region)


def eastward(start, **columns):
    """A storm along the equator, two degrees in six hours, over five records."""
    place = {"latitude": np.zeros(5), "longitude": start + 2.0 * np.arange(5)}
    return make({"track_id": np.full(5, 3), "time": START + np.arange(5) * SIX} | place | columns)


@pytest.mark.parametrize("coast", [180, 360, 10])
def test_the_coast_is_crossed_where_the_mask_is_half(coast):
    """Between the last point of the sea and the first of the land, wherever the meridian is."""
    found = landfalls(eastward(coast - 4, maximum_wind_speed=np.arange(5.0)), mask(coast % 360))
    assert found.sizes["record"] == 1
    assert distance(0, coast - 0.5, 0, found["longitude"].values[0]) < 1
    assert abs(found["time"].values[0] - (START + np.timedelta64(630, "m"))) < np.timedelta64(5, "m")
    np.testing.assert_allclose(found["maximum_wind_speed"], 1.75, atol=0.02)


def test_a_mask_of_one_time_is_that_of_its_time():
    dated = mask().expand_dims(time=[START])
    xr.testing.assert_identical(landfalls(eastward(176), dated), landfalls(eastward(176), mask()))
    with pytest.raises(UserError, match=r"land_sea_mask must be DataArray, got Dataset; pass one variable, such as"):
        landfalls(eastward(176), dated.to_dataset(name="LSM"))


def test_angles_go_the_shorter_way_round():
    heading = ("record", np.array([350, 350, 10, 10, 10.0]), {"units": "degrees"})
    other = ("record", np.array([359, 359, 1, 1, 1.0]), {"units": "degrees_east"})
    found = landfalls(eastward(177).assign(heading=heading, best_longitude=other), mask())
    np.testing.assert_allclose(found["heading"], 355, atol=0.1)  # the coast is a quarter of the way to the third record
    np.testing.assert_allclose(found["best_longitude"], 359.5, atol=0.01)


def test_a_storm_that_begins_ashore_or_stays_at_sea_makes_none():
    assert landfalls(eastward(181), mask()).sizes["record"] == 0
    assert landfalls(eastward(150), mask()).sizes["record"] == 0


def test_landfalls_of_many_tracks_are_those_of_each():
    parts = [eastward(start) for start in (176, 150, 172.5)]
    ids = np.repeat([1, 2, 3], 5)
    columns = {name: np.concatenate([own[name].values for own in parts]) for name in ("time", "latitude", "longitude")}
    together = landfalls(make({"track_id": ids} | columns), mask())
    assert together["track_id"].values.tolist() == [1, 3]
    alone = [landfalls(own, mask()) for own in (parts[0], parts[2])]
    np.testing.assert_array_equal(together["time"], np.concatenate([own["time"].values for own in alone]))


def test_a_mask_of_a_region_must_hold_the_track():
    region = mask(region=slice(170, 200))
    assert landfalls(eastward(176), region).sizes["record"] == 1
    with pytest.raises(UserError, match="mask does not hold latitude 0, longitude 164"):
        landfalls(eastward(164), region)


def test_hits_misses_and_false_alarms_with_their_errors():
    truth = eastward(176, storm_id=np.repeat("A", 5))
    first = {"init_time": np.full(5, START), "storm_id": np.repeat("A", 5)}
    late, never = eastward(174, **first), eastward(160, **first)
    hit, miss = (landfall_errors(own, truth, mask()).iloc[0] for own in (late, never))
    assert (hit["outcome"], miss["outcome"]) == ("hit", "miss")
    assert hit["time_error"] == pytest.approx(6, abs=0.1)
    assert hit["place_error"] < 1
    assert np.isnan(miss["time_error"])
    assert miss["lead_time"] == hit["lead_time"]
    at_sea = eastward(150, storm_id=np.repeat("A", 5))
    assert landfall_errors(late, at_sea, mask())["outcome"].tolist() == ["false_alarm"]
    assert landfall_errors(never, at_sea, mask())["outcome"].tolist() == ["none"]


def test_a_landfall_after_the_forecast_ends_is_not_missed():
    """The best track comes ashore after 10.5 h; the forecast stays at sea and ends at 6 h, or at 24 h."""
    truth = eastward(176, storm_id=np.repeat("A", 5))
    own = eastward(150, init_time=np.full(5, START), storm_id=np.repeat("A", 5))
    for n_records, outcome in ((2, "none"), (5, "miss")):
        assert landfall_errors(own.isel(record=slice(n_records)), truth, mask())["outcome"].tolist() == [outcome]


def test_between_the_pole_and_the_first_row_the_mask_is_that_of_the_row():
    grid = LatLonGrid.from_coordinates(np.arange(85, -90, -10.0), np.arange(0, 360, 10.0))
    coords = {"latitude": np.array(grid.latitude), "longitude": np.array(grid.longitude)}
    land = np.broadcast_to((np.array(grid.longitude) >= 180).astype(float), grid.shape)
    places = {"latitude": np.full(2, 88.0), "longitude": np.array([160.0, 200])}
    own = make({"track_id": np.zeros(2, int), "time": START + np.arange(2) * SIX} | places)
    assert landfalls(own, xr.DataArray(land, coords, list(coords))).sizes["record"] == 1


def test_most_landfalls_that_hurdat2_names_are_found_on_era5s_mask(shared):
    """The others are of capes and islands that cells of a quarter degree have not."""
    tracks = hurdat2.read(shared("reference/cyclones/hurdat2_atlantic_2021_2022.txt"))
    path = shared("reference/statics/era5_land_sea_mask_0p25deg.nc")
    with xr.open_dataset(path) as dataset:
        found = to_frame(landfalls(tracks, dataset["LSM"].isel(time=0, drop=True)))
    named = to_frame(tracks)[tracks["record_identifier"].values == "L"].merge(found, on="track_id", suffixes=("", "_f"))
    apart = distance(named["latitude"], named["longitude"], named["latitude_f"], named["longitude_f"])
    soon = (named["time"] - named["time_f"]).abs().dt.total_seconds() < 3 * 3600
    assert named[soon & (apart < 50)].groupby(["track_id", "time"]).ngroups >= 35
