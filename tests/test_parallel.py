import json
import os
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from data_parallel import data_layout
from jax.sharding import AbstractMesh
from tiny_training import arguments, start

from weatherml.checkpoint import Checkpoint
from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.parallel import MeshConfig, require_bands, require_batch, require_members
from weatherml.parallel.layouts.mesh import AXES
from weatherml.training import Stage, TrainingConfig, train

SHORT = {
    "stages": (Stage(n_steps=4, learning_rate=1e-3), Stage(rollout=2, n_steps=10, learning_rate=1e-3)),
    "batch_size": 8,
    "n_validation_batches": 1,
    "log_every": 1,
    "snapshot_every": 2,
}

ON_SEVERAL_DEVICES = """
import collections, json, os, signal, sys
import jax, numpy as np
from weatherml.parallel import Layout
from test_parallel import SHORT, MeshConfig, arguments, data_layout, start, train

folder, n_devices, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
mesh, of_second = map(MeshConfig.model_validate, json.loads(sys.argv[4]))
assert jax.device_count() == n_devices
array = np.arange(96.0).reshape(16, 1, 3, 2, 1)
spread, copied = data_layout().place_batch(array), data_layout().placed({"a": array})["a"]
assert [s.data.shape for s in spread.addressable_shards] == n_devices * [(16 // n_devices, 1, 3, 2, 1)]
assert [s.data.shape for s in copied.addressable_shards] == n_devices * [(16, 1, 3, 2, 1)]
kernel, layout = start().weights["network.embed.kernel"], Layout(mesh.build())
assert layout.placed({"a": kernel})["a"].addressable_data(0).size == kernel.size // mesh.fsdp
first, second = SHORT["stages"]
told = arguments(**SHORT | {"stages": (first, second.model_copy(update={"mesh": of_second}))}, mesh=mesh)

def progress(step, *_):
    if step == last:
        lying = collections.Counter(  # weights of the loss and the mask of the step, shared by all programs
            (array.dtype.name, shard.device) for array in jax.live_arrays() if array.shape == start().spec.shape
            for shard in array.addressable_shards
        )
        assert len(lying) == 2 * n_devices and set(lying.values()) == {1}, lying
        os.kill(os.getpid(), signal.SIGTERM)

try:
    train(*told, folder, progress)
except KeyboardInterrupt:
    sys.exit(75)
"""


def test_a_training_goes_on_with_the_same_batches_on_other_devices_in_another_layout(tmp_path):
    folder = tmp_path / "several"
    meshes = [{"fsdp": 2, "spatial": 2}, {"data": 4, "spatial": [1, 2]}], [{"fsdp": 2}, {"spatial": [1, 2]}]
    for n_devices, last, (mesh, of_second) in zip((8, 4), (2, 5), meshes, strict=True):
        flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={n_devices}"}
        words = [str(folder), str(n_devices), str(last), json.dumps([mesh, of_second])]
        command = [sys.executable, "-c", ON_SEVERAL_DEVICES, *words]
        assert subprocess.run(command, check=False, env=os.environ | flags).returncode == 75
        told = json.loads((folder / "training.json").read_text())["mesh"]
        assert {name: told[name] for name in mesh} == mesh
    steps = []
    several = train(*arguments(**SHORT), folder, lambda step, *_: steps.append(step))
    assert steps == list(range(6, 15))
    one = train(*arguments(**SHORT), tmp_path / "one")
    for entry, expected in zip(several.metrics(), one.metrics(), strict=True):
        assert entry["loss"] == pytest.approx(expected["loss"], rel=1e-5)
        assert entry["gradient_norm"] == pytest.approx(expected["gradient_norm"], rel=1e-4)
    weights, expected = (Checkpoint.load(run.last_checkpoint).weights for run in (several, one))
    for name, array in weights.items():
        moved = np.abs(expected[name] - start().weights[name]).max()
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-2 * moved)


