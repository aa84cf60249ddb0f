"""Thresholds of each place."""

import numpy as np
import pytest
from fake_data import analyses

from weatherml.errors import UserError
from weatherml.extremes import local_quantile

PERIOD = ("2001-01-02", "2001-01-06")


@pytest.mark.parametrize("lazily", [False, True])
def test_local_quantile_is_that_of_each_point_over_the_period(lazily):
    data = analyses()
    quantile = local_quantile(data.chunk(time=3) if lazily else data, 0.9, PERIOD)
    values = data["geopotential"].values[4:24, 1, 2, 3]  # 2 to 6 January, both whole, every 6 h
    assert quantile["geopotential"].values[1, 2, 3] == pytest.approx(np.quantile(values, 0.9), rel=1e-6)
    assert quantile["geopotential"].dims == ("level", "latitude", "longitude")


def test_a_quantile_remembers_what_it_is_of():
    assert local_quantile(analyses(), 0.9, PERIOD).attrs == {"quantile": 0.9, "period": "2001-01-02 to 2001-01-06"}


def test_a_masked_point_has_no_quantile():
    data = analyses({"2m_temperature": ()})
    quantile = local_quantile(data.where(data.longitude > 50), 0.5, PERIOD)["2m_temperature"]
    np.testing.assert_array_equal(quantile.isnull().all("latitude"), data.longitude <= 50)


@pytest.mark.parametrize(
    ("q", "period", "message"),
    [
        (95, PERIOD, "between 0 and 1, got 95"),
        (0.9, ("1999", "2000"), "no data from 1999 to 2000; they cover 2001-01-01"),
    ],
)
def test_an_impossible_quantile_is_refused(q, period, message):
    with pytest.raises(UserError, match=message):
        local_quantile(analyses(), q, period)
