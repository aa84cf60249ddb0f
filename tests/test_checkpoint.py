import json
import os
import resource
import threading
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from kills import killed_before_each_change
from tiny_training import TRAINING, assert_same_weights, dataset, initialize, start

from weatherml import checkpoint as module
from weatherml.checkpoint import Checkpoint
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError

TIMES = np.array(["2001-03-01T06", "2001-03-01T12"], "datetime64[ns]")


@pytest.fixture(scope="module")
def checkpoint():
    return start()


@pytest.fixture
def saved(checkpoint, tmp_path):
    checkpoint.save(tmp_path / "model")
    return tmp_path / "model"


def one_step(checkpoint, seed=0):
    rng = np.random.default_rng(seed)
    state = rng.standard_normal((2, *checkpoint.spec.shape)).astype(np.float32)
    return checkpoint.build_step()(state, checkpoint.forcings.at(TIMES))


def test_a_loaded_checkpoint_steps_as_the_saved_one(checkpoint, saved):
    loaded = Checkpoint.load(saved)
    assert_same_weights(loaded.weights, checkpoint.weights)
    assert (loaded.model, loaded.provenance, loaded.prediction) == (
        checkpoint.model,
        checkpoint.provenance,
        checkpoint.prediction,
    )
    assert (loaded.spec, loaded.time_step) == (checkpoint.spec, checkpoint.time_step)
    np.testing.assert_array_equal(one_step(loaded), one_step(checkpoint))


def test_climatology_and_static_fields_travel_with_the_weights(checkpoint, tmp_path):
    data, spec = dataset(), checkpoint.spec
    orography = xr.DataArray(np.arange(60.0).reshape(6, 10), dims=("latitude", "longitude"))
    static = xr.Dataset({"geopotential_at_surface": orography})
    climatology = Climatology.fit(data, spec, TRAINING, n_annual=0)
    full = replace(
        checkpoint,
        forcings=Forcings(("orography", "season"), spec.grid, checkpoint.time_step, static),
        normalizer=Normalizer(checkpoint.normalizer.statistics, climatology),
    )
    full.save(tmp_path / "model")
    loaded = Checkpoint.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.forcings.at(TIMES), full.forcings.at(TIMES))
    state = np.zeros((2, *spec.shape), np.float32)
    np.testing.assert_array_equal(
        loaded.normalizer.denormalize(state, TIMES), full.normalizer.denormalize(state, TIMES)
    )


def test_a_checkpoint_replaces_an_older_one(checkpoint, saved):
    newer = replace(checkpoint, weights={k: v + 1 for k, v in checkpoint.weights.items()})
    newer.save(saved)
    assert_same_weights(Checkpoint.load(saved).weights, newer.weights)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_failed_save_leaves_the_older_checkpoint_and_nothing_else(checkpoint, saved, monkeypatch):
    def crash(path, weights):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write_weights", crash)
    with pytest.raises(UserError, match=r"cannot write checkpoint .*model: .*No space left on device"):
        checkpoint.save(saved)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert_same_weights(Checkpoint.load(saved).weights, checkpoint.weights)


def test_an_older_checkpoint_that_a_crash_had_moved_aside_comes_back(checkpoint, saved, monkeypatch):
    saved.rename(saved.with_name(".model.old"))
    monkeypatch.setattr(module, "_write_weights", lambda path, weights: path.unlink())
    with pytest.raises(UserError, match="cannot write"):
        checkpoint.save(saved)
    assert_same_weights(Checkpoint.load(saved).weights, checkpoint.weights)


