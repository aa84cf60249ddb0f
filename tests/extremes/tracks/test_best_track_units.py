"""Units of best tracks that are mistaken, by their values."""

import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.extremes.tracks import make
from weatherml.extremes.tracks.best_tracks import require_si
from weatherml.extremes.tracks.best_tracks.units import KNOT, wind_of_pressure

PRESSURE = np.array([100_500, 99_000, 98_000, 97_000, 96_000, 95_000, 99_200])


def storm(**columns):
    time = np.datetime64("2099-01-01", "ns") + np.arange(7) * np.timedelta64(6, "h")
    return make({"track_id": np.zeros(7), "time": time, "latitude": np.ones(7), "longitude": np.ones(7)} | columns)


def test_winds_of_no_storm_are_taken_for_knots():
    with pytest.raises(UserError, match=r"reaches 160 m s-1.*160 knots is 82 m s-1; multiply it by 0.5144"):
        require_si(storm(maximum_wind_speed=np.linspace(30, 160, 7)))


def test_pressures_in_hpa_are_known():
    with pytest.raises(
        UserError, match=r"of track 0 at 2099-01-01T00:00 is 1005 Pa, which no storm has; multiply it by 100"
    ):
        require_si(storm(mean_sea_level_pressure=PRESSURE / 100))


def test_a_pressure_that_no_unit_explains_is_not_taken_for_hpa():
    with pytest.raises(UserError, match=r"of track 0 at 2099-01-01T06:00 is 3 Pa, .* write NaN for what is not known"):
        require_si(storm(mean_sea_level_pressure=np.where(np.arange(7) == 1, 3, PRESSURE)))


def test_weak_winds_in_knots_are_known_by_their_pressures():
    wind = wind_of_pressure(PRESSURE)
    assert wind.max() < 65
    require_si(storm(mean_sea_level_pressure=PRESSURE, maximum_wind_speed=wind))
    with pytest.raises(UserError, match=r"1\.9 times what storms of their pressures have in m s-1"):
        require_si(storm(mean_sea_level_pressure=PRESSURE, maximum_wind_speed=wind / KNOT))


def test_what_is_not_known_may_be():
    require_si(storm(mean_sea_level_pressure=np.full(7, np.nan), maximum_wind_speed=np.full(7, np.nan)))
    require_si(storm())
