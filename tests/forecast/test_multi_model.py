"""Ensembles of several models: whose member is whose, and that models must agree."""

import dataclasses
import json

import numpy as np
import pytest
from tiny_forecast import SPEC, TIMES, Advection, Echo, make_forecaster

from weatherml.data.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig, SphericalConfig, forecast_in_turn
from weatherml.grid import LatLonGrid
from weatherml.state import StateSpec, to_array

CONFIG = ForecastConfig(lead_time="12h", members=5, batch=2, perturbation=SphericalConfig())
FORECASTERS = (make_forecaster(Advection()), make_forecaster(Echo()))


def test_member_is_that_of_its_own_forecaster(analysis):
    together = forecast_in_turn(FORECASTERS, analysis, TIMES[:2], CONFIG)
    assert together["number"].values.tolist() == list(range(5))
    alone = [forecaster.run(analysis, TIMES[:2], CONFIG) for forecaster in FORECASTERS]
    for number in range(5):
        own, expected = (to_array(f.sel(number=[number]), SPEC) for f in (together, alone[number % 2]))
        np.testing.assert_array_equal(own, expected)


def test_chosen_members_are_those_of_the_whole_ensemble(analysis):
    whole = forecast_in_turn(FORECASTERS, analysis, TIMES[0], CONFIG)
    some = forecast_in_turn(FORECASTERS, analysis, TIMES[0], CONFIG.model_copy(update={"numbers": (4, 2)}))
    np.testing.assert_array_equal(to_array(some, SPEC), to_array(whole.sel(number=[2, 4]), SPEC))


def test_attributes_tell_of_every_model(analysis):
    attributes = forecast_in_turn(FORECASTERS, analysis, TIMES[0], CONFIG).attrs
    assert json.loads(attributes["model_digest"]) == [
        forecaster.forecast(analysis, TIMES[0], "6h").attrs["model_digest"] for forecaster in FORECASTERS
    ]
    assert ForecastConfig.model_validate_json(attributes["forecast_config"]) == CONFIG
    assert attributes["failed"] == []


def on(spec):
    """The tiny forecaster with statistics of another state."""
    statistics = FORECASTERS[0].normalizer.statistics
    n = spec.n_channels
    moments = {name: getattr(statistics, name)[:n] for name in ("mean", "std", "difference_std")}
    statistics = dataclasses.replace(statistics, spec=spec, valid=np.ones(spec.shape, bool), **moments)
    return dataclasses.replace(FORECASTERS[0], normalizer=Normalizer(statistics))


@pytest.mark.parametrize(
    ("forecasters", "message"),
    [
        ((), "needs at least one"),
        ((FORECASTERS[0], on(StateSpec(SPEC.channels[:4], SPEC.grid))), "differ in channel 'sea_surface_temp"),
        ((FORECASTERS[0], on(StateSpec(SPEC.channels, LatLonGrid.regular(6, 12)))), r"different grids, \(8, 12\) and"),
    ],
)
def test_models_that_do_not_agree_are_refused(analysis, forecasters, message):
    with pytest.raises(UserError, match=message) as caught:
        forecast_in_turn(forecasters, analysis, TIMES[0], CONFIG)
    assert "\n" not in str(caught.value)
