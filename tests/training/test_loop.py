import gc
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from fake_data import FakeSource
from jax.experimental.compilation_cache import compilation_cache
from kills import mortal
from tiny_training import (
    TIMINGS,
    TRAINING,
    VALIDATION,
    arguments,
    assert_same_weights,
    config,
    dataset,
    initialize,
    noisy_start,
    samples,
    start,
)

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.samples import Samples
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
from weatherml.errors import StopRequested, UserError
from weatherml.training import LossConfig, Stage, train


@pytest.fixture(scope="module", autouse=True)
def compile_once(tmp_path_factory):
    """Let trainings that run the same programs share them: compiling takes far longer than these trainings do."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("programs")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A training that nothing has interrupted."""
    return train(*arguments(), tmp_path_factory.mktemp("reference"))


def without_timings(run):
    return [{k: v for k, v in entry.items() if k not in TIMINGS} for entry in run.metrics()]


def assert_same_run(run, reference):
    for name in ("best_checkpoint", "last_checkpoint"):
        one, other = (Checkpoint.load(getattr(r, name)) for r in (run, reference))
        assert_same_weights(one.weights, other.weights)
        assert one.provenance == other.provenance
    assert without_timings(run) == without_timings(reference)


def interrupt_at(step, error):
    def progress(done, n_steps, news):
        if done == step:
            raise error

    return progress


TRAIN_AND_DIE = """
import sys
from kills import kill_during
from tiny_training import arguments
from weatherml.data.loading.samples import Samples
from weatherml.training import train
from weatherml.training.batches import Batches
from weatherml.training.recovery.snapshots import Snapshots
from weatherml.training.session import Session
from weatherml.training.validation.validation import Validation

folder, owner, method, n, delay = sys.argv[1:]
kill_during(globals()[owner], method, int(n), float(delay))
train(*arguments(), folder)
"""

# Of what, and how often a training enters it.
INSTANTS = {
    ("Session", "advance"): 23,
    ("Validation", "evaluate"): 4,
    ("Session", "_save_checkpoint"): 3,
    ("Batches", "_open_stage"): 2,
    ("Samples", "begin"): 30,
    ("Snapshots", "save"): 5,
    ("Snapshots", "_finish"): 5,
}


def test_a_training_killed_at_any_instant_ends_with_the_same_bits(reference, tmp_path):
    moment = random.SystemRandom()
    (owner, method), most = moment.choice(list(INSTANTS.items()))
    words = [owner, method, str(moment.randint(1, most)), f"{moment.uniform(0, 0.05):.4f}"]
    killed = subprocess.run([sys.executable, "-c", TRAIN_AND_DIE, str(tmp_path), *words], check=False, env=mortal())
    print(f"killed at {words}: {killed.returncode}; snapshots {os.listdir(tmp_path / 'snapshots')}")
    assert killed.returncode == -signal.SIGKILL
    assert_same_run(train(*arguments(), tmp_path), reference)


# Before the first snapshot, at a validation, at the last step but one; amid the losses of an entry, where a stage ends,
# and after that.
@pytest.mark.parametrize("steps", [(3, 12, 22), (7, 14, 16)])
def test_a_training_that_crashes_goes_on_as_if_it_had_not(reference, tmp_path, steps):
    for step in steps:
        with pytest.raises(ZeroDivisionError):
            train(*arguments(), tmp_path, interrupt_at(step, ZeroDivisionError()))
    assert_same_run(train(*arguments(), tmp_path), reference)


def test_a_training_with_noise_that_crashes_goes_on_as_if_it_had_not(tmp_path):
    stages = tuple(Stage(rollout=2, n_steps=n_steps, learning_rate=1e-3, batch_size=2) for n_steps in (8, 6))
    settings = arguments(noisy_start(), loss=LossConfig(name="crps", members=3), stages=stages)
    for step in (7, 12):
        with pytest.raises(ZeroDivisionError):
            train(*settings, tmp_path / "crashed", interrupt_at(step, ZeroDivisionError()))
    assert_same_run(train(*settings, tmp_path / "crashed"), train(*settings, tmp_path / "whole"))


