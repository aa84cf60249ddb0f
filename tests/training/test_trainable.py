import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh
from tiny_training import arguments, start

from weatherml.checkpoint import Checkpoint
from weatherml.errors import UserError
from weatherml.models.weights import weights_of
from weatherml.parallel import Layout, MeshConfig
from weatherml.parallel.layouts.mesh import AXES
from weatherml.parallel.layouts.placing import outlined
from weatherml.plan.program import device_bytes
from weatherml.training import Stage, TrainingConfig, train
from weatherml.training.update.optimizer import OptimizerConfig
from weatherml.training.update.step import build_update, initial_state
from weatherml.training.update.trainable import freeze_others

STAGES = (Stage(n_steps=3, learning_rate=1e-2),)


def n_bytes(tree):
    return sum(array.nbytes for array in jax.tree.leaves(tree))


def test_frozen_weights_are_bit_equal_after_training_and_the_others_have_moved(tmp_path):
    settings = arguments(stages=STAGES, trainable=("head", r"embed\.bias"))
    after = Checkpoint.load(train(*settings, tmp_path).last_checkpoint).weights
    same = {name for name, before in start().weights.items() if np.array_equal(before, after[name])}
    assert same == {"network.embed.kernel", "network.mix.kernel", "network.mix.bias"}


def test_nothing_is_kept_beside_frozen_weights():
    step, optimizer = start().build_step(), OptimizerConfig().build(STAGES)
    everything = initial_state(weights_of(step), optimizer)
    freeze_others(step, ["head"])
    some = initial_state(weights_of(step), optimizer)
    share = n_bytes(weights_of(step)) / n_bytes(start().weights)
    assert share < 0.3
    for kept, whole in ((some.average, everything.average), (some.optimizer, everything.optimizer)):
        assert n_bytes(kept) == pytest.approx(share * n_bytes(whole), abs=16)  # and counts of steps


def test_frozen_weights_lie_in_parts_as_they_would_if_they_were_trained():
    layout = Layout(AbstractMesh(MeshConfig(fsdp=5).shape(5), AXES))
    loss, optimizer = TrainingConfig(stages=STAGES).loss.build(start().normalizer.statistics), OptimizerConfig()

    def told(trainable):
        step = start().build_step()
        freeze_others(step, trainable)
        update = build_update(outlined(step), outlined(loss), optimizer.build(STAGES), 0.9, layout)
        return device_bytes(update.told), weights_of(step)

    (less, everything), (more, trained) = told(None), told(["head"])
    frozen = {name: outlined(array) for name, array in everything.items() if name not in trained}
    assert more - less == device_bytes(layout.placed(frozen)) < 0.3 * n_bytes(start().weights)


def test_a_step_with_frozen_weights_is_the_same_step():
    whole, part = start().build_step(), start().build_step()
    freeze_others(part, ["head"])
    state = np.random.default_rng(0).standard_normal((2, *start().spec.shape), np.float32)
    forcing = np.zeros((2, start().forcings.n_maps, *start().spec.grid.shape), np.float32)
    np.testing.assert_array_equal(whole(state, forcing), part(state, forcing))


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("decoder", "training.trainable: 'decoder' is in the name of no weight; the network has embed, head, mix"),
        ("head(", "'head\\(' is no regular expression"),
    ],
)
def test_a_pattern_that_names_nothing_is_refused(tmp_path, pattern, reason):
    with pytest.raises(UserError, match=reason):
        train(*arguments(stages=STAGES, trainable=(pattern,)), tmp_path)
