"""Precipitation as an experiment: a configuration is enough to learn it, to go on, and to judge it."""

import json
from contextlib import contextmanager

import numpy as np
import pytest
import tiny_training
from fake_data import analyses
from flax import nnx
from numpy_weights import drawn_checkpoint
from tiny_experiment import refused

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.config import apply_overrides, from_mapping
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.experiment import PHASES, Experiment, ExperimentConfig
from weatherml.experiment.feasibility import Holdings, require_feasible
from weatherml.grid import LatLonGrid
from weatherml.plan.problem import Problem
from weatherml.plan.program import Program

GRID = LatLonGrid.regular(6, 10, poles=False)


def weather():
    """Return air whose humidity beyond its mean rains out: up to some centimetres in six hours."""
    noise = analyses({"specific_humidity": (850,), "temperature": (850,)}, 80, start="2000-01-01", grid=GRID)
    scale = {"specific_humidity": (4e-3, 1e-3), "temperature": (280, 5)}
    fields = {
        name: (mean + spread * noise[name]).astype(np.float32).assign_attrs(noise[name].attrs)
        for name, (mean, spread) in scale.items()
    }
    rain = 0.01 * noise["specific_humidity"].sel(level=850, drop=True).clip(min=0)
    rain = rain.astype(np.float32).assign_attrs(units="m")
    return noise.assign(fields).assign(total_precipitation_6hr=rain)


def settings(source="weather.nc"):
    return {
        "title": "Rain",
        "source": {"name": "files", "paths": [str(source)]},
        "channels": ["q850", "t850"],
        "periods": {
            "training": ["2000-01-01", "2000-01-14"],
            "validation": ["2000-01-15", "2000-01-17"],
            "test": ["2000-01-18", "2000-01-20"],
        },
        "check": {"ignore": ["amount", "contrast-rows"]},
        "climatology": {"n_annual": 0, "n_diurnal": 0},
        "model": {
            "name": "precipitation",
            "backbone": {"patch": 1, "width": 8, "depth": 1, "n_blocks": 2, "mlp_ratio": 2.0},
        },
        "training": {
            "stages": [{"n_steps": 120, "learning_rate": 0.02}],
            "batch_size": 8,
            "average_decay": 0.9,
            "validate_every": 60,
            "snapshot_every": 40,
            "n_validation_batches": 1,
        },
        "init_every": "12h",
    }


