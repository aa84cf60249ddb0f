"""Every setting of an experiment: far from its default it runs to the report, without sense it is refused."""

import pytest
from tiny_experiment import CONFIG

from weatherml.config import apply_overrides, from_mapping
from weatherml.data.quality.config import CheckConfig
from weatherml.errors import UserError
from weatherml.experiment import Experiment, ExperimentConfig, ExtremesConfig, PeriodsConfig
from weatherml.experiment.config import BaselinesConfig, ClimatologyConfig
from weatherml.experiment.feasibility import Holdings, require_feasible
from weatherml.forecast import ForecastConfig, GuardsConfig
from weatherml.training import LossConfig, OptimizerConfig, Stage, TrainingConfig

# Setting, a value to run with, a value to refuse, and words of the refusal; None where any value of the type will do.
TABLE = [
    ("title", "Odd & <new>", None, ""),
    ("source", None, "{name: files, paths: []}", "paths is empty; name at least 1"),
    ("channels", "[u850, t850, z500]", "[z999999]", "is not among channels"),
    (
        "periods.training",
        "[['2000-01-01', '2000-01-04'], ['2000-01-06', '2000-01-07']]",
        "['2000-01-09', '2000-01-10']",
        "overlaps the validation",
    ),
    (
        "periods.validation",
        "['2000-01-08', '2000-01-10']",
        "['2000-01-09', '2000-01-09']",
        "choose another validation period",
    ),
    ("periods.test", "['2000-01-11', '2000-01-15']", "['2001-01-11', '2001-01-15']", "0 times in the test period"),
    ("climatology.n_annual", "1", "-1", "greater than or equal to 0"),
    ("climatology.n_diurnal", "1", "-1", "greater than or equal to 0"),
    ("climatology.window_days", None, "60", "has no middle"),
    ("climatology.quantiles", None, "[1.5]", "less than 1"),
    ("time_step", "12h", "5h", "no multiple of the data's 6 h"),
    ("reference", "climatology", "median", "'mean' or 'climatology'"),
    ("forcings", "[season, latitude, longitude, insolation, orography]", "[land_sea_mask]", "static field"),
    ("model", "{name: sfno, width: 8, depth: 1, scale_factor: 1.0}", "sfnoo", "did you mean 'sfno'"),
    ("prediction", "state", "diagnostic", "'tendency' or 'state'"),
    ("stepper", None, "model", "steps by itself; leave it out, or name a diagnostic"),
    ("start", None, "nowhere", "nowhere is not a checkpoint"),
    (
        "training.stages",
        "[{n_steps: 3, rollout: 2, learning_rate: 0.001, schedule: constant, period: ['2000-01-01', '2000-01-04'],"
        " mesh: {spatial: 1}}]",
        "[]",
        "at least 1",
    ),
    ("training.batch_size", "2", "64", "choose another training period, or pass batch_size="),
    ("training.seed", "3", "-1", "greater than or equal to 0"),
    ("training.loss.name", "mae", "crps", "model.noise="),
    ("training.loss.channel_weight", "pangu", "none", "'uniform'"),
    ("training.loss.members", None, "2", "judges one forecast"),
    ("training.loss.physics", "{energy: 0.01}", "{moisture: 1.0}", "moisture needs total_column_water_vapour"),
    ("training.optimizer.weight_decay", "0.0", "-0.1", "greater than or equal to 0"),
    ("training.optimizer.beta1", "0.5", "1.0", "less than 1"),
    ("training.optimizer.beta2", "0.5", "1.0", "less than 1"),
    ("training.optimizer.clip_norm", "0.5", "0.0", "greater than 0"),
    ("training.optimizer.warm_up", "0.0", "1.0", "less than 1"),
    ("training.trainable", "[decoder, blocks.0]", "[encoder]", "'encoder' is in the name of no weight"),
    ("training.average_decay", "0.0", "1.0", "less than 1"),
    ("training.log_every", "1", "0", "greater than 0"),
    ("training.validate_every", "2", "0", "greater than 0"),
    ("training.snapshot_every", "2", "0", "greater than 0"),
    ("training.mesh", None, "{fsdp: 0}", "greater than 0"),
    ("training.snapshots_kept", "3", "1", "greater than or equal to 2"),
    (
        "training.device_memory",
        "{remat: blocks, accumulate: 2, moments: bfloat16, offload: [average]}",
        "{accumulate: 3}",
        "accumulate 3 does not divide batch_size 4; 2 does",
    ),
    ("training.non_finite", "skip", "explode", "'stop', 'skip' or 'rollback'"),
    ("training.most_non_finite", "2", "0", "greater than 0"),
    ("training.watchdog", "30min", "soon", "duration 'soon'"),
    ("training.n_validation_batches", "1", "0", "greater than 0"),
    ("training.profile_steps", None, "3:2", "must be the first and the last of some optimiser steps"),
    ("training.memory", "2GiB", "much", "no amount of memory"),
    ("check.ignore", "[spike]", "[spikes]", "did you mean 'spike'"),
    ("forecast.lead_time", "36h", "20h", "is not a multiple"),
    ("forecast.every", "12h", "5h", "5h"),
    ("forecast.members", "4", "0", "members"),
    ("forecast.numbers", "[0, 3]", "[4]", "numbers must lie in 0"),
    ("forecast.perturbation", "{name: gaussian, scale: 0.1}", "{name: lagged, interval: 9h}", "9h"),
    ("forecast.seed", "7", "4294967296", "less than 4294967296"),
    ("forecast.channels", "[u850, t850]", "[v850]", "v_component_of_wind_850 is not among channels"),
    ("forecast.batch", "3", "0", "greater than 0"),
    ("forecast.statistics", None, "{}", "only members can be judged"),
    ("forecast.rounding", "null", "0.0", "greater than 0"),
    ("forecast.guards.bounds", "false", "perhaps", "valid boolean"),
    ("forecast.guards.nonnegative", "false", "perhaps", "valid boolean"),
    ("forecast.guards.conserve", "[temperature]", "[dry_air]", "needs surface_pressure"),
    ("forecast.guards.relaxation", "50d", "soon", "duration 'soon'"),
    ("init_every", "36h", "0d", "duration '0d'"),
    ("baselines.members", "5", "1", "greater than or equal to 2"),
    ("baselines.window_days", "3", "4", "have no middle"),
    ("extremes.channel", "u850", "u500", "is not among the channels of the forecast"),
    ("extremes.quantile", "0.9", "1.0", "less than 1"),
    ("seed", "5", "-1", "greater than or equal to 0"),
]
GROUPS = {
    "": ExperimentConfig,
    "periods.": PeriodsConfig,
    "climatology.": ClimatologyConfig,
    "training.": TrainingConfig,
    "training.loss.": LossConfig,
    "training.optimizer.": OptimizerConfig,
    "check.": CheckConfig,
    "forecast.": ForecastConfig,
    "forecast.guards.": GuardsConfig,
    "baselines.": BaselinesConfig,
    "extremes.": ExtremesConfig,
}
ODD = [f"{key}={value}" for key, value, _, _ in TABLE if value is not None]


