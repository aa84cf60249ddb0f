"""Errors of forecast tracks: pairing, along and across, by lead, and on one sample."""

import numpy as np
import pandas as pd
import pytest

from weatherml.errors import UserError
from weatherml.extremes.tracks import make, to_frame
from weatherml.extremes.tracks.best_tracks import ibtracs
from weatherml.extremes.tracks.judging import Proximity, by_lead, differences, errors, homogeneous, pair
from weatherml.extremes.tracks.judging.errors import components
from weatherml.sphere import EARTH_RADIUS
from weatherml.sphere.great_circles import bearing, destination, distance

DEGREE = np.pi / 180 * EARTH_RADIUS
SIX = np.timedelta64(6, "h")
START = np.datetime64("2099-09-01", "ns")


def best(n_storms=3, n_times=5):
    """Storms that go along the equator, a degree in six hours, from places 40 degrees apart over the date line."""
    storm, step = (own.ravel() for own in np.indices((n_storms, n_times)))
    return make(
        {
            "track_id": storm + 7,
            "storm_id": np.array([f"AL{number:02}2099" for number in storm]),
            "time": START + step * SIX + storm * np.timedelta64(1, "D"),
            "latitude": np.zeros(storm.size),
            "longitude": 150 + 40.0 * storm + step,
            "mean_sea_level_pressure": 99_000 - 500.0 * step,
        }
    )


def forecast(truth, north=0.0, east=0.0, members=2, seed=0):
    """Forecasts from the first two times of each storm, off by so many degrees at every lead, and by noise."""
    rows, rng = to_frame(truth), np.random.default_rng(seed)
    parts = []
    for late in range(2):
        first = rows.groupby("track_id")["time"].transform("min") + late * SIX
        own = rows[rows["time"] >= first]
        for member in range(members):
            parts.append(own.assign(init_time=first[own.index], number=member, copy=members * late + member))
    joined = pd.concat(parts)
    joined["track_id"] = joined["track_id"] + 100 * joined["copy"]
    joined["latitude"] += north + rng.normal(0, 0.1, len(joined))
    joined["longitude"] += east + rng.normal(0, 0.1, len(joined))
    joined["mean_sea_level_pressure"] += 300
    return make({name: joined[name].to_numpy() for name in joined if name != "copy"})


def test_ahead_and_right_of_the_way_are_positive():
    """Of a storm that goes east along the equator, ahead is east and right is south."""
    for (north, east), expected in {(0, 1): (1, 0), (0, -2): (-2, 0), (-1, 0): (0, 1), (3, 0): (0, -3)}.items():
        np.testing.assert_allclose(
            components(0, 179.5, 90, north, 179.5 + east), np.multiply(expected, DEGREE), atol=1e-6
        )


def test_along_and_across_lead_to_the_place_from_anywhere():
    rng = np.random.default_rng(0)
    north, east, direction = rng.uniform(-80, 80, 40), rng.uniform(0, 360, 40), rng.uniform(0, 360, 40)
    to = destination(north, east, rng.uniform(0, 360, 40), rng.uniform(1, 3000, 40))
    along, cross = components(north, east, direction, *to)
    foot = destination(north, east, direction, along)
    way = (bearing(*foot, *destination(north, east, direction, along + 1)) + 90) % 360
    np.testing.assert_allclose(distance(*destination(*foot, way, cross), *to), 0, atol=1e-3)


def test_pairs_have_the_best_tracks_way_and_speed():
    truth = best()
    pairs = pair(forecast(truth), truth)
    assert pairs.sizes["record"] == 3 * 2 * (5 + 4)
    np.testing.assert_allclose(pairs["best_direction"], 90)
    np.testing.assert_allclose(pairs["best_speed"], DEGREE * 1000 / (6 * 3600))
    assert (pairs["lead_time"] == pairs["time"] - pairs["init_time"]).all()


