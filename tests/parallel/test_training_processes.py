"""Laws of trainings by several real processes: they learn what one process learns, and share a folder as one."""

import os
import re
import signal

import jax
import numpy as np
import pytest
from several_processes import run_in_processes
from tiny_training import TRAINING, VALIDATION, arguments, config, samples, start

from weatherml.checkpoint import Checkpoint
from weatherml.errors import StopRequested
from weatherml.training import Stage, train

SHORT = {
    "stages": (Stage(rollout=2, n_steps=10, learning_rate=3e-3),),
    "batch_size": 8,
    "n_validation_batches": 2,
    "validate_every": 5,
    "log_every": 1,
}


def learn(folder, mesh):
    """Run in every process."""
    settings, own = config(**SHORT, mesh=mesh), start()
    rows = settings.lay_out(own.model, own.spec.grid.shape).portion.rows.of(own.spec.grid.n_lat)
    train(settings, own, samples(own, TRAINING, rows), samples(own, VALIDATION, rows), folder)
    return rows.stop - rows.start


def learn_until_one_is_asked_to_stop(folder):
    def progress(step, *_):
        if step == 1 and jax.process_index() == 1:
            os.kill(os.getpid(), signal.SIGUSR1)

    try:
        train(*arguments(**SHORT), folder, progress)
    except StopRequested as request:
        return str(request)
    return None


@pytest.mark.parametrize(
    ("n", "n_devices", "mesh", "n_rows"), [(2, 2, {"fsdp": 4}, 6), (4, 1, {"data": 2, "spatial": 2}, 3)]
)
def test_processes_train_like_one(tmp_path, n, n_devices, mesh, n_rows):
    assert run_in_processes(learn, n, tmp_path / "together", mesh, n_devices=n_devices) == n * [n_rows]
    assert_the_same(
        train(*arguments(**SHORT), tmp_path / "together"),  # has ended: this reads it
        train(*arguments(**SHORT), tmp_path / "one"),
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
