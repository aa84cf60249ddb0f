"""Laws of a folder that several runs share: what one of them asks for takes nothing from the others."""

import pytest
from cds_client import ONE, assert_true, config

from weatherml.data.sources.cds.download import download
from weatherml.data.sources.cds.ledger import Ledger
from weatherml.data.sources.cds.units import plan
from weatherml.data.store.ingest import ingest

MONTH = config(channels=["t500"], periods=[["2020-01-01", "2020-01-31"]])


def days(first, channels=("t500",)):
    return config(channels=list(channels), periods=[[f"2020-01-{first:02}", "2020-01-20"]])


def arrive(folder, unit):
    (folder / unit.name).write_bytes(b"1")
    Ledger(folder).note(unit, files=(unit.name,), n_bytes=1)


def planned(folder, chosen):
    return Ledger(folder).plan(chosen)


@pytest.mark.parametrize("first", range(1, 12))
def test_what_is_there_is_displaced_neither_by_what_is_asked_for_nor_by_what_comes_later(tmp_path, first):
    own, (whole,) = plan(days(first)), plan(MONTH)
    Ledger(tmp_path).note(whole, job="waits")
    arrive(tmp_path, own[0])
    assert planned(tmp_path, days(first)) == own and planned(tmp_path, MONTH) == [whole]
    arrive(tmp_path, whole)
    assert planned(tmp_path, days(first)) == own
    (tmp_path / own[0].name).unlink()
    assert planned(tmp_path, days(first)) == [whole]


def test_what_came_first_stays_first_when_it_is_asked_for_again(tmp_path):
    own, (whole,) = plan(days(3)), plan(MONTH)
    arrive(tmp_path, own[0])
    arrive(tmp_path, whole)
    Ledger(tmp_path).note(own[0], job="renews", is_renewing=True)
    assert planned(tmp_path, days(3)) == own


def test_nothing_is_asked_for_that_is_there_beside_another_part_of_it(tmp_path):
    (part,), (both,) = plan(days(3)), plan(days(2, ("t500", "z500")))
    arrive(tmp_path, part)
    arrive(tmp_path, both)
    assert planned(tmp_path, days(3, ("t500", "z500"))) == [both]
    assert planned(tmp_path, days(3)) == [part]


def test_a_file_of_hours_that_add_up_and_of_others_is_taken_once(tmp_path):
    chosen = config(channels=["t2m", "tp"], periods=[["2020-01-02", "2020-01-30"]], derive=["tp06"])
    (hourly,) = plan(config(channels=["t2m", "tp"], periods=[["2020-01-01", "2020-01-31"]], every="1h"))
    arrive(tmp_path, hourly)
    assert planned(tmp_path, chosen) == [hourly]


def test_a_store_does_not_depend_on_whose_request_its_fields_came_with(store, tmp_path):
    folder = tmp_path / "files"
    own = config(**ONE, folder=str(folder))
    ingest(own.source(tmp_path), tmp_path / "data.zarr")
    digest = own.open(tmp_path).digest()
    download(config(channels=["t500"], periods=[["2020-01-01", "2020-01-03"]]), folder)
    assert own.open(tmp_path).digest() == digest
    for unit in plan(own):
        (folder / f"{unit.name}.request.json").unlink()
    again = own.open(tmp_path)
    assert again.digest() == digest
    assert_true(again)
    ingest(own.source(tmp_path), tmp_path / "data.zarr")  # it is the same data
    assert store.count("submit") == 2


def test_a_digest_tells_times_and_channels(store, tmp_path):
    chosen = [ONE, ONE | {"periods": [["2020-01-01", "2020-01-01"]]}, ONE | {"channels": ["t850"]}]
    assert len({config(**own).open(tmp_path).digest() for own in chosen}) == 3
