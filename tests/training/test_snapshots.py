"""Laws of snapshots on a disk: whole or not at all, of what there was when they were taken, never trusted unseen."""

import json
import re
import shutil
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from weatherml.errors import UserError
from weatherml.training.recovery.snapshots import Cursor, Snapshots
from weatherml.training.update.step import TrainingState


def state(value):
    weights = {"kernel": jnp.full((300, 40), float(value)), "bias": jnp.full(7, float(value))}
    return TrainingState(weights, jax.tree.map(jnp.array, weights), (), jnp.int32(value))


def save_all(folder, steps):
    with Snapshots(folder) as snapshots:
        for step in steps:
            snapshots.save(step, state(step), Cursor(loader=step))


def latest(folder):
    with Snapshots(folder) as snapshots:
        snapshots.drop_damaged()
        restored, cursor = snapshots.restore(state(0))
    values = {float(value) for array in restored.weights.values() for value in np.unique(array)}
    assert values == {cursor.position}
    return cursor.position


def largest(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def turn(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


DAMAGES = {
    "other content than was written": turn,
    r"has \d+ bytes, of \d+": cut,
    "1 file missing, such as": lambda file: file.unlink(),
}


@pytest.mark.parametrize(("reason", "damage"), DAMAGES.items())
def test_of_damaged_snapshots_the_one_before_is_used_and_the_log_says_why(tmp_path, caplog, reason, damage):
    save_all(tmp_path / "s", (4, 8, 12))
    damage(largest(tmp_path / "s" / "12"))
    assert latest(tmp_path / "s") == 8
    (message,) = caplog.messages
    assert re.fullmatch(rf"the snapshot of step 12 in .*{reason}.*: training goes on from that of step 8", message)
    assert not (tmp_path / "s" / "12").exists()
    save_all(tmp_path / "s", (12,))  # whose place is free
    assert latest(tmp_path / "s") == 12


def test_where_all_are_damaged_nothing_is_deleted_and_one_line_says_so(tmp_path):
    save_all(tmp_path / "s", (4, 8))
    for step in ("4", "8"):
        cut(largest(tmp_path / "s" / step))
    with pytest.raises(UserError, match=r"no snapshot in .* is what was written \(step 8: .*; step 4: .*other folder"):
        latest(tmp_path / "s")
    assert (tmp_path / "s" / "4").exists() and (tmp_path / "s" / "8").exists()


def test_a_record_of_snapshots_that_is_damaged_is_one_line(tmp_path):
    save_all(tmp_path / "s", (4,))
    cut(tmp_path / "s.json")
    with pytest.raises(UserError, match=r"s\.json is damaged.*delete it to go on from the latest as it is"):
        latest(tmp_path / "s")
    (tmp_path / "s.json").unlink()
    assert latest(tmp_path / "s") == 4


def test_where_the_snapshots_of_the_record_are_gone_nothing_begins_again(tmp_path):
    save_all(tmp_path / "s", (4, 8))
    kept = tmp_path / "s" / "4"
    kept.rename(tmp_path / "4")
    shutil.rmtree(tmp_path / "s")
    told = r"s\.json tells of a snapshot of step 8, which is not in .*; put it back .*, or delete .*s\.json, or choose"
    with pytest.raises(UserError, match=told):
        latest(tmp_path / "s")
    (tmp_path / "s.json").unlink()
    with Snapshots(tmp_path / "s") as snapshots:
        assert snapshots.latest_step() is None


def test_where_the_latest_is_gone_the_log_tells_of_it_and_the_one_before_is_used(tmp_path, caplog):
    save_all(tmp_path / "s", (4, 8))
    shutil.rmtree(tmp_path / "s" / "8")
    assert latest(tmp_path / "s") == 4
    assert re.fullmatch(
        r"the snapshot of step 8, of which .*, is not in .*: training goes on from .* 4", *caplog.messages
    )


def test_a_first_snapshot_that_the_disk_may_not_hold_is_deleted(tmp_path):
    save_all(tmp_path / "s", (4,))
    assert json.loads((tmp_path / "s.json").read_text())["step"] == 4
    (tmp_path / "s.json").write_text(json.dumps({"step": -1}))
    with Snapshots(tmp_path / "s") as snapshots:
        assert snapshots.latest_step() is None


def test_a_snapshot_is_of_the_arrays_that_the_next_step_consumes(tmp_path):
    """Written while they are consumed again and again, as fast as it goes."""

    consume = jax.jit(lambda arrays: [array + 1 for array in arrays], donate_argnums=0)
    arrays = [jnp.zeros((500, 800)) for _ in range(12)]
    with Snapshots(tmp_path / "s") as snapshots:
        for step in range(1, 4):
            arrays = consume(arrays)
            snapshots.save(step, TrainingState({}, {}, arrays, jnp.int32(step)), Cursor())
            while not snapshots._writing.done():
                arrays = consume(arrays)
            arrays = [array * 0 + step for array in arrays]
        restored, _ = snapshots.restore(TrainingState({}, {}, arrays, jnp.int32(0)))
    assert {float(value) for array in restored.optimizer for value in np.unique(array)} == {3.0}


def test_saving_does_not_wait_for_the_disk(tmp_path, monkeypatch):
    held = threading.Event()
    finish = Snapshots._finish

    def finish_when_let(self, step):
        assert held.wait(60)
        finish(self, step)

    monkeypatch.setattr(Snapshots, "_finish", finish_when_let)
    with Snapshots(tmp_path / "s") as snapshots:
        snapshots.save(4, state(4), Cursor())  # returns though nothing lets the writing go on
        assert json.loads((tmp_path / "s.json").read_text())["step"] < 0
        held.set()
    assert json.loads((tmp_path / "s.json").read_text())["step"] == 4
