"""Laws of the sun."""

import numpy as np
import pytest

from weatherml.data.sunlight import insolation, solar_position
from weatherml.grid import LatLonGrid

GRID = LatLonGrid.regular(37, 24)
HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(24, "h")
DAYS = np.arange("2021-01-01", "2022-01-01", dtype="datetime64[D]").astype("datetime64[ns]")


def moments(*texts):
    return np.array(texts, "datetime64[ns]")


def test_the_declination_is_that_of_the_almanac():
    """Equinoxes and solstices of 2020 (UTC)."""
    times = moments("2020-03-20T03:50", "2020-06-20T21:44", "2020-09-22T13:31", "2020-12-21T10:02")
    sine, _, _ = solar_position(times, GRID)
    np.testing.assert_allclose(np.degrees(np.arcsin(sine)), [0, 23.437, 0, -23.437], atol=0.02)


def test_noon_is_early_or_late_by_the_equation_of_time():
    """Minutes by which the sundial is ahead of the clock: February 11, May 14, July 26, November 3."""
    times = moments("2021-02-11T12", "2021-05-14T12", "2021-07-26T12", "2021-11-03T12")
    _, hour_angle, _ = solar_position(times, GRID)
    at_greenwich = (hour_angle[:, 0] + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(np.degrees(at_greenwich) * 4, [-14.2, 3.65, -6.55, 16.5], atol=0.15)


def test_the_sun_is_nearest_in_january():
    _, _, distance = solar_position(moments("2021-01-02T13:51", "2021-07-05T22:27"), GRID)
    np.testing.assert_allclose(distance, [0.98326, 1.01673], atol=1e-4)


@pytest.mark.parametrize("hours", [1, 6, 12, 24])
def test_the_mean_over_a_step_is_that_of_many_instants(hours):
    times = moments("2021-01-10T03", "2021-03-21T00", "2021-06-21T17")
    span = hours * HOUR
    n = 1000
    brute = np.zeros((3, *GRID.shape))
    for part in range(n):
        now = times + ((part + 0.5) / n * span.astype("timedelta64[ns]").astype(int)).astype("timedelta64[ns]")
        sine, hour_angle, distance = solar_position(now, GRID)
        latitude = np.radians(GRID.latitude)[:, None]
        cosine = np.sin(latitude) * sine[:, None, None] + np.cos(latitude) * np.cos(np.arcsin(sine))[
            :, None, None
        ] * np.cos(hour_angle[:, None, :])
        brute += np.maximum(cosine, 0) / distance[:, None, None] ** 2 / n
    np.testing.assert_allclose(insolation(times, span, GRID), brute, atol=2e-3)


def test_the_globe_receives_a_quarter_of_the_solar_constant():
    """S0 / 4 / sqrt(1 - eccentricity squared), over a year and the exact areas of the cells."""
    grid = LatLonGrid.gaussian(64, 8)
    mean = (insolation(DAYS, DAY, grid).mean(axis=(0, 2)) * grid.cell_areas()).sum() / grid.cell_areas().sum()
    assert mean == pytest.approx(0.25 / np.sqrt(1 - 0.0167**2), rel=1e-3)


def test_the_equator_at_equinox_receives_one_over_pi():
    sun = insolation(moments("2021-03-20T00"), DAY, GRID)[0, 18, 0]
    assert sun == pytest.approx(1 / np.pi / 0.9960**2, rel=1e-3)


def test_the_poles_have_a_night_and_a_day_of_half_a_year():
    sun = insolation(DAYS, DAY, GRID)[:, [0, -1], 0]
    assert sun[[171, 354], [0, 1]] == pytest.approx(
        [np.sin(np.radians(23.44)) / 1.0163**2, np.sin(np.radians(23.44)) / 0.9837**2], rel=1e-3
    )
    assert (sun[[354, 171], [0, 1]] == 0).all()


def test_sunlight_of_short_steps_adds_up_to_the_day():
    quarters = insolation(moments(*[f"2021-05-05T{h:02}" for h in (0, 6, 12, 18)]), 6 * HOUR, GRID)
    np.testing.assert_allclose(quarters.mean(axis=0), insolation(moments("2021-05-05"), DAY, GRID)[0], atol=2e-3)
