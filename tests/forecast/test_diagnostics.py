"""Diagnostics: the right state in the right units at the right lead, and what cannot be derived is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from flax import nnx
from numpy_weights import drawn_checkpoint
from tiny_forecast import SPEC, TIMES, Explosion, make_climatology, make_forecaster, make_statistics, replaced

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig, Forecaster
from weatherml.forecast.rollout.model import Diagnostic
from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig, PrecipitationConfig
from weatherml.state import Channel, StateSpec, parse_channels, to_array

OUTPUT = "total_precipitation_6hr"
OWN = StateSpec(parse_channels(["t850", "sst", "z500"]), SPEC.grid)
ASKED = dict(lead_time="30h", members=5, perturbation="spherical", batch=3)


def make_diagnostic(spec=OWN, climatology=None):
    """A precipitation diagnostic of some channels in another order, with statistics and a mask of its own."""
    rng = np.random.default_rng(4)
    moments = [rng.uniform(low, high, spec.n_channels).astype(np.float32) for low, high in ((240, 260), (3, 9), (1, 2))]
    valid = np.ones(spec.shape, bool)
    valid[0, 5, 2:9] = False
    statistics = replace(
        make_statistics(), spec=spec, mean=moments[0], std=moments[1], difference_std=moments[2], valid=valid
    )
    model = PrecipitationConfig(backbone=FourCastNetConfig(patch=4, width=8, depth=1, n_blocks=2))
    forcings = Forcings((), spec.grid, statistics.time_step)
    normalizer = Normalizer(statistics, climatology)
    return drawn_checkpoint(model, forcings, normalizer, Provenance({}, "rain"), 6, "diagnostic")


@pytest.fixture(scope="module")
def diagnostic():
    return make_diagnostic()


def with_diagnostic(forecaster, diagnostic):
    return replaced(forecaster, diagnostics=(Diagnostic.from_checkpoint(diagnostic, forecaster.suites[0].normalizer),))


def test_a_loaded_diagnostic_gives_the_same_fields(diagnostic, tmp_path):
    diagnostic.save(tmp_path / "rain")
    loaded = Checkpoint.load(tmp_path / "rain")
    assert (loaded.model, loaded.prediction, loaded.outputs) == (diagnostic.model, "diagnostic", (Channel(OUTPUT),))
    state = np.random.default_rng(0).normal(size=(2, *OWN.shape)).astype(np.float32)
    expected = diagnostic.build_diagnostic()(state)
    assert expected.max() > 0
    np.testing.assert_array_equal(loaded.build_diagnostic()(state), expected)


def test_fields_are_those_of_the_forecast_state_in_the_diagnostics_own_units(diagnostic, analysis):
    forecaster = with_diagnostic(make_forecaster(), diagnostic)
    forecast = forecaster.run(analysis, TIMES[:2], ForecastConfig(lead_time="36h", every="12h"))
    fields = to_array(forecast, OWN)
    normalised = diagnostic.normalizer.normalize(np.nan_to_num(fields), TIMES[0])
    normalised = np.where(np.isfinite(fields), normalised, 0).reshape(-1, *OWN.shape)
    expected = np.asarray(nnx.jit(lambda n, x: n(x))(diagnostic.build_diagnostic(), normalised))
    np.testing.assert_allclose(
        forecast[OUTPUT].values.reshape(expected.shape), expected, rtol=1e-3, atol=1e-4 * expected.max()
    )
    assert forecast[OUTPUT].attrs["units"] == "m"


def test_a_diagnostic_leaves_the_state_as_it_was(diagnostic, network_forecaster, analysis):
    config = ForecastConfig(**ASKED)
    plain = network_forecaster.run(analysis, TIMES[:2], config)
    richer = with_diagnostic(network_forecaster, diagnostic).run(analysis, TIMES[:2], config)
    assert list(richer.data_vars) == [*plain.data_vars, OUTPUT]
    xr.testing.assert_allclose(richer.drop_vars(OUTPUT), plain)


def test_channels_are_chosen_among_all_in_any_order(diagnostic, network_forecaster, analysis):
    forecaster = with_diagnostic(network_forecaster, diagnostic)
    whole = forecaster.run(analysis, TIMES[0], ForecastConfig(**ASKED))
    kept = forecaster.run(analysis, TIMES[0], ForecastConfig(**ASKED, channels=("tp06", "t500")))
    spec = StateSpec(parse_channels(["tp06", "t500"]), SPEC.grid)
    assert list(kept.data_vars) == [OUTPUT, "temperature"]
    np.testing.assert_allclose(to_array(kept, spec), to_array(whole, spec), rtol=1e-5, atol=1e-9)
    without = forecaster.run(analysis, TIMES[0], ForecastConfig(**ASKED, channels=("t500",)))
    np.testing.assert_allclose(without["temperature"], kept["temperature"], rtol=1e-5)


def test_a_diagnostic_is_not_rounded(diagnostic, network_forecaster, analysis):
    forecaster = with_diagnostic(network_forecaster, diagnostic)
    exact = forecaster.run(analysis, TIMES[0], ForecastConfig(**ASKED))
    rounded = forecaster.run(analysis, TIMES[0], ForecastConfig(**ASKED, rounding=0.1))
    np.testing.assert_array_equal(rounded[OUTPUT], exact[OUTPUT])
    assert (rounded["temperature"] != exact["temperature"]).any()


def test_resumed_forecast_with_a_diagnostic_is_the_uninterrupted_one(
    diagnostic, network_forecaster, analysis, tmp_path
):
    def interrupt(done, total):
        raise KeyboardInterrupt

    forecaster, config = with_diagnostic(network_forecaster, diagnostic), ForecastConfig(**ASKED)
    with pytest.raises(KeyboardInterrupt):
        forecaster.run(analysis, TIMES[:2], config, tmp_path / "forecast.zarr", progress=interrupt)
    with pytest.raises(UserError, match="holds part of another forecast"):
        network_forecaster.run(analysis, TIMES[:2], config, tmp_path / "forecast.zarr")
    resumed = forecaster.run(analysis, TIMES[:2], config, tmp_path / "forecast.zarr")
    xr.testing.assert_identical(resumed.load(), forecaster.run(analysis, TIMES[:2], config))


def test_member_alone_has_the_diagnostic_of_the_member_in_the_ensemble(diagnostic, network_forecaster, analysis):
    forecaster = with_diagnostic(network_forecaster, diagnostic)
    together = forecaster.run(analysis, TIMES[:2], ForecastConfig(**ASKED))
    alone = forecaster.run(analysis, TIMES[1], ForecastConfig(**ASKED, numbers=(4,)))
    np.testing.assert_array_equal(alone[OUTPUT][0, :, 0], together[OUTPUT][1, :, 4])


def test_a_failed_member_has_no_diagnostic(diagnostic, analysis):
    forecast = with_diagnostic(make_forecaster(Explosion()), diagnostic).forecast(analysis, TIMES[0], "24h")
    assert forecast.attrs["failed"] and np.isnan(forecast[OUTPUT].values[0, -1]).all()


def test_attributes_name_the_diagnostic_and_its_weights(diagnostic, analysis):
    other = replace(diagnostic, weights={k: v + 1e-3 for k, v in diagnostic.weights.items()})
    forecasters = [make_forecaster(), *(with_diagnostic(make_forecaster(), d) for d in (diagnostic, other))]
    attributes = [f.forecast(analysis, TIMES[0], "6h").attrs for f in forecasters]
    assert len({a["request"] for a in attributes}) == 3
    assert [d["data"] for d in json.loads(attributes[1]["diagnostics"])] == ["rain"]


def refusals():
    missing = StateSpec(parse_channels(["t850", "t2m"]), SPEC.grid)
    yield make_diagnostic(missing), None, "needs channel '2m_temperature', which the model lacks"
    moved = StateSpec(OWN.channels, LatLonGrid.regular(8, 12))
    yield make_diagnostic(moved), None, "grid, 8 x 12, is not the model's, 8 x 12, point for point"
    differs = "the diagnostic and the model refer to different climatologies"
    yield make_diagnostic(), make_climatology(), differs
    climatology = replace(make_climatology(), spec=OWN, coefficients=make_climatology().coefficients[:, :3])
    yield make_diagnostic(climatology=climatology), None, differs


@pytest.mark.parametrize(("unfit", "climatology", "message"), list(refusals()), ids=lambda v: str(v)[:20])
def test_a_diagnostic_that_does_not_fit_is_one_line(unfit, climatology, message):
    with pytest.raises(UserError, match=message) as caught:
        Diagnostic.from_checkpoint(unfit, Normalizer(make_statistics(), climatology))
    assert "\n" not in str(caught.value)


def test_a_diagnostic_cannot_step_and_a_step_is_no_diagnostic(diagnostic, tmp_path):
    diagnostic.save(tmp_path / "rain")
    with pytest.raises(UserError, match=f"precipitation is a diagnostic, which gives {OUTPUT} but no next state"):
        Forecaster.load(tmp_path / "rain")
    forecaster = make_forecaster()
    step = drawn_checkpoint(
        FourCastNetConfig(patch=4, width=8, depth=1, n_blocks=2),
        forecaster.suites[0].models[0].forcings,
        forecaster.suites[0].normalizer,
        Provenance({}, "none"),
        0,
    )
    with pytest.raises(UserError, match="fourcastnet gives the next state and is no diagnostic"):
        Forecaster.from_checkpoint(step, diagnostics=[step])


def test_two_diagnostics_of_one_channel_are_refused(diagnostic):
    forecaster = with_diagnostic(make_forecaster(), diagnostic)
    with pytest.raises(UserError, match=f"channels are named twice: {OUTPUT}"):
        replaced(forecaster, diagnostics=2 * forecaster.suites[0].diagnostics)


def test_a_channel_that_neither_gives_is_refused(diagnostic, analysis):
    with pytest.raises(UserError, match=r"no channel 'total_precipitation'; known: .*total_precipitation_6hr"):
        with_diagnostic(make_forecaster(), diagnostic).run(analysis, TIMES[0], ForecastConfig(channels=("tp",)))
