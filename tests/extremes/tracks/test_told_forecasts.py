"""Forecasts without a storm: tables of tracks tell of them, and every verdict counts them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from vortices import path, planted

from weatherml.errors import UserError
from weatherml.extremes.tracks import check, join, make, select, tell, to_frame, track
from weatherml.extremes.tracks.density import lasting, track_density
from weatherml.extremes.tracks.forecasts import forecasts_of, told
from weatherml.extremes.tracks.judging import (
    genesis,
    genesis_scores,
    landfall_errors,
    strike_probability,
    strike_scores,
)
from weatherml.extremes.tracks.presets import EXTRATROPICAL
from weatherml.grid import LatLonGrid

START = np.datetime64("2099-09-01", "ns")
HOUR = np.timedelta64(1, "h")
GRID = LatLonGrid.regular(37, 72)
LEADS = np.arange(11) * 6 * HOUR.astype("timedelta64[ns]")


def storm(begins=24, init=0, number=None, n=4):
    """Along the equator from 300 E, a degree west in six hours."""
    columns = {
        "track_id": np.zeros(n, int),
        "time": START + (begins + 6 * np.arange(n)) * HOUR,
        "latitude": np.zeros(n),
        "longitude": 300.0 - np.arange(n),
        "storm_id": np.full(n, "S"),
    }
    more = {"init_time": np.full(n, START + init * HOUR)} if init is not None else {}
    return make(columns | more | ({"number": np.full(n, number)} if number is not None else {}))


def fields(*east):
    """A forecast of two initial times with a member for each longitude, where a storm begins, NaN for none."""
    runs = []
    for own in east:
        where = path(45, own, 80, n=len(LEADS)) if np.isfinite(own) else (np.full(len(LEADS), np.nan),) * 2
        run = planted(GRID, [where], radius=700.0).rename(time="lead_time").assign_coords(lead_time=LEADS)
        runs.append(run)
    calm = [planted(GRID, [(np.full(len(LEADS), np.nan),) * 2]).rename(time="lead_time").assign_coords(lead_time=LEADS)]
    both = [xr.concat(own, "number") for own in (runs, calm * len(runs))]
    return xr.concat(both, "init_time").assign_coords(
        init_time=[START, START + 24 * HOUR], number=np.arange(len(east)) + 5
    )


@pytest.fixture(scope="module")
def found():
    """One of two members has a storm, at the first of two initial times."""
    return track(fields(10.0, np.nan), *EXTRATROPICAL)


def test_tracks_tell_of_members_and_initial_times_without_a_storm(found):
    own = forecasts_of(found)
    assert (own["init_time"] == np.repeat([START, START + 24 * HOUR], 2)).all()
    assert own["number"].tolist() == [5, 6, 5, 6]
    assert (own["longest_lead"] == np.timedelta64(60, "h")).all()
    assert np.unique(found["number"]).tolist() == [5]
    for kept in (select(found, np.zeros(found.sizes["record"], bool)), join([found, found.isel(record=slice(0))])):
        assert forecasts_of(kept).equals(own)


def test_forecasts_stay_where_records_are_selected_and_are_selected_with_theirs(found):
    assert forecasts_of(found.isel(record=slice(2)))["number"].tolist() == [5, 6, 5, 6]
    assert forecasts_of(lasting(found, 99))["number"].tolist() == [5, 6, 5, 6]
    assert forecasts_of(select(found, numbers=[6]))["number"].tolist() == [6, 6]
    one = select(found, init_times=START, numbers=[5])
    assert forecasts_of(one)[["init_time", "number"]].to_numpy().tolist() == [[pd.Timestamp(START), 5]]
    assert one.sizes["record"] == found.sizes["record"]
    assert select(found, found["time"] > found["time"][0]).sizes["record"] == found.sizes["record"] - 1


@pytest.mark.parametrize("judge", [forecasts_of, lambda own: genesis(own, storm(init=None))])
def test_whether_forecasts_that_lost_all_their_tracks_count_is_asked(found, judge):
    cut = found.isel(record=np.flatnonzero(found["number"].values != 5))
    with pytest.raises(
        UserError, match="1 forecast had tracks that are all left out, the first that of 2099-09-01"
    ) as no:
        judge(cut)
    assert "\n" not in str(no.value)
    assert len(judge(select(cut))) == 4
    assert len(judge(select(cut, numbers=[6]))) == 2
    assert forecasts_of(join([select(found, numbers=[5]), select(found, numbers=[6])])).equals(forecasts_of(found))
    with pytest.raises(UserError, match="all left out"):
        judge(join([cut, select(found, numbers=[6])]))


def test_columns_and_forecasts_make_the_table_again(found):
    again = make({name: own.to_numpy() for name, own in to_frame(found).items()}, told=told(found))
    xr.testing.assert_equal(again, found)
    assert "forecast" not in make({name: own.to_numpy() for name, own in to_frame(found).items()}).dims


def test_tables_put_together_by_other_means_are_refused(found):
    with pytest.raises(UserError, match="forecast_init_time of tracks has dims"):
        check(found.drop_vars("forecast_init_time").assign(forecast_init_time=("record", found["time"].values)))
    with pytest.raises(UserError, match="track_id of tracks is float64, not int64; pick records by"):
        check(found.where(found["latitude"] > 0))
    with pytest.raises(UserError, match="only some of the tables of tracks tell"):
        join([found, storm(number=3)])


def test_what_is_told_holds_all_tracks_and_members_or_none(found):
    with pytest.raises(UserError, match="there are tracks of that of 2099-09-01T00:00, number 5, which is not among"):
        tell(found, [START], "2d", [6])
    with pytest.raises(UserError, match="told with numbers="):
        tell(found, [START], "2d")
    with pytest.raises(UserError, match="no 'init_time' to select by"):
        select(storm(init=None), init_times=[START])


def test_what_tracks_tell_is_kept_in_files(found, tmp_path):
    for own in (found, tell(storm(), [START], "2d")):
        own.to_netcdf(tmp_path / "tracks.nc")
        with xr.open_dataset(tmp_path / "tracks.nc") as again:
            assert forecasts_of(again).equals(forecasts_of(own))
        (tmp_path / "tracks.nc").unlink()


def test_a_forecast_without_any_storm_is_judged_too():
    none = track(fields(np.nan), *EXTRATROPICAL)
    best = storm(init=None, begins=18)
    assert none.sizes["record"] == 0
    share = strike_probability(none, GRID, 1, (None, "2d"))
    assert share.sizes["init_time"] == 2
    assert not share.any()
    scores = strike_scores(none, best, GRID, 1, [(None, "2d")], radius=600)
    assert scores.attrs["n_init_times"] == 2
    assert scores["brier"].sel(bound="estimate") > 0
    counts = genesis(none, best)
    assert counts[["hits", "misses", "false_alarms"]].to_numpy().tolist() == [[0, 1, 0], [0, 0, 0]]
    assert genesis_scores(counts)["pod"].sel(bound="estimate") == 0


def test_one_of_ten_members_that_has_the_storm_detects_a_tenth():
    own = tell(storm(number=3), [START, START + 300 * HOUR], "5d", np.arange(10))
    scores = genesis_scores(genesis(own, storm(init=None)))
    assert scores["pod"].sel(bound="estimate") == pytest.approx(0.1)
    assert (scores["hits"], scores["misses"]) == (1, 9)


def test_a_missed_strike_of_a_forecast_without_a_storm_counts():
    best = storm(init=None, begins=0)
    first, both = (
        strike_scores(tell(storm(begins=0), inits, "1d"), best, GRID, 1, [(None, "12h")], 600)["brier"][0]
        for inits in ([START], [START, START + 6 * HOUR])
    )
    assert first == 0
    assert both > 0


def test_nothing_is_missed_beyond_the_end_of_its_own_forecast():
    """Both lose the storm at once; it begins, and comes ashore, 24 h later, when only the longer one goes on."""
    coords = {"latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}
    land = np.broadcast_to(np.asarray(GRID.longitude) < 297, GRID.shape)
    mask = xr.DataArray(land.astype(float), coords, list(coords))
    best = storm(init=None, begins=0, n=9)
    long = tell(storm(begins=0, n=2), [START], "2d")
    earlier = storm(begins=0, n=2)
    short = tell(earlier.assign(init_time=earlier["init_time"] - 1 * HOUR), [START - HOUR], "12h")
    ashore = landfall_errors(join([long, short]), best, mask)
    assert dict(zip(ashore["init_time"], ashore["outcome"], strict=True)) == {START: "miss", START - HOUR: "none"}
    late = genesis(join([long, short]), storm(init=None, begins=24))
    assert late["misses"].tolist() == [0, 1]


def test_tables_that_do_not_tell_are_asked_for_it_where_it_counts():
    own = join([storm(number=2), storm(begins=0, number=4)])
    judges = [
        forecasts_of,
        lambda tracks: genesis(tracks, storm(init=None)),
        lambda tracks: strike_probability(tracks, GRID, 5, (None, "2d")),
        lambda tracks: track_density(tracks, GRID, n_days=5),
    ]
    for judge in judges:
        with pytest.raises(UserError, match="do not tell which forecasts were made") as no:
            judge(own)
        assert "\n" not in str(no.value)
    known = forecasts_of(own, [START], n_members=5)
    assert (known["number"].tolist(), set(known["longest_lead"])) == ([0, 1, 2, 3, 4], {np.timedelta64(42, "h")})
    assert strike_probability(own, GRID, 5, (None, "2d"), init_times=[START]).max() == np.float32(0.4)
    with pytest.raises(UserError, match="tracks are of member 4, which is none of 3 numbered from 0"):
        forecasts_of(own, [START], n_members=3)
    with pytest.raises(UserError, match="not known how far forecasts go"):
        genesis(own.isel(record=slice(0)), storm(init=None), init_times=[START], n_members=2)


def test_only_a_mask_of_all_records_selects_them(found):
    positions = np.flatnonzero(found["latitude"] > found["latitude"][0])
    mask = np.isin(np.arange(found.sizes["record"]), positions)
    assert select(found, mask)["time"].values.tolist() == found["time"].values[positions].tolist()
    for wrong in (positions, positions.tolist(), mask.astype(int), mask[1:], mask[None]):
        with pytest.raises(UserError, match=r"records to select are .*, not bool \[.*np.isin") as no:
            select(found, wrong)
        assert "\n" not in str(no.value)


def members(*numbers, n=4):
    """A storm of each member of one forecast, all of which go two days."""
    return tell(join([storm(number=own, n=n) for own in numbers]), [START], "2d", numbers)


def test_tables_whose_records_are_not_of_what_they_tell_are_refused():
    own = members(0, 1)
    columns, known = to_frame(own), told(own)
    xr.testing.assert_identical(make(columns, told=known), own)
    alone = [select(own, numbers=[number]) for number in (0, 1)]
    mixed = xr.concat(alone, "record", coords="minimal", compat="override")
    for wrong, words in {
        lambda: forecasts_of(mixed): "number 1, which is not among",
        lambda: make(columns, told=known[:1]): "of 2099-09-01T00:00, number 1, which is not among",
        lambda: check(mixed): "of 2099-09-01T00:00, number 1, which is not among",
        lambda: make(columns, told=pd.concat([known, known])): "number 0 is told twice",
        lambda: tell(own, [START, START], "2d", [0, 1]): "the forecast of 2099-09-01T00:00, number 0 is told twice",
        lambda: tell(own, [START], "2d", [0, 1, 1]): "number 1 is told twice",
        lambda: tell(own, [START], "41h", [0, 1]): "number 0 is told to go 41 h and has tracks to 42 h",
        lambda: check(own.drop_vars("number")): "of 2099-09-01T00:00, which is not among",
        lambda: check(own.drop_vars(["init_time", "number"])): r"tell of forecasts; .*drop_dims\('forecast'\)",
    }.items():
        with pytest.raises(UserError, match=words) as no:
            wrong()
        assert "\n" not in str(no.value)
    assert len(forecasts_of(tell(own, [START], "42h", [0, 1]))) == 2


def test_tracks_of_a_forecast_are_counted_anew_where_parts_are_put_together():
    """Two of one and one of the other; a member whose tracks are all lost had some."""
    own = tell(join([storm(number=0), storm(number=0), storm(number=1)]), [START], "2d", [0, 1, 2])
    ids = own["track_id"].values
    halves = [own.isel(record=ids == 0), own.isel(record=ids > 0)]
    assert told(own)["n_tracks"].tolist() == told(join(halves))["n_tracks"].tolist() == [2, 1, 0]
    assert told(join([select(halves[0]), select(halves[1])]))["n_tracks"].tolist() == [2, 1, 0]
    assert told(join([own, own]))["n_tracks"].tolist() == [4, 2, 0]
    assert told(join([own.isel(record=ids < 2), own.isel(record=ids < 0)]))["n_tracks"].tolist() == [2, 1, 0]
    longer = tell(own, [START], "3d", [0, 1, 2])
    assert set(told(join([own, longer]))["longest_lead"]) == {np.timedelta64(72, "h")}