def build(*overrides, **changes):
    return from_mapping(ExperimentConfig, apply_overrides(settings() | changes, overrides))


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Return an experiment that has learned from analyses and is judged."""
    folder = tmp_path_factory.mktemp("rain")
    weather().to_netcdf(folder / "weather.nc")
    config = from_mapping(ExperimentConfig, settings(folder / "weather.nc"))
    experiment = Experiment(config, folder / "run")
    experiment.run("evaluate")
    return experiment


def test_it_beats_climatology_on_days_that_nothing_was_learned_from(learned):
    scores = learned.scores["rmse"].sel(bound="estimate", channel="total_precipitation_6hr").squeeze("lead_time")
    assert scores["system"].values.tolist() == ["forecast", "climatology"]
    assert float(scores.sel(system="forecast")) < 0.7 * float(scores.sel(system="climatology"))
    assert scores["lead_time"] == np.timedelta64(0)


def test_what_is_judged_is_what_the_checkpoint_makes_of_the_analyses(learned):
    checkpoint, forecast = Checkpoint.load(learned.training.best_checkpoint), learned.forecast
    times = forecast["init_time"].values
    assert times.tolist() == learned.init_times().tolist() and len(times) == 6
    data = learned.store.sel(time=times)
    states = np.stack([data[name].sel(level=850) for name in ("specific_humidity", "temperature")], 1)
    program = nnx.jit(lambda network, given: network(given))
    rain = program(checkpoint.build_diagnostic(), checkpoint.normalizer.normalize(states, times))
    np.testing.assert_allclose(forecast["total_precipitation_6hr"].values[:, 0, 0], rain[:, 0], rtol=1e-4, atol=1e-7)
    assert json.loads(forecast.attrs["diagnostics"])[0]["config"]["model"]["name"] == "precipitation"


def begun(learned, folder, config, *phases):
    """Return an experiment of which some phases are done, as `learned` has done them."""
    folder.mkdir()
    for phase in phases:
        (folder / PHASES[phase].output).symlink_to(learned.path(phase))
    (folder / "climatology.nc").symlink_to(learned.folder / "climatology.nc")
    done = {phase: learned.ledger.entries()[phase] for phase in phases}
    (folder / "phases.json").write_text(json.dumps(done))
    return Experiment(config, folder)


def test_a_training_that_was_cut_off_goes_on_to_the_same_weights(learned, tmp_path):
    class CutOff(Exception):
        pass

    @contextmanager
    def until_a_step(phase):
        def report(done, total, news=""):
            if done == 50:
                raise CutOff

        yield report

    experiment = begun(learned, tmp_path / "run", learned.config, "ingest", "check", "statistics")
    with pytest.raises(CutOff):
        Experiment(learned.config, tmp_path / "run", until_a_step).run("train")
    assert not experiment.training.last_checkpoint.exists()
    experiment.run("train")
    one, other = (Checkpoint.load(run.training.last_checkpoint).weights for run in (learned, experiment))
    for name, values in one.items():
        np.testing.assert_array_equal(other[name], values)


def test_it_is_learned_from_what_a_stepper_forecasts_and_forecast_with_it(learned, tmp_path):
    statistics = learned.statistics.only(learned.spec.channels)
    forcings, none = Forcings(("latitude",), learned.spec.grid, statistics.time_step), Provenance({}, "none")
    drawn_checkpoint(tiny_training.TinyConfig(), forcings, Normalizer(statistics), none).save(tmp_path / "model")
    changes = {
        "stepper": str(tmp_path / "model"),
        "source": learned.config.source.model_dump(mode="json"),
        "training": settings()["training"] | {"stages": [{"n_steps": 1, "learning_rate": 0.02}], "batch_size": 2},
        "forecast": {"lead_time": "12h"},
    }
    experiment = begun(learned, tmp_path / "run", build(**changes), "ingest", "check", "statistics")
    experiment.run("forecast")
    forecast, config = experiment.forecast, experiment.config
    assert list(forecast) == ["total_precipitation_6hr"] and dict(forecast.sizes)["lead_time"] == 2
    assert [str(channel) for channel in config.kept_channels] == ["total_precipitation_6hr"]
    problem = Problem.of(config, experiment.folder)
    assert Program(problem).batch(0).state.shape == (2, 2, 3, 6, 10)  # two channels and the rain
    assert Program(problem).batch(0).forcing.shape == (2, 2, 1, 6, 10)  # of the stepper
    assert problem.outline.prediction == "diagnostic"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("prediction=state", "prediction: precipitation is a diagnostic, which gives no state; leave prediction out"),
        ("channels=[q850, tp06]", "channels: total_precipitation_6hr is what precipitation is to give"),
        ("forcings=[season]", "forcings: precipitation is a diagnostic, which is told the state alone"),
        ("reference=climatology", "set reference=mean"),
        ("training.loss={name: crps}", "precipitation gives no members for crps to compare"),
        ("training.loss.physics={energy: 1.0}", "of whose fields pangu has no weights and physics no terms"),
        ("forecast.lead_time=2d", "or name the model that does: stepper=models/fourcastnet"),
        ("model.accumulation=3h", "'1h', '6h', '12h' or '24h'"),
        ("model=fourcastnet", None),
        ("model={name: fourcastnet}", None),
    ],
)
def test_what_no_diagnostic_has_is_refused_in_one_line(override, words):
    if words is None:
        assert build(override).prediction == "tendency" and not build(override).outputs
        with pytest.raises(UserError, match="stepper: fourcastnet steps by itself; leave it out"):
            build(override, "stepper=model")
        with pytest.raises(UserError, match="prediction: fourcastnet gives the next state and is no diagnostic"):
            build(override, "prediction=diagnostic")
        return
    with pytest.raises(UserError, match=words) as caught:
        build(override)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ((), "where the source has hourly total_precipitation: source.derive=.total_precipitation_6hr.; on a planet"),
        (("total_precipitation",), "make it of total_precipitation, which is hourly: source.derive="),
        (("total_precipitation_12hr", "total_precipitation_24hr"), "over 12h and 24h: model.accumulation=12h"),
    ],
)
def test_data_without_the_precipitation_say_how_they_come_by_it(there, words):
    data = weather().drop_vars("total_precipitation_6hr")
    rain = weather()["total_precipitation_6hr"]
    with pytest.raises(UserError, match=f"no total_precipitation_6hr, which precipitation learns to give; .*{words}"):
        require_feasible(build(), Holdings.of_store(data.assign(dict.fromkeys(there, rain))))
    require_feasible(build(), Holdings.of_store(weather()))


def test_a_diagnostic_is_no_stepper_and_begins_with_no_model(learned):
    rain, held = learned.training.best_checkpoint, Holdings.of_store(learned.store)
    with pytest.raises(UserError, match=r"^stepper: .* is a diagnostic, which gives no next state; pass a checkpoint"):
        require_feasible(build(f"stepper={rain}"), held)
    with pytest.raises(UserError, match=r"^start: .* is a diagnostic, which gives no next state; pass a checkpoint"):
        require_feasible(build(f"start={rain}", "model={name: fourcastnet, patch: 1}"), held)
    require_feasible(build(f"start={rain}", "periods.training=['2000-01-01', '2000-01-14']"), held)
    assert "use it beside a model that steps" in refused("forecast", rain, "--analysis", learned.path("ingest"))
