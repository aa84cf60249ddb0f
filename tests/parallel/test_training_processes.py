"""Laws of trainings by several real processes: they learn what one process learns, and share a folder as one."""

import os
import re
import signal
import sys
from contextlib import suppress

import jax
import numpy as np
import pytest
from several_processes import begun, run_in_processes
from tiny_training import TRAINING, VALIDATION, arguments, config, samples, spoilt, start

from weatherml.checkpoint import Checkpoint
from weatherml.errors import StopRequested
from weatherml.parallel import Layout, MeshConfig, hull, is_first, meet
from weatherml.training import Stage, train
from weatherml.training.recovery.watchdog import LOST

SHORT = {
    "stages": (Stage(n_steps=10, learning_rate=3e-3),),
    "batch_size": 8,
    "n_validation_batches": 2,
    "validate_every": 5,
    "log_every": 1,
}


def learn(folder, stages):
    """Run in every process."""
    settings, own = config(**SHORT | {"stages": stages}), start()
    n_rows = own.spec.grid.n_lat
    each = [layout.portion.rows.of(n_rows) for layout in settings.lay_out(own.model, own.spec.grid.shape)]
    train(settings, own, samples(own, TRAINING, hull(each)), samples(own, VALIDATION, hull(each)), folder)
    return [rows.stop - rows.start for rows in each]


def learn_until_one_is_asked_to_stop(folder):
    def progress(step, *_):
        if step == 1 and jax.process_index() == 1:
            os.kill(os.getpid(), signal.SIGUSR1)

    try:
        train(*arguments(**SHORT), folder, progress)
    except StopRequested as request:
        return str(request)
    return None


def stages_of(*meshes):
    """Return as many stages: the first of one step, the other of rollouts of two."""
    lengths = {1: (10,), 2: (6, 4)}[len(meshes)]
    return tuple(
        Stage(rollout=rollout, n_steps=n_steps, learning_rate=3e-3, mesh=mesh)
        for rollout, n_steps, mesh in zip((1, 2), lengths, meshes, strict=False)
    )


# In the first, a process of two reads all rows while samples are shared, and half of them while fields are.
@pytest.mark.parametrize(
    ("n", "n_devices", "meshes", "n_rows"),
    [(2, 2, ({"fsdp": 4}, {"spatial": [2, 2]}), [6, 3]), (4, 1, ({"data": 2, "spatial": 2},), [3])],
)
def test_processes_train_like_one(tmp_path, n, n_devices, meshes, n_rows):
    stages = stages_of(*meshes)
    assert run_in_processes(learn, n, tmp_path / "together", stages, n_devices=n_devices) == n * [n_rows]
    told = SHORT | {"stages": stages_of(*len(meshes) * [None])}
    assert_the_same(
        train(*arguments(**told), tmp_path / "together"),  # has ended: this reads it
        train(*arguments(**told), tmp_path / "one"),
    )


def test_where_one_of_several_processes_is_asked_to_stop_all_save_the_same_step_and_one_goes_on(tmp_path):
    stopped = run_in_processes(learn_until_one_is_asked_to_stop, 2, tmp_path / "together")
    assert stopped == 2 * ["stopped at step 2 of 10; run it again to go on"]
    assert (tmp_path / "together" / "snapshots" / "2").exists()
    steps = []
    together = train(*arguments(**SHORT), tmp_path / "together", lambda step, *_: steps.append(step))
    assert steps == list(range(3, 11))
    assert_the_same(together, train(*arguments(**SHORT), tmp_path / "one"))


def assert_the_same(together, one):
    for entry, expected in zip(together.metrics(), one.metrics(), strict=True):
        for name in ("loss", "validation_loss", "gradient_norm"):
            assert entry[name] == (expected[name] and pytest.approx(expected[name], rel=1e-5)), name
    weights, expected = (Checkpoint.load(run.last_checkpoint).weights for run in (together, one))
    for name, array in weights.items():
        moved = np.abs(expected[name] - start().weights[name]).max()
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-2 * moved)