def test_a_snapshot_that_a_power_cut_has_torn_is_passed_over(reference, tmp_path):
    with pytest.raises(ZeroDivisionError):
        train(*arguments(), tmp_path, interrupt_at(12, ZeroDivisionError()))
    earlier, latest = sorted(int(path.name) for path in (tmp_path / "snapshots").iterdir() if path.is_dir())
    whole = tmp_path / "snapshots.json"
    assert json.loads(whole.read_text())["step"] == latest
    whole.write_text(json.dumps({"step": earlier}))  # the disk does not hold the latest yet
    for file in (path for path in (tmp_path / "snapshots" / str(latest)).rglob("*") if path.is_file()):
        file.write_bytes(b"")
    assert_same_run(train(*arguments(), tmp_path), reference)


def test_a_snapshot_that_was_damaged_is_told_of_and_the_one_before_is_used(reference, tmp_path, caplog):
    with pytest.raises(ZeroDivisionError):
        train(*arguments(), tmp_path, interrupt_at(12, ZeroDivisionError()))
    turn(max((tmp_path / "snapshots" / "10").rglob("*"), key=lambda path: path.stat().st_size))
    seen = []
    run = train(*arguments(), tmp_path, lambda step, *_: seen.append(step))
    (message,) = caplog.messages
    assert re.match(r"the snapshot of step 10 in .* is damaged \(.*\): training goes on from that of step 5", message)
    assert seen[0] == 6
    assert_same_run(run, reference)


def test_a_folder_in_which_another_process_trains_is_refused_and_left_alone(reference, tmp_path):
    def train_too(step, n_steps, news):
        if step in (1, 23):
            with pytest.raises(UserError, match=f"another process is training in {tmp_path}; wait for it"):
                train(*arguments(), tmp_path)

    assert_same_run(train(*arguments(), tmp_path, train_too), reference)
    assert not list(tmp_path.glob("*.lock"))


def test_a_training_goes_on_from_a_snapshot_with_the_state_of_an_older_loader(reference, tmp_path):
    with pytest.raises(ZeroDivisionError):
        train(*arguments(), tmp_path, interrupt_at(12, ZeroDivisionError()))
    (file,) = (path for path in (tmp_path / "snapshots" / "10").rglob("metadata") if b'"loader"' in path.read_bytes())
    cursor = json.loads(file.read_text())
    assert cursor["loader"] == 10
    file.write_text(json.dumps({**cursor, "loader": {"next_index": 10}}))
    (tmp_path / "snapshots.json").write_text(json.dumps({"step": 10}))  # as older ones are: without checksums
    assert_same_run(train(*arguments(), tmp_path), reference)


def turn(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 4
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [Path.unlink, turn], ids=["lost", "damaged in place"])
def test_a_file_that_is_damaged_stops_the_training_and_once_it_is_mended_it_goes_on(reference, tmp_path, damage):
    ingest(FakeSource(dataset()), tmp_path / "store.zarr", shard_length=4)
    settings, checkpoint, *_ = arguments()
    training = Samples(
        open_store(tmp_path / "store.zarr"), checkpoint.normalizer, checkpoint.forcings, 1, TRAINING, 2**16
    )
    file, run_dir = tmp_path / "store.zarr/2m_temperature/c.6.0.0", tmp_path / "run"
    validation, content = samples(checkpoint, VALIDATION), file.read_bytes()
    damage(file)
    with pytest.raises(UserError, match=rf"stopped after step \d+, from which it goes on: {file} is damaged.*--repair"):
        train(settings, checkpoint, training, validation, run_dir)
    (step, *_) = sorted(int(path.name) for path in (run_dir / "snapshots").iterdir())[-1:]
    assert 0 < step < 23
    file.write_bytes(content)
    assert_same_run(train(settings, checkpoint, training, validation, run_dir), reference)


def test_the_entry_at_the_end_of_a_stage_tells_the_speed_of_its_own_batches(tmp_path):
    entries = train(*arguments(log_every=7), tmp_path).metrics()
    assert {(entry["step"], entry["stage"]) for entry in entries} >= {(14, 1), (21, 2)}
    assert all(entry["loader_gigabytes_per_second"] > 0 for entry in entries)


