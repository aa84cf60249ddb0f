"""Rapid intensification: what is one, and how forecasts of it are judged."""

import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.extremes.tracks import make
from weatherml.extremes.tracks.best_tracks.units import KNOT
from weatherml.extremes.tracks.judging.intensification import (
    RapidIntensification,
    intensification,
    intensification_scores,
)

SIX = np.timedelta64(6, "h")
START = np.datetime64("2099-09-01", "ns")


def storm(knots, track=0, **columns):
    """A storm with so many knots every six hours."""
    n = len(knots)
    place = {"latitude": np.full(n, 15.0), "longitude": 300 - np.arange(n), "storm_id": np.repeat(f"S{track}", n)}
    own = {"track_id": np.full(n, track), "time": START + np.arange(n) * SIX}
    return {**own, **place, "maximum_wind_speed": np.multiply(knots, KNOT)} | columns


def joined(*storms):
    return make({name: np.concatenate([own[name] for own in storms]) for name in storms[0]})


def test_thirty_knots_in_a_day_are_rapid_and_less_are_not():
    own = intensification(joined(storm([35, 40, 45, 50, 65, 69, 110]), storm([100, 90, 80, 70, 60], 1)))
    nan = np.nan
    np.testing.assert_allclose(own["wind_change"] / KNOT, [*[nan] * 4, 30, 29, 65, *[nan] * 4, -40])
    np.testing.assert_array_equal(own["is_rapid"], [*[nan] * 4, 1, 0, 1, *[nan] * 4, 0])
    twice = intensification(joined(storm([35, 40, 90])), RapidIntensification(increase=55 * KNOT, hours=12))
    np.testing.assert_array_equal(twice["is_rapid"], [nan, nan, 1])


def test_a_gap_in_time_is_not_bridged():
    own = storm([35, 40, 45, 50, 65])
    del_first = {name: values[1:] for name, values in own.items()}
    assert np.isnan(intensification(make(del_first))["is_rapid"]).all()
    with pytest.raises(UserError, match="no maximum_wind_speed"):
        intensification(make({name: values for name, values in own.items() if name != "maximum_wind_speed"}))


def test_scores_count_the_four_ways_over_storms_and_leads():
    rapid, slow = [35, 40, 45, 50, 70, 80], [35, 36, 37, 38, 39, 40]
    truth = joined(*(storm(own, number) for number, own in enumerate([rapid, rapid, slow, slow])))
    said = [rapid, slow, rapid, slow]
    forecast = joined(*(storm(own, number, init_time=np.full(6, START)) for number, own in enumerate(said)))
    scores = intensification_scores(forecast, truth)
    assert (scores["lead_time"].values // SIX).tolist() == [4, 5]
    at = scores.sel(bound="estimate").isel(lead_time=0)
    assert [float(at[name]) for name in ("pod", "far", "csi", "frequency_bias", "brier")] == [0.5, 0.5, 1 / 3, 1, 0.5]
    assert scores["n_events"].values.tolist() == [2, 2]


def test_members_together_make_a_probability():
    rapid, slow = [35, 40, 45, 50, 70], [35, 36, 37, 38, 39]
    truth = joined(storm(rapid))
    members = [
        storm(own, 10 + number, init_time=np.full(5, START), number=np.full(5, number), storm_id=np.repeat("S0", 5))
        for number, own in enumerate([rapid, slow, slow, slow])
    ]
    scores = intensification_scores(joined(*members), truth).sel(bound="estimate").isel(lead_time=0)
    assert float(scores["brier"]) == pytest.approx((1 - 1 / 4) ** 2)
    assert float(scores["pod"]) == pytest.approx(1 / 4)
    with pytest.raises(UserError, match="no forecast has a best track whose wind"):
        intensification_scores(joined(*(storm(rapid[:3], init_time=np.full(3, START)),)), truth)
