import numpy as np
import pytest

from weatherml.training import Stage, TrainingConfig
from weatherml.training.curriculum.learning_rate import learning_rate_schedule
from weatherml.training.curriculum.stages import stage_index, stage_starts

STAGES = (Stage(n_steps=40, learning_rate=2e-3), Stage(rollout=2, n_steps=10, learning_rate=5e-4))


def test_the_next_stage_begins_when_all_steps_of_the_one_before_are_done():
    assert stage_starts(STAGES) == [0, 40]
    assert [stage_index(STAGES, step) for step in (0, 39, 40, 49)] == [0, 0, 1, 1]


def test_every_stage_warms_up_to_its_peak_and_falls_to_zero_along_a_cosine():
    schedule = learning_rate_schedule(STAGES, warm_up=0.1)
    rates = np.array([schedule(step) for step in range(50)])
    first = [2e-3 * (k + 1) / 5 for k in range(4)]
    first += [1e-3 * (1 + np.cos(np.pi * k / 36)) for k in range(36)]
    second = [2.5e-4] + [2.5e-4 * (1 + np.cos(np.pi * k / 9)) for k in range(9)]
    np.testing.assert_allclose(rates, first + second, rtol=1e-5)


def test_a_constant_rate_stays_after_its_warm_up():
    schedule = learning_rate_schedule((Stage(n_steps=20, learning_rate=4e-4, schedule="constant"), *STAGES), 0.1)
    np.testing.assert_allclose([schedule(step) for step in range(20)], [4e-4 / 3, 8e-4 / 3, *[4e-4] * 18], rtol=1e-5)
    assert float(schedule(20)) == pytest.approx(2e-3 / 5)


def test_without_warm_up_a_stage_starts_at_its_peak():
    assert float(learning_rate_schedule(STAGES, warm_up=0)(0)) == pytest.approx(2e-3)


def test_the_batches_of_each_stage_are_shared_as_its_own_mesh_shares_them():
    one = {"n_steps": 1, "learning_rate": 1e-3}
    stages = (Stage(**one, rollout=12, batch_size=2), Stage(**one, batch_size=64))
    shared = TrainingConfig(stages=stages, batch_size=8).shared_batches([1, 16])
    # The largest batch comes in sixteen parts, and no host makes the whole of it.
    assert list(shared) == [(2, 12, 1), (8, 12, 1), (64, 1, 16), (8, 12, 16)]
