"""Daily values, and days in a row."""

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards.daily import DAY, Day, Days
from weatherml.extremes.hazards.heat.spells import spells
from weatherml.extremes.hazards.steps import follows

PLACES = {"latitude": [50.0, 40.0], "longitude": [0.0, 10.0, 20.0]}


def field(times, seed=0):
    times = np.asarray(times, "datetime64[ns]")
    values = np.random.default_rng(seed).normal(size=(len(times), 2, 3)).astype(np.float32)
    return xr.DataArray(values, {"time": times} | PLACES, ("time", "latitude", "longitude"), "2m_temperature")


def six_hourly(first, n_times):
    return np.datetime64(first, "ns") + np.timedelta64(6, "h") * np.arange(n_times)


@pytest.mark.parametrize(("how", "reduce"), [("maximum", np.max), ("minimum", np.min), ("mean", np.mean)])
def test_a_day_is_from_midnight_to_midnight_and_has_all_hours(how, reduce):
    """Of six-hourly fields from 06 UTC on the first day lacks an hour, and the last has one alone."""
    own = field(six_hourly("2015-07-01T06", 12))
    days = Days.of(own, how)
    assert days.dates.tolist() == np.array(
        ["2015-07-02", "2015-07-03"], "M8[ns]"
    ).tolist() and days.per_day.tolist() == [4, 4]
    expected = reduce(own.values[3:11].reshape(2, 4, 2, 3), axis=1)
    np.testing.assert_allclose(np.stack([day.values for day in days]), expected, rtol=1e-6)
    np.testing.assert_allclose(days.lazily(), expected, rtol=1e-6)
    assert days.told["daily"].startswith(f"{how} of 4 values a day")


def test_values_of_one_a_day_are_daily_values_whatever_their_hour():
    own = field(np.datetime64("2015-07-01T09", "ns") + DAY * np.arange(3))
    days = Days.of(own, "maximum")
    assert [day.date for day in days] == list(np.arange("2015-07-01", "2015-07-04", dtype="M8[D]").astype("M8[ns]"))
    np.testing.assert_array_equal(np.stack([day.values for day in days]), own)


def test_a_day_with_a_missing_hour_is_left_out():
    own = field(np.delete(six_hourly("2015-07-01", 12), 5))
    days = Days.of(own, "maximum")
    assert days.dates.astype("M8[D]").astype(str).tolist() == ["2015-07-01", "2015-07-03"]
    np.testing.assert_array_equal([day.values for day in days][1], own.values[7:11].max(axis=0))


def test_days_of_other_hours_are_refused_beside_each_other():
    days = Days.of(field(six_hourly("2015-07-01", 12)), "maximum")
    with pytest.raises(UserError, match="the truth has 2 values a day, and the fields beside it have 4"):
        days.require_alike(Days.of(field(six_hourly("2015-07-01", 12)[::2]), "maximum"), "the truth")
    with pytest.raises(UserError, match="daily 'median' is unknown"):
        Days.of(field(six_hourly("2015-07-01", 4)), "median")


def in_a_row(hot, least):
    """Say cell by cell and day by day whether the run of days around it is long enough."""
    found = np.zeros(hot.shape, bool)
    for place in np.ndindex(hot.shape[1:]):
        own = hot[(slice(None), *place)]
        for day in range(len(own)):
            first = last = day
            while first > 0 and own[first - 1]:
                first -= 1
            while last < len(own) - 1 and own[last + 1]:
                last += 1
            found[(day, *place)] = own[day] and last - first + 1 >= least
    return found


@pytest.mark.parametrize("least", [1, 2, 3, 6])
@pytest.mark.parametrize("n_days", [1, 5, 40])
def test_days_in_a_row_are_those_that_a_loop_finds(n_days, least):
    values = np.random.default_rng(n_days).normal(0.6, 1, (n_days, 3, 4))
    dates = np.datetime64("2015-07-01", "ns") + DAY * np.arange(n_days)
    found = list(spells((Day(date, own) for date, own in zip(dates, values, strict=True)), least))
    np.testing.assert_array_equal([day.is_spell for day in found], in_a_row(values > 0, least))
    np.testing.assert_array_equal([day.exceedance for day in found], values)
    assert [day.date for day in found] == list(dates) and [day.follows for day in found] == [False] + [True] * (
        n_days - 1
    )


def test_a_missing_day_ends_a_spell_and_so_does_a_missing_value():
    dates = np.array(["2015-07-01", "2015-07-02", "2015-07-04", "2015-07-05", "2015-07-06"], "M8[ns]")
    values = np.ones((5, 1, 2))
    values[3, 0, 1] = np.nan
    found = list(spells((Day(date, own) for date, own in zip(dates, values, strict=True)), 3))
    assert [day.is_spell[0].tolist() for day in found] == [[False] * 2] * 2 + [[True, False]] * 3
    assert [day.follows for day in found] == [False, True, False, True, True]


def test_no_more_days_are_held_than_a_spell_takes():
    """Each day comes out as soon as the second after it went in."""
    gone_in = []

    def days():
        for number in range(9):
            gone_in.append(number)
            yield Day(np.datetime64("2015-07-01", "ns") + DAY * number, np.ones((1, 1)))

    waits = [len(gone_in) - number for number, _ in enumerate(spells(days(), 3))]
    assert max(waits) == 3


def hours(*steps):
    return np.datetime64("2015-07-01", "ns") + np.cumsum([0, *steps]) * np.timedelta64(1, "h")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([3, 3, 3, 6, 6], [1, 1, 1, 1, 1]),
        ([6, 6, 3, 3], [1, 1, 1, 1]),
        ([6, 12, 6, 6], [1, 0, 1, 1]),
        ([3, 3, 9, 6, 6], [1, 1, 0, 1, 1]),
        ([12, 6, 6, 24], [0, 1, 1, 0]),
        ([480], [1]),
        ([], []),
    ],
)
def test_a_step_between_shorter_ones_is_a_hole_and_one_that_grows_is_none(steps, expected):
    assert follows(hours(*steps)).tolist() == [False, *map(bool, expected)]


def test_days_have_all_hours_where_the_step_changes_and_be_it_at_noon():
    """Three hours apart until noon of the second day, then six."""
    own = field(hours(*[3] * 12, *[6] * 10))
    days = Days.of(own, "maximum")
    assert days.dates.astype("M8[D]").astype(str).tolist() == ["2015-07-01", "2015-07-02", "2015-07-03", "2015-07-04"]
    assert days.per_day.tolist() == [8, 6, 4, 4] and "of 4 or 6 or 8 values" in days.told["daily"]
    expected = [own.sel(time=str(date)[:10]).max("time").values for date in days.dates]
    np.testing.assert_array_equal(np.stack([day.values for day in days]), expected)
    np.testing.assert_array_equal(days.lazily(), expected)
    with pytest.raises(UserError, match="the truth has 4 values a day, and the fields beside it have 8"):
        days.require_alike(Days.of(field(six_hourly("2015-07-01", 16)), "maximum"), "the truth")


def test_times_that_do_not_rise_are_sorted_and_none_comes_twice():
    own = field(six_hourly("2015-07-01", 12))
    expected = np.stack([day.values for day in Days.of(own, "maximum")])
    for order in (slice(None, None, -1), np.random.default_rng(0).permutation(12)):
        days = Days.of(own[order], "maximum")
        np.testing.assert_array_equal(np.stack([day.values for day in days]), expected)
        np.testing.assert_array_equal(days.lazily(), expected)
    with pytest.raises(UserError, match="has the time 2015-07-01T06:00 twice"):
        Days.of(own[[0, 1, 1, 2, 3]], "maximum")
