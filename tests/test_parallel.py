import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh
from tiny_training import arguments, start

from weatherml.checkpoint import Checkpoint
from weatherml.errors import UserError
from weatherml.parallel import BATCH, data_mesh, replicate, require_divisible, shard_batch
from weatherml.training import Stage, train

SHORT = {
    "stages": (Stage(rollout=2, n_steps=4, learning_rate=3e-3),),
    "batch_size": 8,
    "n_validation_batches": 1,
    "log_every": 1,
}

ON_EIGHT_DEVICES = """
import sys
import jax, numpy as np
from test_parallel import SHORT, arguments, train
from weatherml.parallel import data_mesh, replicate, shard_batch

assert jax.device_count() == 8
array = np.arange(48.0).reshape(16, 3)
spread, copied = shard_batch(array, data_mesh()), replicate(array, data_mesh())
assert [s.data.shape for s in spread.addressable_shards] == 8 * [(2, 3)]
assert [s.data.shape for s in copied.addressable_shards] == 8 * [(16, 3)]
train(*arguments(**SHORT), sys.argv[1])
"""


def test_eight_devices_train_like_one_and_one_reads_what_eight_saved(tmp_path):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    command = [sys.executable, "-c", ON_EIGHT_DEVICES, str(tmp_path / "eight")]
    subprocess.run(command, check=True, env=os.environ | flags)
    one = train(*arguments(**SHORT), tmp_path / "one")
    # The run of eight has ended, so this reads it and trains nothing.
    eight = train(*arguments(**SHORT), tmp_path / "eight")
    for entry, expected in zip(eight.metrics(), one.metrics(), strict=True):
        assert entry["loss"] == pytest.approx(expected["loss"], rel=1e-5)
        assert entry["gradient_norm"] == pytest.approx(expected["gradient_norm"], rel=1e-4)
    weights, expected = (Checkpoint.load(run.last_checkpoint).weights for run in (eight, one))
    for name, array in weights.items():
        moved = np.abs(expected[name] - start().weights[name]).max()
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-2 * moved)


def test_batches_must_divide_evenly():
    mesh = AbstractMesh((3,), (BATCH,))
    require_divisible(6, mesh)
    with pytest.raises(UserError, match=r"multiple of the number of devices \(3\), got 8"):
        require_divisible(8, mesh)


def test_trees_keep_their_shape_and_values():
    tree = {"a": np.arange(6.0).reshape(2, 3), "b": (np.ones(4),)}
    for place in (replicate, shard_batch):
        placed = place(tree, data_mesh())
        jax.tree.map(np.testing.assert_array_equal, placed, tree)
