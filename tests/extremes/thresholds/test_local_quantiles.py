"""Thresholds of each place."""

import numpy as np
import pytest
from fake_data import analyses

from weatherml.errors import UserError
from weatherml.extremes import local_quantile
from weatherml.grid import LatLonGrid

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


@pytest.mark.parametrize("memory", [2**30, 7 * 12 * 4 * 60, 4000, 1])
@pytest.mark.parametrize("q", [0.03, 0.5, 0.95])
def test_a_quantile_that_fits_in_few_bands_is_exact(q, memory):
    data = analyses(times=200, seed=3)
    quantile = local_quantile(data, q, ("2001", "2001"), memory)
    for name in ("geopotential", "2m_temperature"):
        np.testing.assert_allclose(quantile[name], np.quantile(data[name].values, q, axis=0), rtol=1e-6, atol=1e-7)
        assert quantile[name].attrs["quantile_method"] == "exact"
        assert quantile[name].attrs["quantile_rank_error"] == 0


@pytest.mark.parametrize("n_times", [1, 2, 3])
def test_a_quantile_of_few_times_is_interpolated_between_them(n_times):
    data = analyses({"2m_temperature": ()}, times=n_times)
    quantile = local_quantile(data, 0.9, ("2001", "2001"))["2m_temperature"]
    np.testing.assert_allclose(quantile, np.quantile(data["2m_temperature"], 0.9, axis=0), atol=1e-6)


def test_a_quantile_beyond_the_memory_is_a_sketch_that_says_how_exact_it_is():
    grid = LatLonGrid.regular(12, 3, poles=False)
    data = analyses({"2m_temperature": ()}, times=12_000, step="1h", grid=grid)
    data["2m_temperature"][700, 2, 1] = np.nan
    quantile = local_quantile(data, 0.5, ("2001", "2003"), memory=2**17)["2m_temperature"]
    assert quantile.attrs["quantile_method"] == "sketch"
    stated = quantile.attrs["quantile_rank_error"]
    ranks = (data["2m_temperature"] <= quantile).mean("time").where(quantile.notnull())
    assert 0 < stated <= 0.01
    assert float(abs(ranks - 0.5).max()) <= stated + 1 / 12_000
    assert np.flatnonzero(np.isnan(quantile)).tolist() == [2 * 3 + 1]


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
