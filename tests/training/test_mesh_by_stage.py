"""Laws of stages that have meshes of their own: they are how the work is shared, never what is learned."""

import json
import random
import re
import signal

import numpy as np
import pytest
from several_processes import run_with_devices
from staged_training import go_on, learn, learn_and_die, told
from tiny_training import config, start

from weatherml.checkpoint import Checkpoint
from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.parallel import MeshConfig
from weatherml.training import Stage, TrainingConfig, train

INSTANTS = [("go_on_to", 1), ("go_on_to", 2), ("_lay", 2), ("_lay", 3)]
"""Which method is entered for which time at the two boundaries: snapshots are of the step before, or of that after."""


def test_stages_on_other_meshes_learn_what_one_device_learns_and_go_on_after_a_kill_with_the_same_bits(tmp_path):
    moment = random.SystemRandom()
    instant = *moment.choice(INSTANTS), moment.uniform(0, 0.05)
    print(f"killed at {instant}")
    assert run_with_devices(4, learn, tmp_path / "whole") == 0
    assert run_with_devices(4, learn_and_die, tmp_path / "killed", *instant) == -signal.SIGKILL
    assert run_with_devices(4, go_on, tmp_path / "killed", tmp_path / "whole") == 0
    written = json.loads((tmp_path / "whole" / "training.json").read_text())
    assert [mesh["spatial"] for mesh in written["meshes"]] == [1, [1, 2], 2]
    assert "mesh" not in written["training"]["stages"][0]
    several, one = (train(*told(3 * [None]), tmp_path / name) for name in ("whole", "one"))
    for entry, expected in zip(several.metrics(), one.metrics(), strict=True):
        for key in ("loss", "gradient_norm"):
            assert entry[key] == pytest.approx(expected[key], rel=1e-5)
        assert entry["validation_loss"] == (expected["validation_loss"] and pytest.approx(expected["validation_loss"]))
    weights, expected = (Checkpoint.load(run.last_checkpoint).weights for run in (several, one))
    for name, array in weights.items():
        moved = np.abs(expected[name] - start().weights[name]).max()
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-2 * moved)


def lay_out(n_devices, meshes, **changes):
    stages = tuple(Stage(n_steps=1, learning_rate=1e-3, mesh=mesh) for mesh in meshes)
    return config(stages=stages, **changes).lay_out(start().model, start().spec.grid.shape, n_devices)


def test_stages_of_the_same_mesh_share_a_layout_however_it_is_named():
    own, others, same = lay_out(4, (None, {"spatial": 2}, {"data": 4}), batch_size=4)
    assert own is same and own is not others
    assert [layout.mesh.shape["data"] for layout in (own, others)] == [4, 2]


@pytest.mark.parametrize(
    ("mesh", "message"),
    [
        (
            {"fsdp": 3},
            "mesh {fsdp: 3} takes a multiple of 3 devices, got 8; choose sizes whose product is 1, 2, 4 or 8",
        ),
        ({"spatial": 4}, "4 bands of latitude do not divide rows of the grid (6); choose 1, 2, 3 or 6"),
        ({"spatial": [1, 4]}, "4 bands of longitude do not divide columns of the grid (10); choose 1, 2, 5 or 10"),
        ({"member": 2}, "member 2 of the mesh does not divide the 1 members that the loss judges; set member to 1"),
        ({"tensor": 2}, "no rules say how the weights of 'tiny' are split over tensor, got tensor 2"),
        ({"data": 8}, "device_memory.accumulate 2 leaves 4 of batch_size 8 to compute at once, no multiple of the 8"),
    ],
)
def test_a_mesh_that_does_not_suit_is_refused_with_the_stage_that_names_it_and_what_would(mesh, message):
    with pytest.raises(UserError, match="^stage 2 of 3: .*" + re.escape(message)):
        lay_out(
            8,
            ({"data": 2, "spatial": [2, 2]}, mesh, {"data": 4, "spatial": 2}),
            batch_size=8,
            device_memory={"accumulate": 2},
        )


def test_validations_are_made_on_the_mesh_of_every_stage_and_must_suit_it():
    stages = (
        Stage(n_steps=1, learning_rate=1e-3),
        Stage(n_steps=1, learning_rate=1e-3, mesh={"data": 4}, batch_size=8),
    )
    few = config(stages=stages, batch_size=2, mesh={"data": 2, "spatial": 2})
    with pytest.raises(UserError, match=r"^stage 2 of 2: validations: batch_size must be a multiple .* \(4\), got 2"):
        few.lay_out(start().model, start().spec.grid.shape, 4)


def test_a_mesh_is_written_in_a_stage_as_it_is_for_all():
    stage = {"n_steps": 1, "learning_rate": 1e-3, "mesh": {"fsdp": 2, "spatial": [1, 2]}}
    (read,) = from_mapping(TrainingConfig, {"stages": [stage]}, "test").stages
    assert read.mesh == MeshConfig(fsdp=2, spatial=(1, 2))
    with pytest.raises(UserError, match=r"stages.*mesh.*greater than 0"):
        from_mapping(TrainingConfig, {"stages": [stage | {"mesh": {"fsdp": 0}}]}, "test")
