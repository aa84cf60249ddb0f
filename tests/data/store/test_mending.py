"""Stores that have changed since they were made are mended from all that they were made from."""

import re

import pytest
from fake_data import FakeSource, analyses, contents

from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.mending import mend
from weatherml.data.store.opening import verify
from weatherml.errors import UserError

MEMORY = 2**20


def dataset(times=slice(None), seed=0):
    fields = analyses(times=40, seed=seed).isel(time=times)
    fields["2m_temperature"] = fields["2m_temperature"].where(fields["latitude"] < 80)  # a mask
    fields["geopotential_at_surface"] = analyses(times=1, seed=9)["2m_temperature"][0].drop_vars("time") * 100
    return fields


BEFORE, AFTER = dataset(slice(0, 27)), dataset(slice(27, 40))
WIND = (dataset()["2m_temperature"] * 2).rename("10m_u_component_of_wind").to_dataset().fillna(0)


@pytest.fixture
def store(tmp_path):
    """Return a store that has grown by times of a source that has nothing else, and then by a variable."""
    ingest(FakeSource(BEFORE), tmp_path / "store.zarr", shard_length=6)
    for source in (AFTER, WIND):
        ingest(FakeSource(source), tmp_path / "store.zarr", options=IngestOptions(grow=True))
    return tmp_path / "store.zarr"


SOURCES = [FakeSource(WIND), FakeSource(AFTER), FakeSource(BEFORE)]


@pytest.mark.parametrize(
    "files",
    [
        ["geopotential/c.0.0.0.0"],
        ["2m_temperature/c.4.0.0", "geopotential/c.4.0.0.0"],  # times of both
        ["geopotential/c.6.0.0.0", "10m_u_component_of_wind/c.2.0.0"],
        ["geopotential_at_surface/c.0.0"],
    ],
)
def test_whatever_was_lost_or_damaged_is_as_it_was(store, files):
    before = contents(store)
    for number, file in enumerate(files):
        path = store / file
        path.unlink() if number else path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert set(verify(store)) == set(files)
    assert mend(store, SOURCES, MEMORY) == len(files)
    assert contents(store) == before and not list(store.rglob("*mended*"))


def test_what_is_whole_is_left(store):
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    assert mend(store, SOURCES, MEMORY) == 0
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} | before == before


@pytest.mark.parametrize(
    ("file", "sources", "words"),
    [
        ("geopotential/c.0.0.0.0", SOURCES[:2], "nothing that the store was made from has geopotential at 2001-01-01"),
        ("geopotential/c.0.0.0.0", [FakeSource(dataset(seed=1))], "gives other values now; ingest into another store"),
        ("latitude/c/0", SOURCES, "what declares it cannot be made again"),
        ("zarr.json", SOURCES, "what declares it cannot be made again"),
    ],
)
def test_what_cannot_be_made_as_it_was_says_why_and_nothing_changes(store, file, sources, words):
    (store / file).write_bytes(b"damage")
    before = contents(store)
    with pytest.raises(UserError, match=re.escape(words)):
        mend(store, sources, MEMORY)
    assert contents(store) == before and not (store / ".ingest").exists()
