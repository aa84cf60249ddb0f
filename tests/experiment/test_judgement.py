"""Laws of the judge."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.data.statistics.climatology import Climatology
from weatherml.evaluation import evaluate
from weatherml.experiment import ExtremesConfig
from weatherml.experiment.judgement import CONTROL, ENSEMBLE, judge_event, judge_skill
from weatherml.matching import Matched
from weatherml.state import spec_of

TRAINING = ("2001-01-01", "2001-01-14")
FIELDS = {"geopotential": (500, 850), "temperature": (500, 850)}


@pytest.fixture(scope="module")
def truth():
    noise = analyses(FIELDS, 80, seed=5)
    return 0.6 * noise + 0.8 * noise.shift(time=1, fill_value=0.0).assign_coords(time=noise["time"])


@pytest.fixture(scope="module")
def ragged():
    """Return an ensemble forecast of two channels: geopotential at 500 hPa and temperature at 850 hPa."""
    whole = forecasts(FIELDS, n_init=3, n_lead=2, n_members=4, start="2001-01-16")
    levels = {"geopotential": 500, "temperature": 850}
    return whole.assign({name: whole[name].where(whole["level"] == level) for name, level in levels.items()})


@pytest.fixture(scope="module")
def scores(truth, ragged):
    training = truth.sel(time=slice(*TRAINING))
    spec = spec_of(truth, ["z500", "t850"])
    climatology = Climatology.fit(truth, spec, TRAINING, 0, 0)
    return judge_skill(ragged, truth, training, climatology, lambda *_: None)


def test_all_systems_are_judged_on_the_channels_of_the_forecast(scores):
    assert set(scores["system"].values) == {CONTROL, ENSEMBLE, "persistence", "damped persistence", "climatology"}
    assert scores["channel"].values.tolist() == ["geopotential_500", "temperature_850"]
    assert np.isfinite(scores["rmse"].sel(bound="estimate")).all()


def test_control_and_mean_are_scored_as_such(scores, ragged, truth):
    for system, forecast in ((CONTROL, ragged.isel(number=0)), (ENSEMBLE, ragged.mean("number"))):
        alone = evaluate(forecast, truth, ["rmse"])["rmse"]
        xr.testing.assert_allclose(scores["rmse"].sel(system=system, drop=True), alone.transpose(*alone.dims))


def test_damped_persistence_beats_persistence(scores):
    rmse = scores["rmse"].sel(bound="estimate")
    assert (rmse.sel(system="damped persistence") < rmse.sel(system="persistence")).all()


def test_only_the_ensemble_has_its_scores(scores):
    has = np.isfinite(scores["crps_fair"].sel(bound="estimate")).all(["channel", "lead_time"])
    assert scores["system"].values[has.values].tolist() == [ENSEMBLE]


def test_the_event_has_the_share_of_the_training_period_as_base_rate(truth, ragged):
    config = ExtremesConfig(channel="t850", quantile=0.9)
    judged = judge_event(ragged, truth, config, TRAINING, lambda *_: None)
    assert judged["channel"].values.tolist() == ["temperature_850"]
    assert judged.attrs["base_rate"] == pytest.approx(0.1)
    assert judged.attrs["quantile"] == 0.9
    assert Matched(ragged, truth).channels == ("geopotential_500", "temperature_850")