def learn_differently(folder):
    """Run in every process: each was given a batch size of its own."""
    import jax

    train(*arguments(**SHORT | {"batch_size": 8 + 8 * jax.process_index()}), folder)


def test_processes_that_were_given_different_configurations_are_told_apart_before_the_first_step(tmp_path):
    first, second = run_in_processes(learn_differently, 2, tmp_path / "run")
    assert re.match(
        r"process 1 of 2 on .*: training.batch_size is 16 here, and 8 in the first process; give", str(first)
    )
    assert second.is_told
    assert not (tmp_path / "run" / "training.lock").exists()


POLICIES = ("skip", "rollback")


def meet_mishaps(folder):
    """Run in every process: losses that are not finite, then a snapshot that the disk did not keep."""
    for policy in POLICIES:
        train(*spoilt(**SHORT, non_finite=policy, snapshot_every=2), folder / policy)
    first_only = folder / "damaged"

    def stop(step, *_):
        if step == 7:
            raise ZeroDivisionError

    with suppress(ZeroDivisionError):
        train(*arguments(**SHORT, snapshot_every=2), first_only, stop)
    if is_first():
        largest = max(
            (first_only / "snapshots" / "6").rglob("*"), key=lambda path: path.stat().st_size * path.is_file()
        )
        largest.write_bytes(largest.read_bytes()[:-1])
    meet()
    steps = []
    train(*arguments(**SHORT, snapshot_every=2), first_only, lambda step, *_: steps.append(step))
    return steps


def test_processes_meet_mishaps_as_one_does(tmp_path):
    together, one = tmp_path / "together", tmp_path / "one"
    assert run_in_processes(meet_mishaps, 2, together) == 2 * [list(range(5, 11))]
    for policy in POLICIES:
        alone = train(*spoilt(**SHORT, non_finite=policy, snapshot_every=2), one / policy)
        met = [entry.get("non_finite") for entry in alone.metrics()]
        assert any(met)
        shared = train(*spoilt(**SHORT, non_finite=policy, snapshot_every=2), together / policy)
        assert [entry.get("non_finite") for entry in shared.metrics()] == met
        assert_the_same(shared, alone)
    whole = train(*arguments(**SHORT, snapshot_every=2), one / "whole")
    assert_the_same(train(*arguments(**SHORT, snapshot_every=2), together / "damaged"), whole)


def learn_until_one_stands_still(folder):
    def progress(step, *_):
        if step == 3 and jax.process_index() == 1:
            os.kill(os.getpid(), signal.SIGSTOP)

    with (folder / f"{jax.process_index()}.txt").open("w") as sys.stderr:
        train(*arguments(**SHORT, watchdog="2s"), folder / "run", progress)


def test_a_process_that_waits_for_one_that_stands_still_is_ended_and_says_so(tmp_path):
    (waiting, still), _ = begun(learn_until_one_stands_still, 2, tmp_path)
    waiting.join(120)
    still.kill()
    still.join()
    assert waiting.exitcode == LOST
    told = r"weatherml: step [345] of 10 did not come to its end; run it again to go on"
    assert re.match(told, (tmp_path / "0.txt").read_text())


def fetch():
    """Run in every process: weights of which each device has a quarter."""
    weights = {name: np.arange(32.0, dtype=np.float32).reshape(8, 4) + index for index, name in enumerate("abc")}
    layout = Layout(MeshConfig(fsdp=4).build())
    placed = layout.placed(weights)
    fetched = layout.fetch(placed)
    held = {name: array for name, array in fetched.items() if array is not None}
    return jax.tree.map(lambda own, array: bool((own == array).all()), held, {name: weights[name] for name in held})


def test_the_first_process_alone_fetches_weights(tmp_path):
    assert run_in_processes(fetch, 2, n_devices=2) == [{"a": True, "b": True, "c": True}, {}]
