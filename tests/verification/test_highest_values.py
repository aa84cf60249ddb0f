"""Errors of the highest quantiles: FourCastNet's own numbers, and loops over fields."""

import numpy as np
import pytest
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.verification import evaluate
from weatherml.verification.metrics.deterministic.quantiles import quantile_error, relative_quantile_error


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared("golden/metrics_a.npz"))


@pytest.mark.parametrize(("key", "smallest"), [("top_quantiles_error_torch", -3), ("top_quantiles_error_np", -5)])
def test_the_error_of_the_highest_quantiles_equals_the_original_code(golden, key, smallest):
    levels = 1 - np.logspace(smallest, -0.1, 100)
    forecast, truth = (golden[name].reshape(2, 1, -1) for name in ("tp_pred", "tp_target"))
    expected = golden[key]
    found = quantile_error(forecast, truth, levels)
    np.testing.assert_allclose(found if expected.ndim == 2 else found[0], expected, rtol=1e-4)


def test_the_relative_error_is_a_sum_over_levels():
    truth = np.linspace(1, 2, 41)
    assert relative_quantile_error(1.1 * truth, truth, np.array([0.2, 0.5, 0.9])) == pytest.approx(0.3)
    assert relative_quantile_error(truth[::-1], truth, np.array([0.2, 0.5, 0.9])) == pytest.approx(0)


def test_quantiles_are_those_of_each_member_over_the_points_of_a_region():
    truth, forecast = analyses(), forecasts(n_members=3, n_init=2)
    name = "quantile_error(lowest=0.5, highest=0.9, n_levels=3)"
    scores = evaluate(forecast, truth, name, regions=["global", "tropics"])[name]
    own = scores.sel(bound="estimate", channel="2m_temperature").isel(lead_time=1)
    levels = 1 - np.array([0.5, np.sqrt(0.05), 0.1])
    true = as_forecast(truth, forecast)
    within = abs(np.array(LatLonGrid.regular(7, 12).latitude)) <= 20
    for region, rows in {"global": slice(None), "tropics": within}.items():
        made = forecast["2m_temperature"].isel(lead_time=1).transpose("number", "init_time", ...).values[..., rows, :]
        expected = true["2m_temperature"].isel(lead_time=1).values[..., rows, :]
        differences = [
            np.quantile(made[m, i], levels) - np.quantile(expected[i], levels) for m in range(3) for i in range(2)
        ]
        assert own.sel(region=region) == pytest.approx(np.mean(differences), rel=1e-5)


def test_levels_that_are_none_are_refused_in_one_line():
    with pytest.raises(UserError, match=r"levels lie between 0 and 1, two or more, not 50 from 0.9 to 1.0"):
        evaluate(forecasts(), analyses(), "quantile_error(highest=1)")
