"""Laws of experiments' configurations: what cannot work is refused before anything is computed."""

from pathlib import Path

import numpy as np
import pytest
from tiny_experiment import CONFIG

from weatherml.config import apply_overrides, from_mapping, load_yaml
from weatherml.errors import UserError
from weatherml.experiment import ExperimentConfig, demonstration
from weatherml.forecast import ForecastConfig, GaussianConfig
from weatherml.models import PanguConfig
from weatherml.state import parse_channels
from weatherml.variables import PRESETS as VARIABLE_SETS

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def build(*overrides, content=CONFIG):
    return from_mapping(ExperimentConfig, apply_overrides(content, overrides))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_published_configuration_is_valid_and_short(path):
    load_yaml(ExperimentConfig, path)
    assert len(path.read_text().splitlines()) < 40


def test_an_override_changes_one_value_and_keeps_what_lies_beside_it():
    default, overrides = demonstration(), ("forecast.members=5", "training.batch_size=3", "model.width=8")
    config = demonstration([*overrides, "forecast.perturbation.scale=0.2"])
    assert (config.forecast.members, config.training.batch_size, config.model.width) == (5, 3, 8)
    assert config.forecast.channels == default.forecast.channels
    assert config.forecast.perturbation.scale == 0.2
    assert config.forecast.perturbation.length == default.forecast.perturbation.length
    assert config.training.stages == default.training.stages


def test_an_override_of_another_kind_takes_nothing_from_what_was_there():
    config = demonstration(["forecast.perturbation={name: gaussian}", "source={name: files, paths: [a.nc]}"])
    assert config.forecast.perturbation == GaussianConfig()
    assert config.source.paths == ("a.nc",)


def test_a_mistake_beside_the_demonstration_names_no_file_of_the_package():
    with pytest.raises(UserError, match=r"^demonstration: unknown key 'sede'; did you mean 'seed'"):
        demonstration(["sede=1"])


NEEDED = ("source", "channels", "periods", "model", "training")
FEWEST = {key: CONFIG[key] for key in NEEDED}


@pytest.mark.parametrize("key", NEEDED)
def test_what_only_the_user_can_know_has_no_default(key):
    with pytest.raises(UserError, match=f"'{key}' is missing"):
        build(content={name: value for name, value in FEWEST.items() if name != key})


def test_what_is_left_out_is_nobodys_planet():
    config = build(content=FEWEST)
    assert config.kept_channels == parse_channels(config.channels)
    assert config.extremes is None
    assert config.forecast == ForecastConfig()


