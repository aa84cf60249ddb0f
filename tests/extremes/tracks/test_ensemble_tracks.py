"""Mean tracks of members, and their spread against the error of the mean."""

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks import make, to_frame
from weatherml.extremes.tracks.judging import errors
from weatherml.extremes.tracks.judging.ensembles import mean_tracks, spread_and_error
from weatherml.sphere.great_circles import destination, distance

SIX = np.timedelta64(6, "h")
START = np.datetime64("2099-09-01", "ns")


def best(n_storms, n_times=3):
    storm, step = (own.ravel() for own in np.indices((n_storms, n_times)))
    return make(
        {
            "track_id": storm,
            "storm_id": storm.astype(str),
            "time": START + step * SIX + storm * np.timedelta64(1, "D"),
            "latitude": np.linspace(-60, 60, n_storms)[storm],
            "longitude": 179.0 + step,
        }
    )


def members(truth, n_members, off):
    """Members whose places, and that of the truth, are drawn alike around a place `off` of the truth's, km."""
    columns = {name: np.tile(truth[name].values, n_members) for name in truth.variables}
    number = np.repeat(np.arange(n_members), truth.sizes["record"])
    first = {own: truth["time"].values[truth["track_id"].values == own].min() for own in np.unique(truth["track_id"])}
    init_time = np.array([first[own] for own in columns["track_id"]])
    direction, km = off
    place = destination(columns["latitude"], columns["longitude"], direction, km)
    ids = columns["track_id"] * n_members + number
    named = dict(zip(("latitude", "longitude"), place, strict=True))
    return make(columns | named | {"number": number, "init_time": init_time, "track_id": ids})


def test_the_mean_of_members_around_the_date_line_is_in_their_middle():
    truth = best(2)
    direction = np.repeat([0, 90, 180, 270], truth.sizes["record"])
    means = mean_tracks(errors(members(truth, 4, (direction, 300.0)), truth))
    assert means["n_members"].values.tolist() == [4] * 6
    np.testing.assert_allclose(means["track_error"], 0, atol=25)  # meridians of a circle are not the same as its middle
    np.testing.assert_allclose(means["position_variance"], 4 / 3 * 300**2, rtol=0.01)


def test_the_mean_ends_where_too_few_members_are_left():
    truth = best(1, n_times=4)
    own = members(truth, 4, (0.0, 100.0))
    kept = own.isel(record=~((own["number"].values >= 1) & (own["time"].values > START + SIX)))
    for share, n_left in ((0.5, 2), (0.25, 4)):
        means = mean_tracks(errors(kept, truth), share)
        assert means.sizes["record"] == n_left
    assert np.isnan(means["position_variance"].values[-1])


@pytest.mark.parametrize("n_members", [2, 8])
def test_the_spread_of_a_reliable_ensemble_of_any_size_is_as_large_as_its_error(n_members):
    """Truth and members are drawn alike: 200 km of standard deviation in both directions of the plane."""
    truth, rng = best(400, n_times=1), np.random.default_rng(0)
    east, north = rng.normal(0, 200, (2, n_members, 400))
    east, north = east - rng.normal(0, 200, 400), north - rng.normal(0, 200, 400)
    off = np.degrees(np.arctan2(east, north)).ravel(), np.hypot(east, north).ravel()
    scores = spread_and_error(mean_tracks(errors(members(truth, n_members, off), truth)))
    at = scores.isel(lead_time=0).sel(bound="estimate")
    assert float(at["ratio"]) == pytest.approx(1, abs=0.06)
    assert float(at["spread"]) == pytest.approx(200 * np.sqrt(2 * (n_members + 1) / n_members), rel=0.06)
    assert (scores["ratio"].sel(bound="lower") < 1).all()
    assert (scores["ratio"].sel(bound="upper") > 1).all()


def test_an_ensemble_of_one_has_no_spread():
    truth = best(2)
    alone = members(truth, 1, (0.0, 50.0))
    means = mean_tracks(errors(alone, truth))
    np.testing.assert_allclose(
        distance(means["latitude"], means["longitude"], alone["latitude"], alone["longitude"]), 0
    )
    with pytest.raises(UserError, match="no forecast has two members"):
        spread_and_error(means)
    with pytest.raises(UserError, match="an ensemble of tracks has 'number'"):
        mean_tracks(errors(alone.drop_vars("number"), truth))


def test_what_is_no_number_is_not_averaged_as_one():
    """Ids of other tracks have no mean, and that of 350 and 20 degrees is 5."""
    truth = best(1)
    own = members(truth, 2, (0.0, 50.0))
    second = own["number"].values == 1
    own = own.assign(
        merged_into=("record", np.where(second, 8, -1)),
        heading=("record", np.where(second, 20.0, 350.0), {"units": "degrees"}),
    )
    means = mean_tracks(errors(own, truth.assign(split_from=("record", [-1, -1, -1]))))
    np.testing.assert_allclose(means["heading"], 5)
    assert not {"merged_into", "best_split_from"} & set(means.variables)


def test_a_member_with_two_tracks_of_a_storm_counts_once():
    truth = best(1)
    two = members(truth, 2, (0.0, np.repeat([0.0, 300.0], 3)))
    more = to_frame(two)[two["number"].values == 1].assign(track_id=9)
    three = make({name: np.r_[two[name].values, more[name].to_numpy()] for name in two.variables})
    twice, once = (mean_tracks(errors(own, truth)) for own in (three, two))
    xr.testing.assert_allclose(twice, once)
    assert twice["n_members"].values.tolist() == [2] * 3