def with_last(**settings):
    """Return stages of which the last has other settings."""
    return (Stage(n_steps=14, learning_rate=3e-3), Stage(n_steps=9, learning_rate=1e-3, **settings))


@pytest.mark.parametrize(
    ("changes", "memory", "reason"),
    [
        ({}, 2**15, "of which it must hold two.* set training.memory="),
        ({"batch_size": 15}, 2**22, "the validation period holds 14 samples, fewer than batch_size 15"),
        ({"stages": with_last(rollout=16)}, 2**22, "^period of validation: 2001-01-09.* holds no 17 consecutive times"),
        (
            {"stages": with_last(batch_size=99)},
            2**22,
            "^period of training, stage 2 of 2: batch size 99 must be from 1 to 31",
        ),
    ],
)
def test_what_a_later_stage_or_a_validation_cannot_have_is_refused_before_the_first_step(
    tmp_path, changes, memory, reason
):
    settings, checkpoint, _, validation = arguments(**changes)
    training = Samples(dataset(), checkpoint.normalizer, checkpoint.forcings, 1, TRAINING, memory)
    steps = []
    with pytest.raises(UserError, match=reason):
        train(settings, checkpoint, training, validation, tmp_path, lambda step, *_: steps.append(step))
    assert not steps
    with pytest.raises(ZeroDivisionError):  # the folder is not bound to what was refused
        train(*arguments(), tmp_path, interrupt_at(1, ZeroDivisionError()))


@pytest.mark.parametrize("content", [b"", b'{"training": {', b"[]"])
def test_what_was_written_of_whose_a_folder_is_may_be_damaged(reference, tmp_path, content):
    folder = shutil.copytree(reference.directory, tmp_path / "run")
    (folder / "training.json").write_bytes(content)
    with pytest.raises(
        UserError, match=r"training\.json is damaged, .*; put it back from a copy, or delete it to go on"
    ):
        train(*arguments(), folder)
    (folder / "training.json").unlink()
    assert_same_run(train(*arguments(), folder), reference)


def test_a_folder_whose_snapshots_are_gone_is_still_that_of_its_training(reference, tmp_path):
    folder = shutil.copytree(reference.directory, tmp_path / "run")
    shutil.rmtree(folder / "snapshots")
    metrics = (folder / "metrics.jsonl").read_bytes()
    with pytest.raises(UserError, match=r"training\.batch_size = 4, now it is 5"):
        train(*arguments(batch_size=5), folder)
    with pytest.raises(UserError, match=r"snapshots\.json tells of a snapshot of step 23, which is not in"):
        train(*arguments(), folder)
    assert (folder / "metrics.jsonl").read_bytes() == metrics


def test_what_is_of_the_machine_may_change(reference, tmp_path):
    with pytest.raises(ZeroDivisionError):
        train(*arguments(), tmp_path, interrupt_at(12, ZeroDivisionError()))
    assert_same_run(train(*arguments(memory="1GiB", snapshots_kept=3, watchdog=None), tmp_path), reference)
    assert sorted(int(path.name) for path in (tmp_path / "snapshots").iterdir()) == [15, 20, 23]


def test_how_often_a_training_is_noted_and_saved_may_change(reference, tmp_path):
    with pytest.raises(ZeroDivisionError):
        train(*arguments(), tmp_path, interrupt_at(12, ZeroDivisionError()))
    with pytest.raises(UserError, match=r"was trained with training\.validate_every = 6, now it is 5; set it back"):
        train(*arguments(validate_every=5), tmp_path)
    noted = json.loads((tmp_path / "training.json").read_text())
    (tmp_path / "training.json").write_text(json.dumps(noted | {"training": noted["training"] | {"log_every": 3}}))
    run = train(*arguments(log_every=2, snapshot_every=9), tmp_path)
    assert_same_weights(*(Checkpoint.load(own.last_checkpoint).weights for own in (run, reference)))
    steps = [entry["step"] for entry in run.metrics()]
    assert steps == [3, 6, 9, *range(12, 23, 2), 23]
    assert sorted(int(path.name) for path in (tmp_path / "snapshots").iterdir()) == [18, 23]