def mesh_of(n_devices, **sizes):
    return AbstractMesh(MeshConfig(**sizes).shape(n_devices), AXES)


def test_batches_must_divide_evenly():
    require_batch(6, mesh_of(3))
    with pytest.raises(UserError, match=r"multiple of the number of devices \(3\), got 8; take 6 or 9"):
        require_batch(8, mesh_of(3))
    with pytest.raises(UserError, match=r"data x fsdp of the mesh \(4\), got 6; take 4 or 8"):
        require_batch(6, mesh_of(8, fsdp=2, tensor=2))


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "n_devices", "remedy"),
    [
        (16, 16, 2, "set device_memory.accumulate to 1, 2, 4 or 8, or take batch_size 32"),
        (6, 2, 2, "set device_memory.accumulate to 1, or take batch_size 4 or 8"),
        (3, 3, 2, "take batch_size 6"),
    ],
)
def test_parts_of_a_batch_that_do_not_divide_name_what_parted_it(batch_size, accumulate, n_devices, remedy):
    require_batch(batch_size, mesh_of(1), accumulate)
    told = (
        f"device_memory.accumulate {accumulate} leaves {batch_size // accumulate} of batch_size {batch_size} to compute"
    )
    with pytest.raises(UserError, match=f"^{told} at once, no multiple of the 2 parts that devices take; {remedy}$"):
        require_batch(batch_size, mesh_of(n_devices), accumulate)


def test_what_data_takes_is_what_is_left():
    assert MeshConfig(fsdp=2, spatial=(2, 3), member=5, tensor=7).shape(840) == (2, 2, 5, 2, 3, 7)
    assert MeshConfig(spatial=4).shape(4) == (1, 1, 1, 4, 1, 1)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            dict(fsdp=3),
            "{fsdp: 3} takes a multiple of 3 devices, got 8; choose sizes whose product is 1, 2, 4 or 8",
        ),
        (dict(data=2, tensor=2), "mesh {data: 2, tensor: 2} takes 4 devices, got 8; leave data out, which is then 4"),
        (dict(data=1), "mesh {data: 1} takes 1 device, got 8; leave data out, which is then 8"),
        (dict(spatial=(2, 8)), "mesh {spatial: [2, 8]} takes a multiple of 16 devices, got 8"),
    ],
)
def test_a_mesh_that_does_not_fit_says_which_would(sizes, message):
    with pytest.raises(UserError, match=re.escape(message)):
        MeshConfig(**sizes).shape(8)


ONE = {"n_steps": 1, "learning_rate": 1e-3}


@pytest.mark.parametrize("spatial", [[1, 2, 3], 0, [2, "a"], "2x4"])
def test_what_are_no_bands_is_said_in_a_line(spatial):
    with pytest.raises(UserError, match=r"mesh.spatial: give bands of latitude, or \[bands .* got .*$"):
        from_mapping(TrainingConfig, {"stages": [ONE], "mesh": {"spatial": spatial}})


def test_bands_of_a_grid_are_alike():
    require_bands((6, 10), {}, {}, mesh_of(6, spatial=(3, 2)))
    with pytest.raises(
        UserError,
        match=r"spatial 4 x 2 .* 4 bands of latitude do not divide rows of the grid \(6\); choose 1, 2, 3 or 6",
    ):
        require_bands((6, 10), {}, {}, mesh_of(8, spatial=(4, 2)))


def test_members_of_a_sample_are_shared_evenly():
    require_members(4, mesh_of(2, member=2))
    with pytest.raises(UserError, match=r"member 2 .* does not divide the 3 members that the loss judges; .* 1 or 3"):
        require_members(3, mesh_of(2, member=2))


def test_trees_keep_their_shape_and_values():
    tree = {"a": np.arange(6.0).reshape(2, 1, 3, 1, 1), "b": (np.ones((4, 1, 1, 1, 1)),)}
    for place in (data_layout().place_batch, data_layout().placed):
        jax.tree.map(np.testing.assert_array_equal, place(tree), tree)
