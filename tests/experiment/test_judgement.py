"""Laws of the judge."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.data.statistics.climatology import Climatology
from weatherml.errors import UserError
from weatherml.experiment import ExtremesConfig
from weatherml.experiment.climate import Climate
from weatherml.experiment.judging.judgement import CLIMATE, CONTROL, ENSEMBLE, judge_event, judge_skill
from weatherml.state import spec_of
from weatherml.verification import baselines, evaluate
from weatherml.verification.cards import cards_in
from weatherml.verification.pairing.matched import Matched

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
def climatology(truth):
    return Climatology.fit(truth, spec_of(truth, ["z500", "t850"]), TRAINING, 0, 0)


@pytest.fixture(scope="module")
def scores(truth, ragged, climatology):
    return judge_skill(ragged, truth, truth.sel(time=slice(*TRAINING)), climatology, lambda *_: None)


def test_all_systems_are_judged_on_the_channels_of_the_forecast(scores):
    assert set(scores["system"].values) == {CONTROL, ENSEMBLE, "persistence", "damped persistence", "climatology"}
    assert scores["channel"].values.tolist() == ["geopotential_500", "temperature_850"]
    assert np.isfinite(scores["rmse"].sel(bound="estimate")).all()


def test_control_and_mean_are_scored_as_such(scores, ragged, truth):
    for system, forecast in ((CONTROL, ragged.isel(number=0)), (ENSEMBLE, ragged.mean("number"))):
        alone = evaluate(forecast, truth, ["rmse"])["rmse"]
        xr.testing.assert_allclose(scores["rmse"].sel(system=system, drop=True), alone.transpose(*alone.dims))


@pytest.mark.parametrize("n_states", [0, 30])
def test_what_is_judged_in_parts_is_judged_alike(scores, truth, ragged, climatology, n_states):
    told = []
    in_parts = judge_skill(
        ragged,
        truth.chunk(time=5),
        truth.sel(time=slice(*TRAINING)),
        climatology,
        lambda *done: told.append(done),
        memory=n_states * 4 * 4 * 7 * 12,
    )
    assert len(told) > 1
    xr.testing.assert_allclose(in_parts, scores, rtol=1e-6)


def test_baselines_are_scored_as_whole_forecasts_are(scores, truth, ragged, climatology):
    levels = {"geopotential": 500, "temperature": 850}
    own = truth.assign({name: truth[name].where(truth["level"] == level) for name, level in levels.items()})
    normal, times = climatology.at(truth["time"].values), (ragged["init_time"].values, ragged["lead_time"].values)
    damping = baselines.fit_damping(own.sel(time=slice(*TRAINING)), normal, times[1])
    for system, forecast in {
        "persistence": baselines.persistence(own, *times),
        "damped persistence": baselines.damped_persistence(own, normal, damping, *times),
        "climatology": baselines.climatology(normal, *times),
    }.items():
        alone = evaluate(forecast, truth, ["rmse", "bias"], normal)
        for metric in alone.data_vars:
            judged = scores[metric].sel(system=system, drop=True).transpose(*alone[metric].dims)
            xr.testing.assert_allclose(judged, alone[metric], rtol=1e-5)


def test_points_that_go_missing_in_a_later_part_are_an_error(truth, ragged, climatology):
    spoiled = truth.copy(deep=True)
    later = truth.indexes["time"].get_loc(ragged["valid_time"].values[2, 0])
    spoiled["temperature"][later:, 1, 3, 4] = np.nan
    with pytest.raises(UserError, match="the truth of temperature_850 valid at 2001-01-18T06:00 is not finite"):
        judge_skill(ragged, spoiled, truth.sel(time=slice(*TRAINING)), climatology, lambda *_: None, memory=1)


def test_forecasts_are_compared_in_pairs_with_each_other_and_with_baselines(scores):
    cards = cards_in(scores)
    baselines_there = ("persistence", "damped persistence", "climatology")
    assert list(cards) == [
        (CONTROL, ENSEMBLE),
        *((own, name) for own in (CONTROL, ENSEMBLE) for name in baselines_there),
    ]
    rmse = scores["rmse"].sel(bound="estimate", drop=True)
    for (first, second), card in cards.items():
        difference = rmse.sel(system=first, drop=True) - rmse.sel(system=second, drop=True)
        compared = card["difference"].sel(metric="rmse", region="global", drop=True)
        xr.testing.assert_allclose(compared.transpose(*difference.dims), difference)
        assert card["significant"].dtype == bool


def test_damped_persistence_beats_persistence(scores):
    rmse = scores["rmse"].sel(bound="estimate")
    assert (rmse.sel(system="damped persistence") < rmse.sel(system="persistence")).all()


def test_only_the_ensemble_has_its_scores(scores):
    has = np.isfinite(scores["crps_fair"].sel(bound="estimate")).all(["channel", "lead_time"])
    assert scores["system"].values[has.values].tolist() == [ENSEMBLE]


CLIMATE_OF_TEN = Climate(10, None, TRAINING)


@pytest.fixture(scope="module")
def against_climate(truth, ragged, climatology):
    training = truth.sel(time=slice(*TRAINING))
    return judge_skill(ragged, truth, training, climatology, lambda *_: None, climate=CLIMATE_OF_TEN)


def test_an_ensemble_is_held_against_that_of_the_climate(against_climate, scores, truth, ragged):
    levels = {"geopotential": 500, "temperature": 850}
    own = truth.assign({name: truth[name].where(truth["level"] == level) for name, level in levels.items()})
    times = ragged["init_time"].values, ragged["lead_time"].values
    drawn = baselines.climatological_ensemble(own, *times, TRAINING, None, 10)
    alone = evaluate(drawn, truth, ["crps_fair", "spread_skill"])
    for metric in alone.data_vars:
        judged = against_climate[metric].sel(system=CLIMATE, drop=True).transpose(*alone[metric].dims)
        xr.testing.assert_allclose(judged, alone[metric], rtol=1e-6)
    crps = against_climate["crps_fair"].sel(bound="estimate", drop=True)
    gained = against_climate["crps_fair_skill"].sel(bound="estimate", drop=True)
    expected = 1 - crps.sel(system=ENSEMBLE, drop=True) / crps.sel(system=CLIMATE, drop=True)
    xr.testing.assert_allclose(gained.sel(system=ENSEMBLE, drop=True).transpose(*expected.dims), expected)
    assert gained.drop_sel(system=ENSEMBLE).isnull().all()
    alone = scores.drop_dims(["compared", "metric", "region"])
    kept = against_climate[list(alone.data_vars)].drop_sel(system=CLIMATE)
    xr.testing.assert_identical(kept.transpose(*scores["rmse"].dims), alone)


def test_members_of_the_climate_are_the_same_however_it_is_read(against_climate, truth, ragged, climatology):
    training, progress = truth.sel(time=slice(*TRAINING)), lambda *_: None
    in_parts = judge_skill(ragged, truth, training, climatology, progress, 30 * 4 * 4 * 7 * 12, CLIMATE_OF_TEN)
    xr.testing.assert_allclose(in_parts, against_climate, rtol=1e-6)


def test_the_event_has_the_share_of_the_training_period_as_base_rate(truth, ragged):
    config = ExtremesConfig(channel="t850", quantile=0.9)
    judged = judge_event(ragged, truth, config, TRAINING, lambda *_: None)
    assert judged["channel"].values.tolist() == ["temperature_850"]
    assert judged.attrs["base_rate"] == pytest.approx(0.1)
    assert judged.attrs["quantile"] == 0.9
    assert Matched(ragged, truth).channels == ("geopotential_500", "temperature_850")
