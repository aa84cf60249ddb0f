"""Units of scores: of every metric, and of channels whose units differ."""

import pytest
from fake_data import analyses, forecasts

from weatherml.verification import evaluate
from weatherml.verification.metrics.registry import registry
from weatherml.verification.metrics.units import raised, units_of


def test_every_metric_has_units():
    told = {
        name: units_of("variogram_score(tile=10)" if name == "variogram_score" else name, "t2m") for name in registry
    }
    assert all(told.values())
    assert {told[name] for name in ("rmse", "bias", "crps", "spread", "energy_score")} == {"K"}
    assert (told["acc"], told["effective_resolution"], told["spectrum"]) == ("1", "km", "K2")


@pytest.mark.parametrize(
    ("metric", "channel", "units"),
    [
        ("mse", "geopotential_500", "m4 s-4"),
        ("wind_vector_rmse", "wind_850", "m s-1"),
        ("variogram_score(tile=10, power=1)", "2m_temperature", "K2"),
        ("one_of_my_own", "2m_temperature", ""),
        ("rmse", "what_is_this", ""),
    ],
)
def test_units_are_those_of_the_channel_to_the_power_of_the_metric(metric, channel, units):
    assert units_of(metric, channel) == units


def test_a_pure_number_has_no_power():
    assert (raised("1", 2), raised("K", 0), raised("m s-1", 0.5)) == ("1", "1", "m0.5 s-0.5")


def test_units_that_differ_are_said_by_channel():
    surface = {"2m_temperature": (), "mean_sea_level_pressure": ()}
    scores = evaluate(forecasts(surface), analyses(surface), ["rmse", "mse"])
    assert scores["mse"].attrs["units"] == "2m_temperature: K2, mean_sea_level_pressure: Pa2"
