"""Laws of losses that are not finite: the weights learn nothing of them, and then what was asked for is done."""

from itertools import count

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_training import WRONG, assert_same_weights, spoilt

from weatherml.checkpoint import Checkpoint
from weatherml.errors import UserError
from weatherml.training import OptimizerConfig, Stage, train
from weatherml.training.curriculum.learning_rate import learning_rate_schedule
from weatherml.training.recovery.non_finite import Drawn, NonFinite, Offence
from weatherml.training.recovery.snapshots import Cursor
from weatherml.training.update.finite import unless_finite_as_before


def met(run):
    return [offence for entry in run.metrics() for offence in entry.get("non_finite", [])]


def crash_at(step):
    def progress(done, *_):
        if done == step:
            raise ZeroDivisionError

    return progress


def test_an_update_of_what_is_not_finite_changes_nothing_but_schedules():
    before, after = (
        ({"w": jnp.full(3, float(value))}, jnp.int32(value), optax.ScaleByScheduleState(jnp.int32(value)))
        for value in (1, 2)
    )
    for loss, norm, expected in ((0.5, 1, 2), (jnp.nan, 1, 1), (0.5, jnp.inf, 1)):
        weights, count, schedule = unless_finite_as_before(before, after, jnp.float32(loss), jnp.float32(norm))
        assert (weights["w"] == expected).all() and count == expected and schedule.count == 2


@pytest.mark.parametrize("kept", ["float32", "bfloat16", "factored"])
def test_a_skipped_step_changes_the_next_by_its_learning_rate_alone(kept):
    stages = (Stage(n_steps=9, learning_rate=1e-2),)
    optimizer, rate = OptimizerConfig(warm_up=0.4).build(stages, kept), learning_rate_schedule(stages, 0.4)
    weights = {"a.kernel": jnp.ones((8, 8))}
    gradient = {"a.kernel": jnp.asarray(np.random.default_rng(0).standard_normal((8, 8)), jnp.float32)}
    state, changes = optimizer.init(weights), []
    for told in (0.5, jnp.nan, 0.5):
        change, after = optimizer.update(gradient, state, weights)
        changes.append(change["a.kernel"])
        state = unless_finite_as_before(state, after, jnp.float32(told))
    # The second was not applied: the third is it again, one step later in the schedule.
    np.testing.assert_allclose(changes[2] / rate(2), changes[1] / rate(1), rtol=1e-5)
    assert rate(2) != rate(1)


def test_going_back_passes_over_what_was_met_in_earlier_stages_since_the_snapshot(tmp_path):
    before, restored = Cursor(passed={"0": 7, "1": 2}), Cursor(passed={})
    offence = Offence(30, "loss", np.inf, Drawn(1, 4), [WRONG])
    NonFinite("rollback", 5, tmp_path, lambda drawn: np.array([])).roll_back(offence, before, restored, 25)
    assert restored.passed == {"0": 7, "1": 5}
    assert restored.n_rollbacks == 1


def test_a_training_stops_and_names_the_times_of_the_samples(tmp_path):
    with pytest.raises(UserError, match=r"loss is inf at step \d+, whose samples begin at .*; the last good snapshot"):
        train(*spoilt(), tmp_path)


@pytest.mark.parametrize("policy", ["skip", "rollback"])
def test_a_training_that_goes_on_says_what_it_met_and_does_the_same_after_a_crash(tmp_path, caplog, policy):
    whole = train(*spoilt(non_finite=policy), tmp_path / "whole")
    offences = met(whole)
    assert offences and all(WRONG in offence["times"] for offence in offences)
    assert len(caplog.messages) == len(offences)
    assert all("whose samples begin at 2001-01-0" in message for message in caplog.messages)
    assert whole.metrics()[-1]["step"] == 23
    assert all(np.isfinite(entry["loss"]) for entry in whole.metrics() if entry["loss"] is not None)
    for step in (offences[0]["step"], 16):
        with pytest.raises(ZeroDivisionError):
            train(*spoilt(non_finite=policy), tmp_path / "crashed", crash_at(step))
    crashed = train(*spoilt(non_finite=policy), tmp_path / "crashed")
    assert met(crashed) == offences
    weights = [Checkpoint.load(run.last_checkpoint).weights for run in (whole, crashed)]
    assert_same_weights(*weights)
    assert all(np.isfinite(array).all() for array in weights[0].values())
    assert [e["loss"] for e in whole.metrics()] == [e["loss"] for e in crashed.metrics()]


@pytest.mark.parametrize(("policy", "words"), [("skip", "3 steps were skipped one after"), ("rollback", "3 ways from")])
def test_a_training_that_meets_nothing_else_stops_all_the_same(tmp_path, policy, words):
    settings = spoilt(40, non_finite=policy, most_non_finite=3, stages=(Stage(n_steps=40, learning_rate=1e-3),))
    steps = count(1)

    def progress(*_):
        assert next(steps) <= 80, "it would go on for ever"

    with pytest.raises(UserError, match=rf"at step \d+, whose samples begin at .*; {words}.*in a new folder"):
        train(*settings, tmp_path, progress)


def test_what_is_done_may_change_from_one_time_to_the_next(tmp_path):
    with pytest.raises(UserError, match="or pass non_finite='skip' to go on"):
        train(*spoilt(), tmp_path)
    assert train(*spoilt(non_finite="skip"), tmp_path).last_checkpoint.exists()
