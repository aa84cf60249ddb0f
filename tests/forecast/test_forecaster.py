"""Forecasts in physical units: what the numbers are, where they come from, and what is refused."""

import json
from datetime import timedelta

import numpy as np
import pytest
from numpy_weights import drawn_checkpoint
from tiny_forecast import SPEC, TIME_STEP, TIMES, Echo, make_climatology, make_forecaster, make_model

from weatherml.checkpoint import Provenance
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig, Forecaster, SphericalConfig
from weatherml.state import StateSpec, to_array


def by_hand(analysis, init_time, n_steps, climatology):
    """The advection of `tiny_forecast` in numpy, `[lead, channel, lat, lon]` in SI units."""
    forecaster = make_forecaster()
    statistics = forecaster.suites[0].normalizer.statistics
    std = statistics.std[:, None, None]

    def reference(time):
        return statistics.mean[:, None, None] if climatology is None else climatology.array_at(np.array(time))

    state = (to_array(analysis.sel(time=init_time), SPEC) - reference(init_time)) / std
    state = np.where(statistics.valid, state, 0)
    leads = []
    for step in range(n_steps):
        time = init_time + step * TIME_STEP
        state = (
            np.float32(0.9) * np.roll(state, 1, axis=-1)
            + 0.1 * forecaster.suites[0].models[0].forcings.at(np.array([time]))[0, :1]
        )
        leads.append(np.where(statistics.valid, state * std + reference(time + TIME_STEP), np.nan))
    return np.stack(leads)


@pytest.mark.parametrize("climatology", [None, make_climatology()], ids=["mean", "climatology"])
def test_forecast_is_repeated_steps_in_normalised_units(analysis, climatology):
    forecaster = make_forecaster(climatology=climatology)
    forecast = forecaster.forecast(analysis, TIMES[2], "30h")
    expected = by_hand(analysis, TIMES[2], 5, climatology)
    np.testing.assert_allclose(to_array(forecast, SPEC)[0, :, 0], expected, rtol=2e-6)


def test_forecast_is_canonical(forecaster, analysis):
    forecast = forecaster.forecast(analysis, TIMES[:2], "18h")
    assert forecast["geopotential"].dims == ("init_time", "lead_time", "number", "level", "latitude", "longitude")
    assert forecast["lead_time"].values.tolist() == [int(k * TIME_STEP / np.timedelta64(1, "ns")) for k in (1, 2, 3)]
    assert (forecast["valid_time"] == forecast["init_time"] + forecast["lead_time"]).all()
    assert forecast["number"].values.tolist() == [0]


def test_each_step_is_told_the_forcing_of_the_time_it_starts_from(analysis):
    forecaster = make_forecaster(Echo())
    forecast = forecaster.forecast(analysis, TIMES[[1, 4]], "36h", every="12h")
    statistics = forecaster.suites[0].normalizer.statistics
    for init, init_time in enumerate(TIMES[[1, 4]]):
        last_starts = init_time + (2 * np.arange(1, 4) - 1) * TIME_STEP
        insolation = forecaster.suites[0].models[0].forcings.at(last_starts)[:, :1]
        expected = insolation * statistics.std[:, None, None] + statistics.mean[:, None, None]
        valid = np.broadcast_to(statistics.valid, expected.shape)
        np.testing.assert_allclose(to_array(forecast, SPEC)[init, :, 0][valid], expected[valid], rtol=1e-6)


def test_cells_without_data_stay_without(forecaster, analysis):
    forecast = to_array(forecaster.forecast(analysis, TIMES[0], "18h"), SPEC)
    valid = np.broadcast_to(forecaster.suites[0].normalizer.statistics.valid, forecast.shape)
    assert (np.isnan(forecast) == ~valid).all()


