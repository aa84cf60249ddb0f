"""Forecasts by several models: each lead by the planned calls, whatever each model was normalised by."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from numpy_weights import drawn_checkpoint
from tiny_forecast import (
    SPEC,
    TIME_STEP,
    TIMES,
    Advection,
    forecaster_of,
    make_analysis,
    make_forecaster,
    make_model,
    make_statistics,
)

from weatherml.checkpoint import Provenance
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig, Forecaster
from weatherml.forecast.rollout.model import Model
from weatherml.state import parse_channels, to_array

HOUR = np.timedelta64(3600 * 10**9, "ns")


class Far(Advection):
    """Moves three columns at once, and damps less than three short steps would."""

    def __call__(self, state, forcing):
        return 0.95 * jnp.roll(state, 3, axis=-1) + 0.2 * forcing[:, 1:2]


def checkpoint(hours, statistics=None, seed=0):
    """An untrained network whose step takes so many hours."""
    statistics = replace(statistics or make_statistics(), time_step=hours * HOUR)
    forcings = Forcings(("insolation",), SPEC.grid, hours * HOUR)
    return drawn_checkpoint(make_model(), forcings, Normalizer(statistics), Provenance({}, str(hours)), seed)


@pytest.fixture(scope="module")
def analysis():
    return make_analysis()


def two_models():
    forecaster = make_forecaster()
    far = Model(Far(), 3 * TIME_STEP, forecaster.suites[0].models[0].forcings, Provenance({}, "far"))
    return forecaster_of((*forecaster.suites[0].models, far), forecaster.suites[0].normalizer)


def by_hand(forecaster, analysis, path):
    """Step one state along a path of models."""
    time, normalizer = TIMES[0], forecaster.suites[0].normalizer
    state = normalizer.normalize(to_array(analysis.sel(time=time), SPEC), time)[None]
    for step in path:
        model = next(m for m in forecaster.suites[0].models if m.time_step == step * TIME_STEP)
        state = model.step(state, model.forcings.at(np.array([time])))
        time = time + model.time_step
    return normalizer.denormalize(np.asarray(state)[0], time)


@pytest.mark.parametrize("batch", [1, 3])
def test_every_lead_comes_by_the_fewest_calls(analysis, batch):
    forecaster = two_models()
    forecast = forecaster.run(analysis, TIMES[0], ForecastConfig(lead_time="48h", batch=batch))
    paths = [(1,), (1, 1), (3,), (3, 1), (3, 1, 1), (3, 3), (3, 3, 1), (3, 3, 1, 1)]
    for position, path in enumerate(paths):
        ours = to_array(forecast.isel(init_time=0, lead_time=position, number=0), SPEC)
        np.testing.assert_allclose(ours, by_hand(forecaster, analysis, path), rtol=2e-5, err_msg=str(path))


def test_leads_do_not_depend_on_which_others_are_kept(analysis):
    forecaster = two_models()
    every = forecaster.run(analysis, TIMES[:2], ForecastConfig(lead_time="48h"))
    some = forecaster.run(analysis, TIMES[:2], ForecastConfig(lead_time="48h", every="12h"))
    xr.testing.assert_equal(some.drop_attrs(), every.sel(lead_time=some["lead_time"]).drop_attrs())


def test_a_member_alone_is_the_member_of_the_ensemble(analysis):
    forecaster = two_models()
    asked = {"lead_time": "24h", "members": 7, "perturbation": "gaussian", "batch": 3}
    together = forecaster.run(analysis, TIMES[:2], ForecastConfig(**asked))
    alone = forecaster.run(analysis, TIMES[1], ForecastConfig(**asked, numbers=(5,)))
    xr.testing.assert_equal(alone.drop_attrs(), together.sel(init_time=TIMES[1:2], number=[5]).drop_attrs())


def test_a_model_of_other_statistics_gives_the_fields_it_gives_alone(analysis):
    first, second = make_statistics(), make_statistics()
    second = replace(second, mean=second.mean + 3, std=second.std * 1.5, difference_std=second.difference_std * 1.5)
    short, long = checkpoint(6, first), checkpoint(18, second, seed=1)
    together = Forecaster.from_checkpoint(short, long).forecast(analysis, TIMES[0], "36h", every="18h")
    alone = Forecaster.from_checkpoint(long).forecast(analysis, TIMES[0], "36h")
    for name in alone.data_vars:
        np.testing.assert_allclose(together[name], alone[name], rtol=1e-5, err_msg=str(name))


def test_an_interrupted_forecast_by_two_models_resumes_to_the_same(analysis, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    forecaster, config = two_models(), ForecastConfig(lead_time="30h")
    with pytest.raises(KeyboardInterrupt):
        forecaster.run(analysis, TIMES[:3], config, tmp_path / "f.zarr", progress=interrupt)
    resumed = forecaster.run(analysis, TIMES[:3], config, tmp_path / "f.zarr")
    xr.testing.assert_identical(resumed.load(), forecaster.run(analysis, TIMES[:3], config))


def other_channels(names):
    statistics = make_statistics()
    positions = [SPEC.index(name) for name in names]
    spec = replace(SPEC, channels=parse_channels(names))
    parts = {name: getattr(statistics, name)[positions] for name in ("mean", "std", "difference_std", "valid")}
    return replace(statistics, spec=spec, **parts)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda: checkpoint(6, seed=1), "two models take steps of 6h"),
        (
            lambda: checkpoint(18, other_channels(["z500", "t850", "t500", "u850", "sst"])),
            "'temperature_850' as channel 1",
        ),
        (lambda: checkpoint(18, other_channels(["z500", "t500"])), "channel 'temperature_850', which only one"),
    ],
)
def test_models_that_do_not_agree_are_refused(analysis, second, message):
    with pytest.raises(UserError, match=message):
        Forecaster.from_checkpoint(checkpoint(6), second()).forecast(analysis, TIMES[0], "36h")


def test_a_forecast_without_a_model_is_refused():
    with pytest.raises(UserError, match="at least one model"):
        Forecaster.load()