def test_channel_sets_and_networks_have_names():
    config = build("channels=pangu", "model=pangu_lite", "forecast.channels=null")
    assert config.channels == VARIABLE_SETS["pangu"]
    assert config.model == PanguConfig(patch=(2, 8, 8))
    assert from_mapping(ExperimentConfig, config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("periods.validation=['2000-01-05', '2000-01-10']", "training period .* overlaps the validation period"),
        ("periods.validation=['2000-01-12', '2000-01-13']", "validation period .* overlaps the test period"),
        (
            "periods.training=[['2000-01-01', '2000-01-04'], ['2000-01-06', '2000-01-09']]",
            "training period 2000-01-01 .. 2000-01-04 and 2000-01-06 .. 2000-01-09 overlaps the validation period",
        ),
        ("periods.test=['2000-01-07', '2000-01-08']", "training period .* overlaps the test period"),
        ("periods.test=['2000-01-16', '2000-01-11']", "period must run forward"),
        ("periods.test=[soon, later]", "periods.test: period 'soon' is no ISO 8601 time"),
        ("periods.test=[2000-01-11, 2000-02-30]", "periods.test: period '2000-02-30' is not in the calendar"),
        ("periods.test=2000", "periods.test: period '2000' must have a first and a last time"),
        ("source={days: 16}", "source: 'name' is missing; say which source it is: .*files, simulated"),
        ("source.start=2000-01-32", "start: date '2000-01-32' is not in the calendar"),
        ("source.start=1677-12-31", "start: date '1677-12-31' lies outside the years 1678 to 2261"),
        ("source.days=100000", "source: simulated: 100000 days from 2000-01-01 end after the year 2261"),
        ("channels=pango", "channels: unknown channel set 'pango'; did you mean 'pangu'"),
        ("model=pangu_light", "unknown model 'pangu_light'; did you mean 'pangu_lite'"),
        ("channels=[z500, t850, zz850]", "unknown variable 'zz'"),
        ("channels=[z500, u850]", "forecast.channels: temperature_850 is not among channels"),
        ("forecast.channels=[z500]", "extremes.channel: temperature_850 is not among the channels of the forecast"),
        ("extremes.channel=msl", "extremes.channel: mean_sea_level_pressure is not among"),
        ("extremes.quantile=95", "extremes.quantile: .* less than 1"),
        ("forecast.lead_time=ten days", "forecast.lead_time: duration 'ten days'"),
        ("forecast.lead_time=10", "forecast.lead_time: duration '10' must be .* '10d', '10h' or '10min'"),
        ("forecast.guards.relaxation=2 months", "forecast.guards.relaxation: duration '2 months' has the unit months"),
        ("forecast.perturbation={name: lagged, interval: soon}", "interval: duration 'soon' must be"),
        ("forecast.perturbation={name: sppt, decorrelation: 6}", "decorrelation: duration '6' must be"),
        ("time_step=6m", "time_step: duration '6m' has the unit m, which may be minutes or months"),
        ("forecast.every=7h", "lead_time 24h is not a multiple"),
        ("forecast.perturbation=null", "forecast.members: 3 .* would all be the same; pass perturbation='spher"),
        ("forecast.statistics={}", "forecast.statistics keeps no members, and only members can be judged; leave it"),
        ("forecast.numbers=[3]", r"numbers must lie in 0 \.\. 2"),
        ("forecast.numbers=[]", r"numbers must lie in 0 \.\. 2"),
        ("forecast.channels=[]", "forecast.channels: there is none"),
        ("forecast.channels=[t850, z500, t850]", "forecast.channels: temperature_850 is there twice"),
        ("forecast.perturbation=analysis_ensemble", "starts from several analyses of each time, .*=spherical"),
        ("forecast.perturbation={name: combined, parts: [{name: analysis_ensemble}]}", "several analyses of each time"),
        ("forecast.perturbation=noise_conditioned", "noise_conditioned tells the model random maps, .* model.noise="),
        ("channels=[]", "channels is empty; name at least 1"),
        ("time_step=daily", "duration 'daily'"),
        ("climatology.n_annual=1000", "climatology.n_annual: .* less than or equal to 100"),
        ("seed=4294967296", "seed: .* less than 4294967296"),
        ("training.seed=4294967296", "training.seed: .* less than 4294967296"),
        ("source.seed=4294967296", "source.*seed: .* less than 4294967296"),
        ("source.start=2262-01-01", "2262-01-01"),
        ("forecast.perturbation=spheric", "did you mean 'spherical'"),
        ("forecast.members=0", "forecast.members: .* got 0"),
        ("init_every=daily", "init_every: duration 'daily'"),
        ("forcings=[seasons]", "unknown forcing 'seasons'; did you mean 'season'"),
        ("model.width=7", "width 7 is not a multiple of n_blocks 2"),
        ("model={width: 4}", "model: 'name' is missing; say which model it is: .*fourcastnet"),
        ("model.name=fourcastnot", "model: .*'fourcastnet'"),
        ("source.name=fils", "unknown source 'fils'; did you mean 'files'"),
        ("training.stages=[{learning_rate: 0.1}]", "'training.stages.0.n_steps' is missing"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(override, reason):
    with pytest.raises(UserError, match=reason) as caught:
        build(override)
    assert "\n" not in str(caught.value)
    assert "Value error" not in str(caught.value)


def test_the_models_step_is_the_datas_unless_named_and_a_multiple_of_it():
    times = np.datetime64("2001-01-01", "ns") + np.arange(5) * np.timedelta64(6, "h")
    assert build().step_of(times) == np.timedelta64(6, "h")
    assert build("time_step=24h").step_of(times) == np.timedelta64(24, "h")
    with pytest.raises(UserError, match="time_step of 9 h is no multiple of the data's 6 h"):
        build("time_step=9h").step_of(times)