def build(*overrides):
    return from_mapping(ExperimentConfig, apply_overrides(CONFIG, overrides))


def test_the_table_has_every_setting():
    groups = {prefix.removesuffix(".") for prefix in GROUPS}
    fields = {f"{prefix}{name}" for prefix, kind in GROUPS.items() for name in kind.model_fields}
    assert fields - groups == {key for key, *_ in TABLE}
    stage = {"rollout", "n_steps", "learning_rate", "schedule", "batch_size", "period", "mesh"}  # of `training.stages`
    assert set(Stage.model_fields) == stage


@pytest.fixture(scope="module")
def held(tiny_run):
    return Holdings.of_store(Experiment(build(), tiny_run.folder).store)


@pytest.mark.parametrize(
    ("key", "value", "words"), [(key, bad, words) for key, _, bad, words in TABLE if bad is not None]
)
def test_what_makes_no_sense_is_refused_in_words(held, key, value, words):
    with pytest.raises(UserError, match=words) as caught:
        require_feasible(build(f"{key}={value}"), held)
    assert "\n" not in str(caught.value)


def test_what_is_far_from_the_defaults_runs_to_the_report(tiny_run, tmp_path):
    made = ("training", "forecast.zarr", "scores.nc", "verdict.nc", "report.html", "statistics.nc", "climatology.nc")
    experiment = Experiment(build(*ODD), tiny_run.copy_to(tmp_path / "run", made))
    page = experiment.run().read_text()
    assert "Odd &amp; &lt;new&gt;" in page and "rollouts of 2 steps" in page
    assert experiment.forecast["number"].values.tolist() == [0, 3]
    assert set(experiment.scores["channel"].values) == {"temperature_850", "u_component_of_wind_850"}
    assert experiment.verdict.attrs["quantile"] == 0.9
    assert len(experiment.training.metrics()) == 3
