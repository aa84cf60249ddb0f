"""Precipitation is learned from states: of analyses, or of what a model that stays as it is makes of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_training
from fake_data import analyses
from numpy_weights import drawn_checkpoint

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.loading.samples import Samples
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.forecast import Forecaster
from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig, PrecipitationConfig
from weatherml.state import spec_of
from weatherml.training import LossConfig, Stage, train
from weatherml.training.objective.diagnosis import diagnostic_normalizer
from weatherml.training.objective.objective import build_objective, evaluate

PERIODS = ("2001-01-01", "2001-01-15"), ("2001-01-16", "2001-01-20")
HUMIDITY, TEMPERATURE = (4e-3, 1e-3), (280, 5)
"""Mean and deviation at 850 hPa, kg/kg and K."""


def weather():
    """Return air whose humidity beyond its mean rains out: up to some centimetres in six hours."""
    noise = analyses(
        {"specific_humidity": (850,), "temperature": (850,)}, 80, grid=LatLonGrid.regular(6, 10, poles=False)
    )
    air = noise.assign(
        specific_humidity=HUMIDITY[0] + HUMIDITY[1] * noise["specific_humidity"],
        temperature=TEMPERATURE[0] + TEMPERATURE[1] * noise["temperature"],
    )
    rain = 0.01 * noise["specific_humidity"].sel(level=850, drop=True).clip(min=0)
    return air.assign(total_precipitation_6hr=rain.astype(np.float32))


def untrained(data=None):
    data = weather() if data is None else data
    spec = spec_of(data, ["q850", "t850"])
    statistics = compute_statistics(data, spec, PERIODS[0])
    model = PrecipitationConfig(backbone=FourCastNetConfig(patch=1, width=8, depth=1, n_blocks=2, mlp_ratio=2.0))
    forcings = Forcings((), spec.grid, statistics.time_step)
    return Checkpoint.initialize(model, forcings, Normalizer(statistics), Provenance({}, "rain"), 1, "diagnostic")


def samples(start, forcings=None):
    normalizer = diagnostic_normalizer(start)
    return [Samples(weather(), normalizer, forcings or start.forcings, 1, period) for period in PERIODS]


def settings(**changes):
    stage = Stage(n_steps=200, learning_rate=2e-2)
    loss = LossConfig(channel_weight="uniform")
    return tiny_training.config(
        **({"stages": (stage,), "validate_every": 100, "batch_size": 8, "loss": loss} | changes)
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a run of a diagnostic that has learned from analyses."""
    start = untrained()
    return train(settings(), start, *samples(start), tmp_path_factory.mktemp("rain"))


def test_rain_that_follows_from_humidity_is_learned_in_metres(trained):
    checkpoint, data = Checkpoint.load(trained.best_checkpoint), weather().isel(time=slice(64, 80))
    truth = data["total_precipitation_6hr"].values
    own = np.stack([data[name].sel(level=850) for name in ("specific_humidity", "temperature")], 1)
    diagnostic = checkpoint.build_diagnostic()
    rain = np.asarray(jax.jit(diagnostic)(checkpoint.normalizer.normalize(own, data["time"].values)))[:, 0]
    assert np.corrcoef(np.log1p(rain / 1e-5).ravel(), np.log1p(truth / 1e-5).ravel())[0, 1] > 0.8
    assert rain.min() == 0


def test_a_forecaster_takes_what_was_trained(trained, tmp_path):
    checkpoint = Checkpoint.load(trained.best_checkpoint)
    model = drawn_checkpoint(
        tiny_training.TinyConfig(), checkpoint.forcings, checkpoint.normalizer, Provenance({}, "none")
    )
    model.save(tmp_path / "model")
    forecaster = Forecaster.load(tmp_path / "model", diagnostics=[trained.best_checkpoint])
    assert forecaster.suites[0].output_spec.names[-1] == "total_precipitation_6hr"


def test_what_a_diagnostic_makes_of_forecasts_is_compared_with_the_truth_at_their_times(trained):
    start = Checkpoint.load(trained.best_checkpoint)
    forcings = Forcings(("latitude",), start.spec.grid, start.time_step)
    model = drawn_checkpoint(
        tiny_training.TinyConfig(), forcings, start.normalizer, Provenance({}, "none"), deviation=0.3
    )
    diagnostic, loss = build_objective(LossConfig(name="mae", channel_weight="uniform"), start, model)
    batch = samples(start, forcings)[1].with_n_steps(2).gather([0, 3, 7])
    step, state, errors = model.build_step(), jnp.asarray(batch.state[:, 0, :2]), []
    for k in (1, 2):
        state = step(state, batch.forcing[:, k - 1])
        depth, truth = np.asarray(diagnostic(state), np.float64), batch.state[:, k, 2:].astype(np.float64)
        errors.append(np.abs(np.log1p(depth / 1e-5) - np.log1p(truth / 1e-5)) * start.spec.grid.area_weights())
    assert float(evaluate(diagnostic, loss, batch)) == pytest.approx(np.mean(errors), rel=1e-4)
    _, of_analyses = build_objective(LossConfig(name="mae", channel_weight="uniform"), start)
    assert float(evaluate(diagnostic, of_analyses, batch)) != pytest.approx(np.mean(errors), rel=1e-2)


def test_a_model_with_other_states_and_a_loss_of_members_are_refused():
    start = untrained()
    warmer = untrained(weather() + 1)
    model = drawn_checkpoint(tiny_training.TinyConfig(), start.forcings, warmer.normalizer, Provenance({}, "none"))
    with pytest.raises(UserError, match="other channels, another grid or other statistics"):
        build_objective(LossConfig(), start, model)
    with pytest.raises(UserError, match="loss crps compares members, of which a diagnostic gives none"):
        build_objective(LossConfig(name="crps"), start)


def test_a_diagnostic_is_trained_of_what_a_model_forecasts_and_goes_on_with_no_other(tmp_path):
    start = untrained()
    forcings = Forcings(("latitude",), start.spec.grid, start.time_step)
    model = drawn_checkpoint(tiny_training.TinyConfig(), forcings, start.normalizer, Provenance({}, "none"))
    short = settings(stages=(Stage(n_steps=2, learning_rate=1e-2),), n_validation_batches=1)
    run = train(short, start, *samples(start, forcings), tmp_path, model=model)
    after = Checkpoint.load(run.last_checkpoint)
    assert after.prediction == "diagnostic" and after.weights.keys() == start.weights.keys()
    assert not np.array_equal(after.weights["conv.kernel"], start.weights["conv.kernel"])
    with pytest.raises(UserError, match=r"was trained with forecasts\.\S+ = .*, now it is None"):
        train(short, start, *samples(start, forcings), tmp_path)
