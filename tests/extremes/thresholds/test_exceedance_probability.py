"""Probabilities of exceeding a threshold by place and date, against counts of members."""

import tracemalloc

import numpy as np
import pytest
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.extremes import calendar_quantiles, exceedance_probability, local_quantile
from weatherml.grid import LatLonGrid

GRID = LatLonGrid.regular(2, 3, poles=False)


@pytest.fixture(scope="module")
def threshold():
    record = analyses(times=730, step="12h", start="1999-01-01", grid=GRID)
    return calendar_quantiles(record, [0.5, 0.8], ("1999", "1999")).of(0.8)


@pytest.mark.parametrize(
    ("position", "side", "of_count"),
    [
        ("frequency", "above", lambda k: k / 7),
        ("weibull", "above", lambda k: (k + 1) / 9),
        ("tukey", "below", lambda k: (k + 2 / 3) / (8 + 1 / 3)),
    ],
)
def test_it_is_the_plotting_position_of_the_members_beyond(threshold, position, side, of_count):
    forecast = forecasts(n_members=7, step="12h", init_step="20D", grid=GRID)
    found = exceedance_probability(forecast, threshold, position, side)
    for init, lead in ((0, 0), (3, 2)):
        one = forecast.isel(init_time=init, lead_time=lead)
        level = threshold.at(one["valid_time"].values[None]).isel(time=0)
        beyond = one > level if side == "above" else one < level
        own = found.isel(init_time=init, lead_time=lead)
        for name in ("geopotential", "2m_temperature"):
            expected = of_count(beyond[name].sum("number")).transpose(*own[name].dims)
            np.testing.assert_allclose(own[name], expected, rtol=1e-6)
    assert found.attrs["threshold"] == "analyses of 1999, 31 days around each date"
    assert found.attrs["position"].startswith(position)


def test_places_without_a_value_have_no_probability(threshold):
    forecast = forecasts(n_members=3, n_init=1, grid=GRID)
    forecast["2m_temperature"].loc[{"number": 1, "latitude": -45, "longitude": 120}] = np.nan
    missing = np.isnan(exceedance_probability(forecast, threshold)["2m_temperature"])
    assert missing.sel(latitude=-45, longitude=120).all() and missing.sum() == 3


def test_no_more_is_held_than_the_members_of_a_lead(monkeypatch):
    monkeypatch.setattr("weatherml.extremes.thresholds.pointwise.READ_BYTES", 1)
    grid = LatLonGrid.regular(180, 360, poles=False)
    threshold = local_quantile(analyses({"2m_temperature": ()}, 8, grid=grid), 0.5, ("2001", "2001"))
    forecast = forecasts({"2m_temperature": ()}, n_init=3, n_lead=5, n_members=8, grid=grid)
    probability = exceedance_probability(forecast.chunk(init_time=1, lead_time=1), threshold)["2m_temperature"]
    expected = float(probability[0, 0].mean())
    tracemalloc.start()
    means = [float(probability[init, lead].mean()) for init in range(3) for lead in range(5)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert means[0] == expected
    assert peak < forecast["2m_temperature"].nbytes / 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": "weibul"}, "unknown plotting position 'weibul'; did you mean 'weibull'"),
        ({"side": "over"}, "exceeded 'above' or 'below', not 'over'"),
    ],
)
def test_what_is_no_probability_is_refused_in_one_line(threshold, change, message):
    with pytest.raises(UserError, match=message):
        exceedance_probability(forecasts(n_members=2, grid=GRID), threshold, **change)


def test_several_quantiles_are_no_threshold():
    record = analyses(times=730, step="12h", start="1999-01-01", grid=GRID)
    with pytest.raises(UserError, match=r"several quantiles, 0.5, 0.8; choose one, threshold.of"):
        exceedance_probability(
            forecasts(n_members=2, grid=GRID), calendar_quantiles(record, [0.5, 0.8], ("1999", "1999"))
        )
