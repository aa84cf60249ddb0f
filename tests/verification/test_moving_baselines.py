"""Baselines whose weather moves: what followed other days, and the last analysis carried east."""

import numpy as np
import pytest
from fake_data import analyses

from weatherml.errors import UserError
from weatherml.verification import baselines

LEADS = np.array([6, 12, 24], "timedelta64[h]").astype("timedelta64[ns]")
INITS = np.array(["2001-01-06T06", "2001-01-07T00"], "datetime64[ns]")
FIRST = ("2001-01-01", "2001-01-04")


@pytest.fixture(scope="module")
def truth():
    return analyses()


def test_members_of_other_dates_are_what_followed_a_day_of_the_period(truth):
    forecast = baselines.sequence_ensemble(truth, INITS, LEADS, FIRST)
    assert forecast.sizes["number"] == 3  # days that leave room for a day of leads
    for init, hour in enumerate((6, 0)):
        for number in range(3):
            begin = np.datetime64("2001-01-01T00", "ns") + np.timedelta64(24 * number + hour, "h")
            own = forecast["2m_temperature"].isel(init_time=init, number=number)
            np.testing.assert_array_equal(own, truth["2m_temperature"].sel(time=begin + LEADS))


def test_other_dates_refuse_what_is_judged_and_too_few_days(truth):
    with pytest.raises(UserError, match="a forecast reaches over 2001-01-06T06:00, in the period"):
        baselines.sequence_ensemble(truth, INITS, LEADS, ("2001-01-01", "2001-01-06"))
    with pytest.raises(UserError, match=r"needs 2 days or more .* has 1"):
        baselines.sequence_ensemble(truth, INITS, LEADS, ("2001-01-01", "2001-01-02"))


def test_a_carried_analysis_moves_east_by_its_speed_times_the_lead(truth):
    columns_a_day = 2
    fastest = columns_a_day * 360 / truth.sizes["longitude"]
    forecast = baselines.carried_ensemble(truth, INITS, LEADS, members=3, fastest=fastest)
    begun = truth["geopotential"].sel(time=INITS[1])
    own = forecast["geopotential"].isel(init_time=1)
    np.testing.assert_array_equal(own.isel(number=0), begun.expand_dims(lead_time=3))
    np.testing.assert_array_equal(own.isel(number=2, lead_time=2), np.roll(begun, columns_a_day, axis=-1))
    half = (begun.values + np.roll(begun, 1, axis=-1)) / 2
    np.testing.assert_allclose(own.isel(number=2, lead_time=0), half, rtol=1e-6)
    np.testing.assert_allclose(own.isel(number=1, lead_time=1), _at(begun, 0.5), rtol=1e-6)


def _at(field, columns):
    return (1 - columns) * field.values + columns * np.roll(field.values, 1, axis=-1)


def test_a_region_is_not_carried(truth):
    with pytest.raises(UserError, match="of a region cannot be carried"):
        baselines.carried_ensemble(truth.isel(longitude=slice(0, 5)), INITS, LEADS)
