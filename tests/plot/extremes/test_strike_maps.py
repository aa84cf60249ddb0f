"""Maps of strike probabilities: colours of the field, lines of the members, the best track over both."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from weatherml import plot
from weatherml.errors import UserError
from weatherml.extremes.tracks import join, make
from weatherml.extremes.tracks.judging import strike_probability
from weatherml.grid import LatLonGrid

START = np.datetime64("2099-09-01", "ns")
REGION = LatLonGrid.from_coordinates(np.arange(30, -1, -2.0), np.arange(160, 201, 2.0))


def storm(shift=0.0, **columns):
    place = {"latitude": 10 + 2.0 * np.arange(5) + shift, "longitude": 170 + 4.0 * np.arange(5)}
    time = START + np.arange(5) * np.timedelta64(12, "h")
    return make({"track_id": np.zeros(5), "time": time} | place | columns)


def ensemble():
    first, second = (to for to in (storm(-2), storm(2)))
    joined = {name: np.concatenate([first[name], second[name]]) for name in ("time", "latitude", "longitude")}
    number = np.repeat([0, 1], 5)
    return make(joined | {"track_id": number, "number": number, "init_time": np.full(10, START)})


def drawn(**what):
    field = strike_probability(ensemble(), REGION, 2, (None, "2d"), radius=300, init_times=[START]).isel(init_time=0)
    return field, plot.strike_probability(field, coastlines=False, **what).axes


def test_colours_are_percent_and_words_say_radius_window_and_members():
    field, (ax, bar) = drawn()
    assert np.nanmax(ax.images[0].get_array()) == pytest.approx(100 * field.max(), abs=1)
    assert ax.get_title(loc="left") == "Strike probability, centre within 300 km"
    (note,) = [own.get_text() for own in ax.texts]
    assert note == "forecast from 2099-09-01 00 UTC · leads 0h to 48h · 2 members"
    assert bar.get_xlabel() == "Probability (%)"
    assert ax.get_legend() is None


def test_members_and_best_track_are_drawn_over_it_with_days_at_midnight():
    _, (ax, _) = drawn(members=ensemble(), best=storm())
    lines = [own for own in ax.collections if isinstance(own, LineCollection)]
    ends = [np.concatenate(own.get_segments()) for own in lines if len(own.get_segments()) > 4]
    n_pieces = sorted(len(own) for own in ends)
    assert n_pieces[-1] > 1.8 * n_pieces[0]
    assert max(np.ptp(own[:, 0]) for own in ends) == pytest.approx(16, abs=0.1)
    assert [own.get_text() for own in ax.texts][:-1] == ["1", "2", "3"]
    assert [own.get_text() for own in ax.get_legend().get_texts()] == ["members", "best track, days at 00 UTC"]


def lines_of(axes):
    """The points of lines of members and of the best track, by their colour."""
    lines = [own for own in axes[0].collections if isinstance(own, LineCollection) and own.get_linewidth()[0] < 2]
    return {to_hex(own.get_color()[0]): np.concatenate(own.get_segments()) for own in lines if len(own.get_segments())}


def test_members_of_other_forecasts_and_storms_of_other_times_and_places_are_not_drawn():
    day = np.timedelta64(1, "D")
    later = ensemble().assign(init_time=("record", np.full(10, START + 9 * day))).assign(time=ensemble().time + 9 * day)
    earlier, away = storm().assign(time=storm().time - 300 * day), storm().assign(longitude=storm().longitude + 90)
    alone = lines_of(drawn(members=ensemble(), best=storm())[1])
    among = lines_of(drawn(members=join([ensemble(), later]), best=join([earlier, storm(), away]))[1])
    assert set(alone) == set(among) and len(alone) >= 2
    for color, points in alone.items():
        np.testing.assert_array_equal(points, among[color])
    assert set(lines_of(drawn(members=later)[1])) < set(alone)


def test_what_is_no_probability_or_no_track_is_refused():
    field, _ = drawn()
    with pytest.raises(UserError, match="lies between 0 and 1, this one reaches 100"):
        plot.strike_probability(100 * field)
    with pytest.raises(UserError, match="tracks without track_id"):
        plot.strike_probability(field, best=xr.Dataset({"time": 1}))
