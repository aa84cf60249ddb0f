"""Genesis: hits, misses and false alarms, with errors in time and place."""

import numpy as np
import pandas as pd
import pytest

from weatherml.errors import UserError
from weatherml.extremes.tracks import make, tell
from weatherml.extremes.tracks.judging.genesis import Genesis, genesis, genesis_scores

START = np.datetime64("2099-09-01", "ns")
HOUR = np.timedelta64(1, "h")


def tracks(beginnings, init=None, number=None, status=None):
    """Storms of two records that begin so many hours after the start, at longitudes of the 15th parallel."""
    rows = [(i, hours + late, east) for i, (hours, east) in enumerate(beginnings) for late in (0, 6)]
    columns = {
        "track_id": np.array([row[0] for row in rows], int),
        "time": START + np.array([row[1] for row in rows], int) * HOUR,
        "latitude": np.full(len(rows), 15.0),
        "longitude": np.array([row[2] for row in rows], float),
    }
    if init is not None:
        columns["init_time"] = np.full(len(rows), START + init * HOUR)
    if number is not None:
        columns["number"] = np.full(len(rows), number)
    if status is not None:
        columns["status"] = np.array(status)
    made = make(columns)
    if init is None or number is not None:
        return made
    return tell(made, [START + init * HOUR], f"{max(row[1] for row in rows) - init}h")


def test_hits_misses_and_false_alarms():
    """The true ones begin at 24, 60 and 100 h; the forecast has the first, 6 h late and a degree off, and another."""
    truth = tracks([(24, 300), (60, 320), (100, 340)])
    own = genesis(tracks([(30, 301), (60, 200), (80, 100)], init=0), truth).iloc[0]
    assert own[["hits", "misses", "false_alarms"]].tolist() == [1, 1, 2]
    assert own["time_error"] == 6
    assert own["place_error"] == pytest.approx(111.19 * np.cos(np.radians(15)), rel=1e-3)


def test_what_was_there_before_counts_as_nothing():
    """A storm of the initial time that is found late is no false alarm, and one that is found at once no genesis."""
    truth = tracks([(0, 300), (18, 300.5)])
    truth = truth.assign(track_id=("record", [0] * 4)).isel(record=slice(0, 4))
    own = genesis(tracks([(0, 300), (18, 300), (60, 100)], init=0), truth).iloc[0]
    assert own[["hits", "misses", "false_alarms"]].tolist() == [0, 0, 1]


@pytest.mark.parametrize("begins", [24, 27])
def test_an_older_storm_that_is_found_late_at_an_hour_between_is_no_false_alarm(begins):
    """Best tracks are six-hourly, the forecast is three-hourly."""
    late = np.arange(8)
    truth = make({"track_id": 0 * late, "time": START + 6 * late * HOUR, "latitude": 0 * late, "longitude": 300 + late})
    own = make(
        {
            "track_id": np.zeros(3, int),
            "time": START + (begins + 3 * np.arange(3)) * HOUR,
            "latitude": np.zeros(3),
            "longitude": 304 + 0.5 * np.arange(3),
            "init_time": np.full(3, START),
        }
    )
    counts = genesis(tell(own, [START], "2d"), truth)
    assert counts[["hits", "misses", "false_alarms"]].to_numpy().tolist() == [[0, 0, 0]]


def test_a_disturbance_becomes_a_storm_at_its_first_status_that_counts():
    truth = tracks([(24, 300)], status=["DB", "TD"])
    own = genesis(tracks([(36, 300)], init=0), truth)
    assert own["time_error"].tolist() == [6]
    none = genesis(tracks([(30, 300)], init=0), truth, Genesis(statuses=("HU",)))
    assert none[["hits", "misses", "false_alarms"]].iloc[0].tolist() == [0, 0, 0]


def test_as_many_as_may_be_are_hits_even_where_the_nearest_is_shared():
    truth = tracks([(24, 300), (24, 303)])
    own = genesis(tracks([(24, 302.9), (24, 306)], init=0), truth).iloc[0]
    assert own[["hits", "misses", "false_alarms"]].tolist() == [2, 0, 0]


def test_a_forecast_without_a_track_misses_what_came():
    truth = tracks([(24, 300)])
    inits = [START, START + 6 * HOUR, START + 48 * HOUR]
    own = genesis(tracks([(24, 300), (60, 100)], init=0, number=1), truth, init_times=inits, n_members=2)
    assert own["number"].tolist() == [0, 1, 0, 1, 0, 1]
    assert own["hits"].tolist() == [0, 1, 0, 0, 0, 0]
    assert own["misses"].tolist() == [1, 0, 1, 1, 0, 0]
    assert own["false_alarms"].tolist() == [0, 1, 0, 0, 0, 0]


def test_scores_of_all_initial_times():
    counts = pd.DataFrame(
        {
            "init_time": START + np.arange(20) * 144 * HOUR,
            "hits": [1, 0] * 10,
            "misses": [0, 1] * 10,
            "false_alarms": [1, 0] * 10,
        }
    )
    scores = genesis_scores(counts)
    assert [float(scores[name].sel(bound="estimate")) for name in ("pod", "far", "csi")] == [0.5, 0.5, 1 / 3]
    assert 0.1 < scores["pod"].sel(bound="lower") < 0.5 < scores["pod"].sel(bound="upper") < 0.9
    assert (scores["hits"], scores["misses"], scores["false_alarms"]) == (10, 10, 10)
    with pytest.raises(UserError, match="no init_time"):
        genesis(tracks([(0, 1)]), tracks([(0, 1)]))