def test_every_keeps_every_nth_lead(forecaster, analysis):
    every_step = forecaster.forecast(analysis, TIMES[0], "48h")
    every_other = forecaster.forecast(analysis, TIMES[0], timedelta(days=2), every=np.timedelta64(12, "h"))
    np.testing.assert_allclose(
        to_array(every_other, SPEC), to_array(every_step.isel(lead_time=slice(1, None, 2)), SPEC), rtol=1e-5
    )


def test_kept_channels_are_those_of_the_whole_forecast(analysis):
    forecaster = make_forecaster(climatology=make_climatology())
    kept = forecaster.run(analysis, TIMES[0], ForecastConfig(lead_time="18h", channels=("u850", "z500")))
    assert list(kept.data_vars) == ["u_component_of_wind", "geopotential"]
    whole = forecaster.forecast(analysis, TIMES[0], "18h")
    spec = StateSpec((SPEC.channels[3], SPEC.channels[0]), SPEC.grid)
    np.testing.assert_array_equal(to_array(kept, spec), to_array(whole, spec))


def test_ensemble_of_one_is_the_deterministic_forecast(forecaster, analysis):
    alone = forecaster.ensemble(analysis, TIMES[3], "18h", members=1)
    np.testing.assert_array_equal(to_array(alone, SPEC), to_array(forecaster.forecast(analysis, TIMES[3], "18h"), SPEC))


def test_number_zero_is_the_deterministic_forecast(forecaster, analysis):
    ensemble = forecaster.ensemble(analysis, TIMES[3], "18h", members=3)
    np.testing.assert_allclose(
        to_array(ensemble.isel(number=[0]), SPEC),
        to_array(forecaster.forecast(analysis, TIMES[3], "18h"), SPEC),
        rtol=1e-5,
    )


def test_perturbed_members_differ_from_each_other(forecaster, analysis):
    fields = to_array(forecaster.ensemble(analysis, TIMES[3], "18h", members=3), SPEC)[0, 0]
    for one in range(3):
        for other in range(one):
            assert np.nanmax(np.abs(fields[one, 0] - fields[other, 0])) > 0.1


def test_ensemble_takes_a_perturbation_with_its_parameters(forecaster, analysis):
    spread = []
    for scale in (0.1, 0.2):
        members = forecaster.ensemble(analysis, TIMES[0], "18h", members=3, perturbation=SphericalConfig(scale=scale))
        spread.append(float(members["temperature"].std("number").mean()))
    assert spread[1] == pytest.approx(2 * spread[0], rel=1e-3)  # advection is linear


def test_attributes_say_how_the_forecast_was_made(forecaster, analysis):
    attributes = forecaster.ensemble(analysis, TIMES[0], "18h", members=3, seed=11).attrs
    config = ForecastConfig.model_validate_json(attributes["forecast_config"])
    assert (config.seed, config.perturbation) == (11, SphericalConfig())
    assert json.loads(attributes["provenance"])[0]["data"] == "none"


def test_attributes_tell_models_apart(forecaster, analysis):
    other = make_forecaster(Echo())
    assert (
        other.forecast(analysis, TIMES[0], "18h").attrs["model_digest"]
        != forecaster.forecast(analysis, TIMES[0], "18h").attrs["model_digest"]
    )


def test_loaded_checkpoint_forecasts_the_same(analysis, tmp_path):
    forecaster = make_forecaster()
    checkpoint = drawn_checkpoint(
        make_model(),
        forecaster.suites[0].models[0].forcings,
        forecaster.suites[0].normalizer,
        Provenance({}, "none"),
        seed=5,
    )
    checkpoint.save(tmp_path / "checkpoint")
    loaded = Forecaster.load(tmp_path / "checkpoint").forecast(analysis, TIMES[0], "18h")
    memory = Forecaster.from_checkpoint(checkpoint).forecast(analysis, TIMES[0], "18h")
    np.testing.assert_array_equal(to_array(loaded, SPEC), to_array(memory, SPEC))