def test_a_disk_that_fills_up_is_one_line(checkpoint, tmp_path):
    large = replace(checkpoint, weights={"w": np.random.default_rng(0).random(100_000)})
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limit[1]))
    try:
        with pytest.raises(UserError, match="cannot write checkpoint") as failure:
            large.save(tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "\n" not in str(failure.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_not_overwritten(checkpoint, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="exists and is not a checkpoint"):
        checkpoint.save(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("name", ["missing", "file", "folder"])
def test_what_is_not_a_checkpoint_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("{}")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"{name} is not a checkpoint"):
        Checkpoint.load(tmp_path / name)


def test_every_missing_or_cut_file_is_noticed(saved):
    for file in [path for path in saved.rglob("*") if path.is_file()]:
        content = file.read_bytes()
        file.write_bytes(content[:-1])
        with pytest.raises(UserError, match=r"is incomplete|is not a checkpoint") as failure:
            Checkpoint.load(saved)
        assert "\n" not in str(failure.value)
        file.unlink()
        with pytest.raises(UserError, match=r"is incomplete|is not a checkpoint"):
            Checkpoint.load(saved)
        file.write_bytes(content)
    Checkpoint.load(saved)


def edit(saved, **changes):
    file = saved / "checkpoint.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_later_format_and_an_unknown_model_are_named(saved):
    edit(saved, model={"name": "tinny", "width": 5})
    with pytest.raises(UserError, match=r"unknown model 'tinny'.*did you mean 'tiny'"):
        Checkpoint.load(saved)
    edit(saved, format=99)
    with pytest.raises(UserError, match="has format 99, not 1"):
        Checkpoint.load(saved)


def test_weights_of_another_model_or_state_are_refused(checkpoint):
    fewer_channels = checkpoint.weights | {"network.embed.kernel": np.ones((4, 5))}
    with pytest.raises(UserError, match=r"'network.embed.kernel' have shape \(4, 5\) where .* need \(6, 5\)"):
        replace(checkpoint, weights=fewer_channels).build_step()
    fewer = {k: v for k, v in checkpoint.weights.items() if k != "network.head.bias"}
    with pytest.raises(UserError, match=r"weights lack 'network.head.bias'"):
        replace(checkpoint, weights=fewer).build_step()
    with pytest.raises(UserError, match=r"weights have 'network.tail'"):
        replace(checkpoint, weights=checkpoint.weights | {"network.tail": np.ones(3)}).build_step()


def test_initial_weights_are_a_function_of_the_seed(checkpoint):
    assert_same_weights(initialize(dataset(), seed=0).weights, checkpoint.weights)
    kernel = "network.mix.kernel"
    assert (np.asarray(initialize(dataset(), seed=1).weights[kernel]) != checkpoint.weights[kernel]).all()


def test_a_tendency_is_added_to_the_state_and_a_state_is_not(checkpoint):
    statistics = checkpoint.normalizer.statistics
    state = np.random.default_rng(0).standard_normal((2, *checkpoint.spec.shape)).astype(np.float32)
    output = one_step(replace(checkpoint, prediction="state"))
    scale = (statistics.difference_std / statistics.std)[:, None, None]
    np.testing.assert_allclose(one_step(checkpoint), state + scale * output, rtol=1e-5, atol=1e-6)


def plain(checkpoint, value):
    """Return the checkpoint with equal weights, which need no device to be written."""
    return replace(checkpoint, weights={k: np.full(np.shape(v), value) for k, v in checkpoint.weights.items()})


def value(path):
    """Return what all weights are; fail where a checkpoint is not whole."""
    (found,) = {float(weight) for array in Checkpoint.load(path).weights.values() for weight in np.ravel(array)}
    return found


def test_a_checkpoint_killed_at_any_point_of_its_replacement_is_the_old_one_or_the_new_one(
    checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a kill leaves what was written, flushed or not
    path = tmp_path / "model"
    plain(checkpoint, 1).save(path)
    seen = set()
    for n in killed_before_each_change(lambda: plain(checkpoint, 2).save(path)):
        seen.add(value(path))
        plain(checkpoint, 1).save(path)
        assert [p.name for p in tmp_path.iterdir()] == ["model"], n
    assert seen == {1, 2} and value(path) == 2


def test_two_saves_of_one_path_are_one_after_the_other(checkpoint, tmp_path, monkeypatch):
    path, values = tmp_path / "model", []

    def write(path, weights, original=module._write_weights):
        original(path, weights)
        if not values:
            values.append("waiting")
            second.start()
            second.join(0.2)
            assert second.is_alive()

    second = threading.Thread(target=lambda: plain(checkpoint, 2).save(path))
    monkeypatch.setattr(module, "_write_weights", write)
    plain(checkpoint, 1).save(path)
    second.join()
    assert value(path) == 2
