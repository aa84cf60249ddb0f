"""A training whose stages share the work of four devices in ways of their own."""

import jax
import numpy as np
from kills import kill_during
from tiny_training import arguments, assert_same_weights, start

from weatherml.checkpoint import Checkpoint
from weatherml.training import Stage, train
from weatherml.training.recovery.snapshots import Snapshots
from weatherml.training.trained import Trained

MESHES = ({"data": 4}, {"fsdp": 2, "spatial": [1, 2]}, {"data": 2, "spatial": 2})
N_STEPS = (3, 4, 3)


def told(meshes):
    """Return a curriculum that lengthens the rollout, in batches of 8 that are computed in two parts."""
    stages = tuple(
        Stage(rollout=rollout, n_steps=n_steps, learning_rate=3e-3, mesh=mesh)
        for rollout, n_steps, mesh in zip((1, 2, 1), N_STEPS, meshes, strict=True)
    )
    shares = {"batch_size": 8, "device_memory": {"accumulate": 2}, "n_validation_batches": 1}
    return arguments(stages=stages, **shares, log_every=1, validate_every=3, snapshot_every=2)


def assert_same_run(run, whole):
    for name in ("best_checkpoint", "last_checkpoint"):
        assert_same_weights(*(Checkpoint.load(getattr(one, name)).weights for one in (run, whole)))
    names = ("step", "stage", "loss", "gradient_norm", "validation_loss")
    assert [[one.get(name) for name in names] for one in run.metrics()] == [
        [one.get(name) for name in names] for one in whole.metrics()
    ]


def learn(folder):
    """Run with four devices: all of them hold arrays in each step."""

    def progress(step, *_):
        n_devices = {
            shard.device
            for array in jax.live_arrays()
            if array.shape == start().spec.shape
            for shard in array.addressable_shards
        }
        assert len(n_devices) == 4

    train(*told(MESHES), folder, progress)


def learn_and_die(folder, method, n, delay):
    """Run with four devices: killed a while after a method is entered for the n-th time; nothing compiled is kept."""
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1e9)
    kill_during(Trained, method, n, delay)
    train(*told(MESHES), folder)


def go_on(killed, whole):
    """Run with four devices: what was killed goes on to the same bits, also to and from snapshots of other stages."""
    run = train(*told(MESHES), whole)  # has ended: this reads it
    assert_same_run(train(*told(MESHES), killed), run)
    trained, values = Trained(*told(MESHES)[:2], None), []
    with Snapshots(run.snapshots) as snapshots:
        for stage in (2, 0):  # as where training goes back to a snapshot of an earlier stage
            trained.restore(stage, snapshots)
            values.append(jax.device_get(trained.state))
    trained.go_on_to(1)
    for state in (*values, jax.device_get(trained.state)):
        jax.tree.map(np.testing.assert_array_equal, state, values[0])
    for array, outline in zip(*map(jax.tree.leaves, (trained.state, trained.laid.outline)), strict=True):
        assert array.sharding == outline.sharding and trained.laid.layout is trained.layouts[1]