def test_a_loss_of_members_that_would_all_be_alike_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"loss crps compares members.*give it some: model.noise="):
        train(*arguments(loss=LossConfig(name="crps")), tmp_path)


def test_a_signal_saves_the_step_it_came_in(reference, tmp_path):
    seen = []

    def progress(step, n_steps, news):
        seen.append(step)
        if step in (8, 14):
            os.kill(os.getpid(), {8: signal.SIGTERM, 14: signal.SIGUSR1}[step])

    for step in (8, 14):
        with pytest.raises(StopRequested, match=f"stopped at step {step} of 23"):
            train(*arguments(), tmp_path, progress)
    run = train(*arguments(), tmp_path, progress)
    assert seen == list(range(1, 24))
    assert_same_run(run, reference)


def test_a_training_that_has_ended_is_returned_at_once(reference):
    before = {path: path.stat().st_mtime_ns for path in reference.directory.rglob("*")}
    train(*arguments(), reference.directory, interrupt_at(1, AssertionError("it trained again")))
    assert {path: path.stat().st_mtime_ns for path in reference.directory.rglob("*")} == before


def test_entries_come_when_they_are_due(reference):
    entries = reference.metrics()
    assert [entry["step"] for entry in entries] == [3, 6, 9, 12, 15, 18, 21, 23]
    assert [e["step"] for e in entries if e["validation_loss"] is not None] == [6, 12, 18, 23]
    assert [entry["stage"] for entry in entries] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert all(
        e["limited_by"] in ("step", "reading", "decoding") and e["loader_gigabytes_per_second"] > 0 for e in entries
    )
    assert all(0 <= e["loader_share"] <= 1 and e["samples_per_second"] > 0 for e in entries)


def test_the_best_checkpoint_is_the_one_with_the_lowest_validation_loss(reference):
    validated = [entry for entry in reference.metrics() if entry["validation_loss"] is not None]
    lowest = min(validated, key=lambda entry: entry["validation_loss"])
    provenance = Checkpoint.load(reference.best_checkpoint).provenance
    assert (provenance.step, provenance.validation_loss) == (lowest["step"], lowest["validation_loss"])


def test_the_validation_loss_is_that_of_the_saved_weights_over_the_longest_rollout(reference):
    last, entry = Checkpoint.load(reference.last_checkpoint), reference.metrics()[-1]
    windows = samples(last, VALIDATION).with_n_steps(2)
    chosen = np.linspace(0, len(windows) - 1, 2 * 4).round().astype(int)  # two batches of four
    batch = windows.gather(chosen.tolist())
    step, statistics = last.build_step(), last.normalizer.statistics
    unit = (statistics.difference_std / statistics.std)[:, None, None]
    area, state, losses = last.spec.grid.area_weights(), batch.state[:, 0], []
    for k in range(2):
        state = step(state, batch.forcing[:, k])
        errors = (np.asarray(state, np.float64) - batch.state[:, k + 1]) / unit
        losses.append((errors**2 * area).mean())
    assert entry["validation_loss"] == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_stage_may_have_a_batch_and_a_period_of_its_own(tmp_path):
    stage, part = {"n_steps": 3, "learning_rate": 1e-3}, ("2001-01-02", "2001-01-05")
    own, checkpoint, training, validation = arguments(stages=(Stage(**stage, batch_size=3, period=part),))
    plain = config(stages=(Stage(**stage),), batch_size=3)
    runs = [
        train(own, checkpoint, training, validation, tmp_path / "own"),
        train(plain, checkpoint, samples(checkpoint, part), validation, tmp_path / "plain"),
    ]
    assert_same_weights(*(Checkpoint.load(run.last_checkpoint).weights for run in runs))


