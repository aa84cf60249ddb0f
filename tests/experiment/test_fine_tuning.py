"""Published weights, imported and trained on: from a file of PyTorch's to a checkpoint of one's own."""

import numpy as np
import pytest
from fake_data import analyses
from onnx_writer import write_onnx
from tiny_fourcastnet import CHANNELS, TINY, state_dict, write_moments
from tiny_pangu import as_published, draw
from torch_writer import write_weights

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.config import apply_overrides, from_mapping
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.errors import UserError
from weatherml.experiment import Experiment, ExperimentConfig
from weatherml.experiment.feasibility import Holdings, require_feasible
from weatherml.experiment.fine_tuning import fine_tuned, load_start
from weatherml.grid import LatLonGrid
from weatherml.pretrained import import_fourcastnet, import_pangu

LEVELS = {"temperature": (850,), "geopotential": (500,), "u_component_of_wind": (850,)}
SURFACE = {"2m_temperature": (), "mean_sea_level_pressure": (), "surface_pressure": ()}
VALUES = {
    "2m_temperature": (280, 9),
    "geopotential": (5.5e4, 1e3),
    "mean_sea_level_pressure": (1.01e5, 900),
    "temperature": (275, 7),
    "u_component_of_wind": (2, 8),
    "surface_pressure": (9.8e4, 3e3),
}
"""Mean and deviation of each variable, SI units."""

GRID = LatLonGrid.from_coordinates(np.array([90.0, 45, 0, -45]), np.arange(0, 360, 45.0))
"""Of the network: rows without the South Pole."""


