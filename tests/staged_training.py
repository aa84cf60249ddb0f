"""A training whose stages share the work of four devices in ways of their own."""

from tiny_training import arguments, assert_same_weights

from weatherml.checkpoint import Checkpoint
from weatherml.training import Stage

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