def test_training_lowers_the_loss(reference):
    validated = [e["validation_loss"] for e in reference.metrics() if e["validation_loss"] is not None]
    assert validated[-1] < 0.95 * validated[0]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"batch_size": 5}, "training.batch_size = 4, now it is 5"),
        (
            {"stages": (Stage(n_steps=30, learning_rate=3e-3),)},
            r'training\.stages = \[{.*"n_steps": 14.*now it is \[{.*"n_steps": 30',
        ),
    ],
)
def test_another_configuration_is_refused_by_the_key_that_differs(reference, changes, key):
    with pytest.raises(UserError, match=key):
        train(*arguments(**changes), reference.directory)


def test_another_model_or_data_are_refused_by_the_key_that_differs(reference):
    wider = initialize(dataset(), width=6)
    windows = samples(wider, TRAINING), samples(wider, VALIDATION)
    with pytest.raises(UserError, match=r"model.width = 5, now it is 6"):
        train(config(), wider, *windows, reference.directory)
    grown = replace(start(), provenance=replace(start().provenance, data="d2"))
    with pytest.raises(UserError, match=r"the store has other content than when .* compute statistics again"):
        train(*arguments(grown), reference.directory)
    warmer = initialize(dataset() + 1)
    with pytest.raises(UserError, match="trained with statistics"):
        train(config(), warmer, *windows, reference.directory)


def test_a_loss_that_is_no_longer_finite_names_the_step_and_the_last_good_snapshot(tmp_path):
    blowing_up = (Stage(n_steps=6, learning_rate=1e-3), Stage(n_steps=20, learning_rate=1e38))
    with pytest.raises(UserError, match=r"is (nan|inf) at step \d+, .*; the last good snapshot .* is of step 5; lower"):
        train(*arguments(stages=blowing_up, log_every=4, validate_every=100), tmp_path)


def test_a_validation_period_shorter_than_a_batch_is_refused(tmp_path):
    settings, checkpoint, training, _ = arguments()
    short = samples(checkpoint, ("2001-01-09", "2001-01-09"))
    with pytest.raises(UserError, match="holds 2 samples, fewer than batch_size 4"):
        train(settings, checkpoint, training, short, tmp_path)


@pytest.mark.parametrize("n_left", [0, 20_000, 60_000])  # for an entry, a checkpoint, a snapshot
def test_a_disk_that_fills_up_is_one_line_and_training_can_go_on(reference, small_disk, capfd, n_left):
    def fill_up(step, n_steps, news):
        if step == 8:
            small_disk.fill(n_left)

    with pytest.raises(UserError, match=r"cannot .*make room") as failure:
        train(*arguments(), small_disk.folder / "run", fill_up)
    assert "\n" not in str(failure.value)
    assert capfd.readouterr() == ("", "")  # nor a word of the threads that write
    small_disk.clear()
    assert_same_run(train(*arguments(), small_disk.folder / "run"), reference)


def test_other_first_weights_or_other_samples_are_refused(reference):
    start, reseeded = initialize(dataset()), initialize(dataset(), seed=1)
    windows = samples(start, TRAINING), samples(start, VALIDATION)
    with pytest.raises(UserError, match="trained with weights at the start"):
        train(config(), reseeded, *windows, reference.directory)
    with pytest.raises(UserError, match="trained with validation samples"):
        train(config(), start, windows[0], windows[0], reference.directory)


@pytest.mark.parametrize("is_loaded", [False, True])
def test_devices_hold_the_weights_that_are_trained_and_not_those_at_the_start(tmp_path, is_loaded):
    given, held = start(), []
    given.save(tmp_path / "start")
    others = n_on_devices(given.weights["network.mix.kernel"])
    if is_loaded:
        began = Checkpoint.load(tmp_path / "start")
    else:
        began = Checkpoint.initialize(given.model, given.forcings, given.normalizer, given.provenance, 0)

    def progress(*_):
        held.append(n_on_devices(given.weights["network.mix.kernel"]))

    train(*arguments(began, stages=(Stage(n_steps=2, learning_rate=1e-3),)), tmp_path / "run", progress)
    assert held[0] - others == 4  # weights, their average and two moments


def n_on_devices(like):
    gc.collect()
    return sum(array.shape == like.shape for array in jax.live_arrays())
