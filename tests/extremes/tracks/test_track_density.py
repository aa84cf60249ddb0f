"""Densities and lifetimes of storms, against caps counted by hand."""

import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.extremes.tracks import join, make
from weatherml.extremes.tracks.density import lasting, lifetimes, track_density
from weatherml.extremes.tracks.forecasts import tell
from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS

DAY = np.datetime64("2020-01-01", "ns")
QUARTER = np.timedelta64(6 * 3600 * 10**9, "ns")
GRID = LatLonGrid.regular(37, 72)
CAP = 2 * np.pi * EARTH_RADIUS**2 * (1 - np.cos(556 / EARTH_RADIUS)) / 1e6


def storms(*places):
    """A storm each, at its places one after the other."""
    columns = {
        "track_id": np.repeat(np.arange(len(places)), [len(own) for own in places]),
        "time": DAY + np.concatenate([np.arange(len(own)) for own in places]) * QUARTER,
        "latitude": np.concatenate([np.array(own, float)[:, 0] for own in places]),
        "longitude": np.concatenate([np.array(own, float)[:, 1] for own in places]),
    }
    return make(columns)


def test_a_storm_that_stays_counts_once():
    density = track_density(storms([(50, 100)] * 9, [(50, 100)]), GRID, n_days=60)
    assert float(density.sel(latitude=50, longitude=100)) == pytest.approx(2 / CAP / 2)
    assert float(density.sel(latitude=60, longitude=100)) == 0


def test_caps_reach_over_the_date_line_and_the_pole():
    density = track_density(storms([(40, 357)], [(88, 90)]), GRID, n_days=30) * CAP
    assert density.sel(latitude=40, longitude=[350, 355, 0, 5]).values == pytest.approx([0, 1, 1, 0])
    assert density.sel(latitude=90).values == pytest.approx(1)
    assert float(density.sel(latitude=85, longitude=270)) == 0
    assert float(density.sel(latitude=85, longitude=90)) == pytest.approx(1)


def test_the_mean_density_is_the_area_that_storms_pass_over():
    density = track_density(storms([(20, 10)], [(-75, 200)]), LatLonGrid.regular(181, 360), n_days=30)
    area = density.copy(data=np.broadcast_to(LatLonGrid.regular(181, 360).cell_areas()[:, None], density.shape))
    assert float((density * area).sum()) * EARTH_RADIUS**2 / 1e6 == pytest.approx(2, rel=0.02)


def test_of_members_the_density_is_the_mean():
    one = storms([(50, 100)] * 9)
    alike = join([one.assign(number=("record", np.full(9, number))) for number in range(10)])
    for n_days in (None, 30):
        own = [track_density(tracks, GRID, n_days).values for tracks in (one, alike)]
        assert own[0] == pytest.approx(own[1])
    assert own[0].max() == pytest.approx(1 / CAP)
    forecast = one.assign(number=("record", np.zeros(9, int)), init_time=("record", np.full(9, DAY)))
    told = tell(forecast, [DAY], "2d", [0, 1, 2, 3])  # three members have no storm
    assert track_density(told, GRID, 30).values == pytest.approx(own[0] / 4)


def test_lifetimes_and_storms_that_last():
    tracks = storms([(50, 0)] * 9, [(51, 0)] * 8)
    assert lifetimes(tracks).values == pytest.approx([2, 1.75])
    assert set(lasting(tracks, 2)["track_id"].values) == {0}
    assert lifetimes(lasting(tracks, 3)).size == 0


def test_a_density_needs_a_period():
    with pytest.raises(UserError, match=r"density over 0 days .* pass n_days"):
        track_density(storms([(50, 0)]), GRID)
    with pytest.raises(UserError, match="no tracks, so no period"):
        track_density(storms([(50, 0)]).isel(record=slice(0)), GRID)