def test_errors_of_a_displaced_forecast_are_its_displacement():
    truth = best()
    own = errors(forecast(truth, north=-2, east=1), truth)
    np.testing.assert_allclose(own["track_error"].mean(), np.hypot(2, 1) * DEGREE, rtol=0.02)
    np.testing.assert_allclose(own["along_track_error"].mean(), DEGREE, rtol=0.05)
    np.testing.assert_allclose(own["cross_track_error"].mean(), 2 * DEGREE, rtol=0.05)
    np.testing.assert_allclose(own["mean_sea_level_pressure_error"], 300)
    assert own["mean_sea_level_pressure_error"].attrs["units"] == "Pa"


def test_by_proximity_each_member_pairs_its_nearest_beginning():
    truth = best()
    tracks = forecast(truth, north=1)
    by_name, by_place = errors(tracks, truth), errors(tracks.drop_vars("storm_id"), truth, Proximity(within=200))
    np.testing.assert_array_equal(by_name["storm"], by_place["storm"])
    with pytest.raises(UserError, match="no record of the forecast tracks has a best track"):
        errors(tracks, truth, Proximity(within=50))


def test_two_forecast_tracks_of_a_member_are_not_of_one_storm():
    truth = best(n_storms=1)
    near, far = (forecast(truth, north=own, members=1).drop_vars("storm_id") for own in (0.5, 1))
    both = pd.concat([to_frame(near), to_frame(far).assign(track_id=lambda own: own["track_id"] + 1000)])
    own = errors(make({name: both[name].to_numpy() for name in both}), truth, Proximity())
    assert own["track_id"].values.max() < 1000


def parallel(latitude, n=9, late=0, members=None):
    """A storm that goes nine degrees east a step along a parallel, or a forecast of it that is so many late."""
    step = np.arange(max(late, 0), n + min(late, 0))
    columns = {"time": START + step * SIX, "longitude": 9.0 * (step - late), "track_id": np.zeros(len(step), int)}
    columns |= {"latitude": np.full(len(step), latitude), "storm_id": np.full(len(step), "S")}
    return make(columns | ({} if members is None else {"init_time": np.full(len(step), START)}))


@pytest.mark.parametrize("latitude", [65.0, -65.0, 20.0])
def test_the_way_is_that_at_the_record_so_late_and_early_are_mirrored(latitude):
    """Along a parallel a storm goes due east at each record, though to the next one the great circle does not."""
    truth = parallel(latitude)
    late, early = (errors(parallel(latitude, late=own, members=1), truth).isel(record=slice(2, 6)) for own in (1, -1))
    np.testing.assert_allclose(pair(parallel(latitude, members=1), truth)["best_direction"][1:-1], 90)
    np.testing.assert_allclose(late["cross_track_error"], early["cross_track_error"])
    np.testing.assert_allclose(late["along_track_error"], -early["along_track_error"])
    assert (late["along_track_error"] < 0).all()


def test_ahead_is_ahead_over_the_pole_too():
    """A storm goes up a meridian and down the one opposite; the forecast is four degrees ahead all the way."""
    up = np.array([70, 78, 86, 94, 102.0])

    def place(north):
        return {"latitude": np.minimum(north, 180 - north), "longitude": np.where(north > 90, 180.0, 0.0)}

    columns = {"track_id": np.zeros(5, int), "time": START + np.arange(5) * SIX, "storm_id": np.full(5, "S")}
    own = errors(make(columns | place(up + 4) | {"init_time": np.full(5, START)}), make(columns | place(up)))
    np.testing.assert_allclose(own["along_track_error"], 4 * DEGREE)
    np.testing.assert_allclose(own["cross_track_error"], 0, atol=1e-6)