def test_progress_counts_fields_up_to_all(forecaster, analysis):
    seen = []
    config = ForecastConfig(lead_time="18h", members=6, perturbation="spherical", batch=3)
    forecaster.run(analysis, TIMES[:2], config, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(9 * batch, 36) for batch in range(1, 5)]


def refusals():
    yield dict(init_time="2021-01-01"), "no init_time 2021-01-01.* from 2020-02-27T00.* to 2020-02-29T00"
    yield dict(init_time="yesterday"), "init_time 'yesterday' is no ISO 8601 time"
    yield dict(init_time=[]), "init_time is empty"
    yield (
        dict(lead_time="10h"),
        "lead_time 10h is not a multiple of the spacing of outputs, 6h; the nearest are 6h and 12h",
    )
    yield dict(every="4h"), "every 4h cannot be reached by steps of 6h; the nearest that can is 6h"
    yield dict(lead_time="ten days"), "duration 'ten days' must be"
    yield dict(members=0), "members: Input should be greater than 0, got 0"
    yield dict(perturbation="gausian"), "unknown perturbation 'gausian'; did you mean 'gaussian'"
    yield dict(seed=-1), "seed: Input should be greater than or equal to 0, got -1"


@pytest.mark.parametrize(("asked", "message"), list(refusals()), ids=lambda value: str(value)[:30])
def test_mistake_is_one_line(forecaster, analysis, asked, message):
    with pytest.raises(UserError, match=message) as caught:
        if "every" in asked:
            forecaster.forecast(analysis, TIMES[0], **asked)
        else:
            forecaster.ensemble(analysis, **({"init_time": TIMES[0]} | asked))
    assert "\n" not in str(caught.value)


def test_channel_that_the_model_lacks_is_refused(forecaster, analysis):
    with pytest.raises(UserError, match="the state has no channel 'temperature_700'"):
        forecaster.run(analysis, TIMES[0], ForecastConfig(channels=("t700",)))


def test_members_without_a_perturbation_are_refused(forecaster, analysis):
    with pytest.raises(UserError, match="2 members without a perturbation would all be the same"):
        forecaster.run(analysis, TIMES[0], ForecastConfig(members=2))


def test_analysis_without_a_channel_is_refused(forecaster, analysis):
    with pytest.raises(UserError, match="no variable 'temperature'"):
        forecaster.forecast(analysis.drop_vars("temperature"), TIMES[0])


def test_analysis_on_another_grid_is_refused(forecaster, analysis):
    with pytest.raises(UserError, match="another grid"):
        forecaster.forecast(analysis.isel(latitude=slice(1, None)), TIMES[0])


def test_analysis_with_members_is_refused(forecaster, analysis):
    with pytest.raises(UserError, match="must have the dimensions time, level"):
        forecaster.forecast(analysis.expand_dims(number=2), TIMES[0])


def test_analysis_with_a_gap_is_refused_before_the_output_is_made(forecaster, analysis, tmp_path):
    broken = analysis.copy(deep=True)
    broken["geopotential"][3, 0, 2, 1] = np.nan
    with pytest.raises(UserError, match=r"2020-02-27T18.* has missing values of geopotential_500"):
        forecaster.forecast(broken, TIMES[3], output=tmp_path / "forecast.zarr")
    assert not list(tmp_path.iterdir())


def test_a_rounded_forecast_says_by_how_much(analysis):
    exact = make_forecaster().run(analysis, TIMES[0], ForecastConfig(lead_time="12h"))
    rounded = make_forecaster().run(analysis, TIMES[0], ForecastConfig(lead_time="12h", rounding=0.01))
    said = json.loads(rounded.attrs["rounding_errors"])
    assert list(said) == list(SPEC.names) and "rounding_errors" not in exact.attrs
    errors = np.nanmax(np.abs(to_array(rounded, SPEC) - to_array(exact, SPEC)), axis=(0, 1, 2, 4, 5))
    largest = np.array(list(said.values()))
    assert (errors > largest / 2).all() and (errors <= 1.001 * largest).all()
