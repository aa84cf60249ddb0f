"""Laws of trainings by several real processes: they learn what one process learns, and share a folder as one."""

import numpy as np
import pytest
from several_processes import run_in_processes
from tiny_training import arguments, start

from weatherml.checkpoint import Checkpoint
from weatherml.training import Stage, train

SHORT = {
    "stages": (Stage(rollout=2, n_steps=4, learning_rate=3e-3),),
    "batch_size": 8,
    "n_validation_batches": 2,
    "validate_every": 2,
    "log_every": 1,
}


def learn(folder):
    train(*arguments(**SHORT), folder)


@pytest.mark.parametrize(("n", "n_devices"), [(2, 2), (4, 1)])
def test_processes_train_like_one(tmp_path, n, n_devices):
    assert run_in_processes(learn, n, tmp_path / "together", n_devices=n_devices) == n * [None]
    one = train(*arguments(**SHORT), tmp_path / "one")
    together = train(*arguments(**SHORT), tmp_path / "together")  # has ended: this reads it
    for entry, expected in zip(together.metrics(), one.metrics(), strict=True):
        for name in ("loss", "validation_loss", "gradient_norm"):
            assert entry[name] == (expected[name] and pytest.approx(expected[name], rel=1e-5)), name
    weights, expected = (Checkpoint.load(run.last_checkpoint).weights for run in (together, one))
    for name, array in weights.items():
        moved = np.abs(expected[name] - start().weights[name]).max()
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-2 * moved)