def test_the_way_of_a_storm_that_turns_is_between_its_two_ways_and_none_where_it_stands():
    columns = {"track_id": np.zeros(3, int), "time": START + np.arange(3) * SIX, "storm_id": np.full(3, "S")}
    turned = make(columns | {"latitude": [0, 0, 1.0], "longitude": [10, 11, 11.0]})
    way = pair(turned, turned)["best_direction"].values
    np.testing.assert_allclose((way - [90, 45, 0] + 180) % 360 - 180, 0, atol=0.01)
    still = make(columns | {"latitude": [0, 0, 0.0], "longitude": [10, 11, 10.0]})
    assert np.isnan(pair(still, still)["best_direction"].values).tolist() == [False, True, False]


def off_hours(starts, east, hours=6, n=3, **more):
    """Tracks along the equator, so many hours apart, from longitudes."""
    step, track = np.tile(np.arange(n), len(starts)), np.repeat(np.arange(len(starts)), n)
    time = START + (np.asarray(starts)[track] + step * hours) * np.timedelta64(1, "h")
    columns = {"track_id": track, "time": time, "latitude": np.zeros(len(track))}
    return make(columns | {"longitude": np.asarray(east)[track] + step * hours / 6} | more)


def test_by_proximity_tracks_meet_at_the_first_time_that_both_have():
    truth = off_hours([0], [200.0], n=5)
    late = off_hours([3], [200.5], hours=3, n=5, init_time=np.full(5, START))
    assert pair(late, truth, Proximity())["time"].values.tolist() == truth["time"].values[1:3].tolist()
    assert pair(off_hours([-6], [199.0]), truth, Proximity()).sizes["record"] == 2
    with pytest.raises(UserError, match="no record of the forecast tracks has a best track"):
        pair(off_hours([-24], [196.0], n=6), truth, Proximity())


def test_by_proximity_a_track_that_loses_its_nearest_storm_has_the_next_one():
    truth = off_hours([0, 0], [200.0, 202.0])
    own = off_hours([0, 0], [200.2, 200.9], init_time=np.full(6, START), number=np.zeros(6, int))
    assert pair(own, truth, Proximity())["storm"].values.tolist() == [0, 0, 0, 1, 1, 1]
    beside = off_hours([0, 0], [200.1, 197.8])  # else the first would be given away for the sake of the second
    assert set(pair(beside, truth, Proximity())["track_id"].values) == {0}


def test_means_by_lead_are_those_of_pandas():
    truth = best()
    own = errors(forecast(truth, north=1), truth)
    rows = to_frame(own)
    for statistic, function in {
        "mean": lambda x: x.mean(),
        "mean_absolute": lambda x: x.abs().mean(),
        "root_mean_square": lambda x: np.sqrt((x**2).mean()),
    }.items():
        scores = by_lead(own, statistic)
        for name in ("track_error", "cross_track_error"):
            expected = rows.groupby("lead_time")[name].apply(function)
            np.testing.assert_allclose(scores[name].sel(bound="estimate"), expected)
    assert scores["n_errors"].values.tolist() == [12, 12, 12, 12, 6]
    assert (scores["n_storms"] == 3).all()


def test_intervals_are_over_storms_not_over_their_forecasts():
    """A hundred members of each of three storms tell no more of another storm than one does."""
    truth = best()
    widths = []
    for members in (1, 30):
        own = errors(forecast(truth, north=1, members=members), truth)
        own["track_error"] = own["track_error"] + 100.0 * (own["storm"] - 8)
        scores = by_lead(own, columns=["track_error"])["track_error"].isel(lead_time=1)
        widths.append(float(scores.sel(bound="upper") - scores.sel(bound="lower")))
    np.testing.assert_allclose(widths[1], widths[0], rtol=0.15)
    assert widths[1] > 200


