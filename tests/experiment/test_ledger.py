"""Laws of the ledger."""

import pytest

from weatherml.experiment.ledger import Ledger, digest_of


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "phases.json")


def test_a_finished_phase_is_done_on_its_inputs_only(ledger):
    with ledger.timing("train", "a1"):
        assert not ledger.is_done("train", "a1")
    assert ledger.is_done("train", "a1")
    assert not ledger.is_done("train", "a2")
    assert not ledger.is_done("forecast", "a1")


def test_a_phase_that_failed_is_not_done(ledger):
    with pytest.raises(RuntimeError), ledger.timing("train", "a1"):
        raise RuntimeError
    assert ledger.entries() == {}


def test_entries_outlive_the_object_and_one_another(ledger, tmp_path):
    for phase in ("ingest", "check"):
        with ledger.timing(phase, "a1"):
            pass
    entries = Ledger(tmp_path / "phases.json").entries()
    assert list(entries) == ["ingest", "check"]
    assert all(entry["seconds"] >= 0 and entry["cpu_seconds"] >= 0 for entry in entries.values())
    assert all(entry["peak_memory_bytes"] > 2**20 for entry in entries.values())


def test_digests_tell_values_apart_but_not_the_order_of_keys():
    assert digest_of({"a": 1, "b": 2}, [3]) == digest_of({"b": 2, "a": 1}, [3])
    assert len({digest_of({"a": 1}), digest_of({"a": 2}), digest_of({"b": 1}), digest_of([{"a": 1}], 1)}) == 4