def weather():
    noise = analyses(LEVELS | SURFACE, 48, start="2019-01-01", grid=GRID)
    fields = {
        name: (mean + spread * noise[name]).astype(np.float32).assign_attrs(noise[name].attrs)
        for name, (mean, spread) in VALUES.items()
    }
    return noise.assign(fields)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Return the folder of imported weights."""
    folder = tmp_path_factory.mktemp("published")
    path = write_weights(folder / "tiny.ckpt", state_dict(TINY, len(CHANNELS), len(CHANNELS), (4, 8)))
    import_fourcastnet(path, *write_moments(folder, len(CHANNELS)), CHANNELS).checkpoint.save(folder / "imported")
    return folder / "imported"


def settings(start, source="weather.nc"):
    return {
        "source": {"name": "files", "paths": [str(source)]},
        "channels": list(CHANNELS),
        "periods": {
            "training": ["2019-01-01", "2019-01-06"],
            "validation": ["2019-01-07", "2019-01-09"],
            "test": ["2019-01-10", "2019-01-12"],
        },
        "check": {"ignore": ["contrast-rows", "geopotential-depth", "level-order"]},  # noise has no tropics
        "climatology": {"n_annual": 0, "n_diurnal": 0},
        "model": TINY.model_dump(mode="json"),
        "prediction": "state",
        "start": str(start),
        "training": {
            "stages": [{"n_steps": 3, "learning_rate": 0.003}],
            "batch_size": 4,
            "trainable": ["head", "position"],
        },
        "forecast": {"lead_time": "1d", "channels": ["z500", "t850"]},
    }


def build(start, *overrides, source="weather.nc"):
    return from_mapping(ExperimentConfig, apply_overrides(settings(start, source), overrides))


def require(config, data=None):
    require_feasible(config, Holdings.of_store(weather() if data is None else data))


@pytest.fixture(scope="module")
def finished(published, tmp_path_factory):
    """Return an experiment that went on from published weights."""
    folder = tmp_path_factory.mktemp("fine_tuned")
    weather().to_netcdf(folder / "weather.nc")
    experiment = Experiment(build(published, source=folder / "weather.nc"), folder / "run")
    experiment.run("train")
    return experiment


def test_frozen_weights_are_the_published_ones_and_the_others_have_moved(published, finished):
    before, after = Checkpoint.load(published).weights, Checkpoint.load(finished.training.last_checkpoint).weights
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {"network.position", "network.head.kernel"}


def test_states_stay_normalised_as_published_and_changes_are_those_of_the_data(published, finished):
    before, after = (
        Checkpoint.load(path).normalizer.statistics for path in (published, finished.training.last_checkpoint)
    )
    for name in ("mean", "std"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
        assert not np.allclose(getattr(after, name), getattr(finished.statistics, name))
    assert np.isnan(before.difference_std).all()
    np.testing.assert_array_equal(after.difference_std, finished.statistics.difference_std)


def test_it_tells_what_it_has_learned_from_and_under_which_licence(published, finished):
    before, after = Checkpoint.load(published), Checkpoint.load(finished.training.last_checkpoint)
    assert after.normalizer.statistics.period == (before.normalizer.statistics.period, ("2019-01-01", "2019-01-06"))
    assert after.provenance.config["began_with"]["data"] == before.provenance.data
    assert after.provenance.licence == before.provenance.licence != ""


def test_a_model_that_knows_its_changes_keeps_their_size_unless_its_step_is_another(finished):
    start = Checkpoint.load(finished.training.last_checkpoint)
    known, own = start.normalizer.statistics, finished.statistics
    twice = own.__class__(**(vars(own) | {"difference_std": 2 * own.difference_std}))
    slower = own.__class__(**(vars(twice) | {"time_step": 2 * own.time_step}))
    again, other = (fine_tuned(start, finished.config, data, start.provenance) for data in (twice, slower))
    np.testing.assert_array_equal(again.normalizer.statistics.difference_std, known.difference_std)
    np.testing.assert_array_equal(other.normalizer.statistics.difference_std, twice.difference_std)
    assert other.time_step == other.forcings.time_step == 2 * start.time_step


def test_a_start_that_fits_is_accepted(published):
    require(build(published))
    require(build(published, "model.drop_path=0.1", "time_step=12h"))


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        (
            "channels=[t2m, z500, t850, msl, u850, sp]",
            "channel 3 of .* is mean_sea_level_pressure, of the configuration"
            r" temperature_850; set channels=\[2m_temperature, geopotential_500, ",
        ),
        ("channels=[t2m, z500, msl, t850, u850]", "channel 6 of .* is surface_pressure, of the configuration no more"),
        ("model.width=24", "has model.width=12, not 24; set model.width as it has it"),
        ("prediction=tendency", "has prediction=state, not tendency"),
        ("forcings=[latitude]", r"has forcings=\[\], not \[latitude\]"),
        ("reference=climatology", "has reference=mean, not climatology"),
        ("periods.training=['2011-01-01', '2011-06-01']", "the training period"),
        ("start=nowhere", "nowhere is not a checkpoint"),
    ],
)
def test_a_start_that_does_not_fit_is_refused_by_what_differs(published, override, reason):
    with pytest.raises(UserError, match=reason) as caught:
        require(build(published, override))
    assert "\n" not in str(caught.value)


def test_another_grid_another_step_and_a_test_that_was_learned_from_are_refused(published):
    config = build(published)
    other = weather().assign_coords(latitude=[67.5, 22.5, -22.5, -67.5])
    with pytest.raises(
        UserError, match=r"has 4 x 8 points from 90 to -45 degrees north, the data 4 x 8 points from 67"
    ):
        require(config, other)
    slow = weather().isel(time=slice(None, None, 2))
    with pytest.raises(UserError, match="steps 6h, the data 12h; say which is wanted: time_step=6h, or another"):
        require(
            from_mapping(
                ExperimentConfig, settings(published) | {"training": settings("")["training"] | {"batch_size": 2}}
            ),
            slow,
        )
    old = weather().assign_coords(time=weather()["time"] - np.timedelta64(5 * 365, "D"))
    periods = {
        "training": ["2014-01-02", "2014-01-07"],
        "validation": ["2014-01-08", "2014-01-10"],
        "test": ["2014-01-11", "2014-01-13"],
    }
    with pytest.raises(UserError, match=r"has learned from 1979.* overlaps the test period 2014"):
        require(from_mapping(ExperimentConfig, settings(published) | {"periods": periods}), old)


def test_pangu_begins_a_training_likewise(tmp_path):
    path = write_onnx(tmp_path / "pangu_weather_24.onnx", as_published(draw()))
    imported = import_pangu(path).checkpoint
    imported.save(tmp_path / "pangu")
    spec, model = imported.spec, imported.model.model_dump(mode="json") | {"drop_path": 0.2}
    changes = {"channels": list(spec.names), "model": model, "time_step": "24h", "start": str(tmp_path / "pangu")}
    config = from_mapping(ExperimentConfig, settings("") | changes | {"forecast": {"lead_time": "1d"}})
    start = load_start(config, config.start, spec, imported.time_step)
    one = np.ones(spec.n_channels, np.float32)
    own = Statistics(spec, 0 * one, one, 3 * one, np.ones(spec.shape, bool), start.time_step, ("2019", "2019"), 9)
    tuned = fine_tuned(start, config, own, Provenance({}, "own"))
    assert tuned.model.drop_path == 0.2
    np.testing.assert_array_equal(tuned.normalizer.statistics.mean, imported.normalizer.statistics.mean)
    np.testing.assert_allclose(tuned.normalizer.statistics.tendency_scale(), 3 / imported.normalizer.statistics.std)
    assert tuned.provenance.licence == imported.provenance.licence
