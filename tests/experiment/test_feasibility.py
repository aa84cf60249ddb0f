"""Laws of feasibility: what data cannot carry is refused without reading them."""

from dataclasses import replace

import numpy as np
import pytest
from fake_data import FakeSource, analyses
from tiny_experiment import CONFIG

from weatherml.config import apply_overrides, from_mapping
from weatherml.data.sources.simulated import PlanetConfig, SimulatedSource
from weatherml.errors import UserError
from weatherml.experiment import Experiment, ExperimentConfig
from weatherml.experiment.feasibility import Holdings, initial_times, require_feasible
from weatherml.grid import LatLonGrid

HOUR = np.timedelta64(1, "h")
FIELDS = {"geopotential": (500,), "temperature": (500, 850), "u_component_of_wind": (850,), "2m_temperature": ()}


def build(*overrides):
    return from_mapping(ExperimentConfig, apply_overrides(CONFIG, overrides))


def holdings(n_times=64):
    return Holdings.of_store(analyses(FIELDS, n_times, start="2000-01-01", grid=LatLonGrid.regular(8, 12, False)))


def test_a_source_and_its_dataset_hold_the_same():
    dataset = analyses({"geopotential": (500, 850), "2m_temperature": ()}, 9)
    asked, seen = Holdings.of_source(FakeSource(dataset)), Holdings.of_store(dataset)
    assert (asked.channels, asked.grid) == (seen.channels, seen.grid)
    np.testing.assert_array_equal(asked.times, seen.times)


def test_a_planet_is_asked_without_simulating_it(tmp_path):
    planet = Holdings.of_source(SimulatedSource(PlanetConfig(truncation=7, days=4), tmp_path / "planet"))
    assert len(planet.times) == 16
    assert planet.grid.shape == (12, 24)
    assert not list(tmp_path.iterdir())


def test_what_fits_is_accepted():
    require_feasible(build(), holdings())


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("channels=[z500, t850, u700]", "the data have no u_component_of_wind_700; it is there at"),
        ("channels=[z500, t850, z500]", "named twice: geopotential_500"),
        (
            "periods.test=['2001-01-01', '2001-02-01']",
            "0 times in the test period .* 2000-01-01T00:00 to 2000-01-16T18",
        ),
        ("training.batch_size=8", "8 times in the validation period .* needs 9"),
        (
            "training.stages=[{n_steps: 6, learning_rate: 0.002, batch_size: 32}]",
            "32 times in the training period .* needs 33",
        ),
        (
            "training.stages=[{n_steps: 6, learning_rate: 0.002, period: [2000-01-08, 2000-01-09]}]",
            r"training.stages\[0\].period: 2000-01-08 .. 2000-01-09 is not in the training period",
        ),
        ("forecast.lead_time=6d", "holds no forecast of lead_time 6d whole"),
        ("forecast.lead_time=9h", "lead_time 9h is not a multiple of"),
        ("model.patch=5", "patch 5"),
        ("climatology.window_days=61", "no time at 0 UTC lies within 30 days of day 38 of the year"),
        ("climatology.quantiles=[0.9]", "no time lies within 30 days of day"),
        ("forcings=[season, orography]", "static field 'geopotential_at_surface', which the data do not hold"),
        ("time_step=9h", "time_step of 9 h is no multiple of the data's 6 h"),
        ("forecast.perturbation.amplitude={t500: 2}", "amplitude names 't500', which is no channel"),
        ("forecast.guards.conserve=[u500]", "'u500'"),
        ("forecast.guards.conserve=[dry_air]", "conserve 'dry_air' needs surface_pressure"),
        ("forecast.guards.relaxation=slow", "duration 'slow'"),
        ("forecast.perturbation={name: sppt, decorrelation: soon}", "duration 'soon'"),
        (
            "forecast.perturbation={name: combined, parts: [{name: sppt}, {name: sppt}]}",
            "2 perturbations of tendencies",
        ),
        ("forecast.perturbation={name: lagged, interval: 6d}", "a lagged member starts from 1999-12-30"),
        ("forecast.perturbation={name: lagged, interval: 9h}", "9h"),
        ("model.noise={lengths: [0]}", "lengths"),
        ("training.loss={name: crps}", "model.noise="),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(override, reason):
    with pytest.raises(UserError, match=reason) as caught:
        require_feasible(build(override), holdings())
    assert "\n" not in str(caught.value)


def test_a_training_period_shorter_than_the_lead_leaves_damped_persistence_without_pairs():
    config = build("forecast.lead_time=3d", "periods.training=['2000-01-01', '2000-01-02']")
    with pytest.raises(UserError, match=r"no two times of the training period .* lie forecast.lead_time 3d apart"):
        require_feasible(config, holdings())


def test_forcings_count_in_the_memory_of_a_training():
    config = build("training.batch_size=1", "training.memory=7000B", "forcings=[]")  # 8 x 12 cells, 3 channels, 2 times
    require_feasible(config, holdings())
    with pytest.raises(UserError, match=r"set training\.memory=1GiB, or a smaller training\.batch_size"):
        require_feasible(build("training.batch_size=1", "training.memory=7000B", "forcings=[latitude]"), holdings())


def test_gaps_that_leave_too_few_samples_are_found_without_reading():
    held = holdings()
    times = np.delete(held.times, np.arange(1, 32, 2))  # every second of the training period
    with pytest.raises(UserError, match=r"gaps leave 0 samples in the training period .* batch of 4"):
        require_feasible(build(), replace(held, times=times))


def test_nothing_is_ingested_for_an_experiment_that_cannot_work(tmp_path):
    with pytest.raises(UserError, match="test period"):
        Experiment(build("periods.test=['2001-01-01', '2001-02-01']"), tmp_path / "run").run()
    assert not list(tmp_path.iterdir())


def test_every_valid_time_of_an_initial_time_is_in_the_data_and_the_test_period():
    config = build("init_every=12h")
    times = holdings(61).times
    times = np.delete(times, 47)  # 2000-01-12T18 is missing
    starts = initial_times(config, times)
    assert starts[0] == np.datetime64("2000-01-11T00")
    valid = starts[:, None] + 6 * HOUR * np.arange(1, 5)
    assert np.isin(valid, times).all()
    wanted = np.arange(np.datetime64("2000-01-11T00"), np.datetime64("2000-01-16T01"), 12 * HOUR)
    lost = {np.datetime64("2000-01-12T00"), np.datetime64("2000-01-12T12")}
    whole = [t for t in wanted if t not in lost and t <= np.datetime64("2000-01-15T00")]
    assert starts.tolist() == np.array(whole, "datetime64[ns]").tolist()


def test_a_climatological_ensemble_needs_as_many_days_of_training():
    require_feasible(build("baselines.members=8"), holdings())
    with pytest.raises(UserError, match=r"^baselines.members: a climatological ensemble of 9 .* made of 8 analyses"):
        require_feasible(build("baselines.members=9"), holdings())