def test_a_homogeneous_sample_has_what_all_systems_have():
    truth = best()
    one, other = (errors(forecast(truth, north=own, members=1), truth) for own in (1, 2))
    one = one.isel(record=one["storm"].values != 8)
    one["mean_sea_level_pressure_error"][0] = np.nan
    both = homogeneous({"one": one, "other": other})
    assert set(both["other"]["storm"].values) == {7, 9}
    keys = [(own["storm"].values.tolist(), own["time"].values.tolist()) for own in both.values()]
    assert keys[0] == keys[1]
    for own in both.values():
        assert np.isnan(own["mean_sea_level_pressure_error"].values).tolist() == [True] + [False] * 17
        assert np.isfinite(own["track_error"]).all()
    apart = differences(one, other)["track_error"]
    np.testing.assert_allclose(apart.sel(bound="estimate"), -DEGREE, rtol=0.2)
    with pytest.raises(UserError, match="one, other have no storm and time in common"):
        homogeneous({"one": one, "other": other.isel(record=other["storm"].values == 8)})


def test_intensity_errors_of_era5_at_the_centres_of_420_storms(shared):
    """Bias, mean absolute and root mean square error as pandas has them, of the table itself."""
    pytest.importorskip("pyarrow", reason="parquet files need pyarrow")
    path = shared("reference/cyclones/ibtracs_era5_natlantic_2000_2024.parquet")
    tracks = ibtracs.read(path)
    own = errors(ibtracs.at_centres(tracks), tracks)
    rows = pd.read_parquet(path).drop_duplicates(["sid", "time"])
    error = 100 * (rows["msl_hpa"] - rows["wmo_pres"])
    column = "mean_sea_level_pressure_error"
    for statistic, expected in {
        "mean": error.mean(),
        "mean_absolute": error.abs().mean(),
        "root_mean_square": np.sqrt((error**2).mean()),
    }.items():
        scores = by_lead(own, statistic, columns=[column])
        np.testing.assert_allclose(scores[column].sel(bound="estimate"), expected, rtol=1e-6)
        assert scores[column].sel(bound="lower") < expected < scores[column].sel(bound="upper")
    n_storms = rows[error.notna()]["sid"].nunique()
    assert (scores["n_errors"], scores["n_storms"]) == (error.count(), n_storms)
    assert (rows["sid"].nunique(), n_storms) == (420, 415)


def test_storms_without_a_name_are_in_nobodys_way():
    names = np.repeat(["IDA", "NOT_NAMED", "NOT_NAMED"], 5)
    truth = best().assign(name=("record", names))
    truth["time"].values[10:] = truth["time"].values[5:10]
    ida = truth.isel(record=slice(0, 5))
    assert pair(ida, truth, "name")["storm"].values.tolist() == [7] * 5
    with pytest.raises(UserError, match=r"two best tracks of .* are name 'NOT_NAMED'"):
        pair(truth.isel(record=slice(5, 10)), truth, "name")


def test_what_cannot_be_paired_is_said_in_one_line():
    truth = best()
    tracks = forecast(truth)
    with pytest.raises(UserError, match=r"forecast tracks have no column 'name'.*by=Proximity"):
        pair(tracks, truth, "name")
    with pytest.raises(UserError, match="two best tracks of 2099-09-02 00:00:00 are basin 'NA'"):
        pair(tracks.assign(basin=("record", ["NA"] * 54)), truth.assign(basin=("record", ["NA"] * 15)), "basin")
    with pytest.raises(UserError, match="the forecast has no tracks, so there is nothing to pair"):
        errors(tracks.isel(record=slice(0)), truth)
    with pytest.raises(UserError, match="best tracks have init_time, number, as forecasts have"):
        pair(truth, tracks)
    with pytest.raises(UserError, match="does not say which storm a record is of"):
        by_lead(tracks)
    with pytest.raises(UserError, match="no systems to judge on one sample"):
        homogeneous({})
    with pytest.raises(UserError, match="statistic 'median' is unknown"):
        by_lead(errors(tracks, truth), "median")
    with pytest.raises(UserError, match="multiply it by 100"):
        pair(tracks, truth.assign(mean_sea_level_pressure=truth["mean_sea_level_pressure"] / 100))
