"""How a source is read for a store: each of its pieces once, within the memory that is stated."""

import threading
import time
import tracemalloc

import dask.array
import numpy as np
import pytest
import xarray as xr
from fake_data import FakeSource, analyses, contents

from weatherml.data.store import layout
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.making import parts
from weatherml.data.store.making.cutting import cut
from weatherml.data.store.making.parts import read_ahead
from weatherml.data.store.making.plan import plan_store
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.storage.places import place_at
from weatherml.variables import VARIABLES

MUCH = 2**31


class PiecesSource(FakeSource):
    """Has pieces of so many times; notes the times and levels of every field whose values are read."""

    def __init__(self, dataset, length):
        super().__init__(dataset)
        self.length, self.blocks = length, []

    def piece_starts(self, variable):
        return np.arange(0, len(self.times()), self.length)

    def read(self, times, variables):
        if len(variables) == 1:  # not the first time of all, which the plan is made by
            self.blocks.append((variables[0], len(times), tuple(np.searchsorted(self.times(), times) // self.length)))
        return super().read(times, variables)


def dataset(n_times=29):
    fields = analyses({"geopotential": (300, 500, 700, 850), "2m_temperature": ()}, times=n_times)
    fields["sea_surface_temperature"] = fields["2m_temperature"].where(np.arange(fields.sizes["longitude"]) < 3)
    return fields


@pytest.fixture
def levels_apart(monkeypatch):
    """Lay small fields out as large ones are: a level a chunk."""
    monkeypatch.setattr(layout, "_MAX_CHUNK_BYTES", 100)
    monkeypatch.setattr(layout, "_CHUNK_BYTES", 100)


@pytest.mark.parametrize("length", [1, 5, 7, 12, 29])
@pytest.mark.parametrize("shard_length", [4, 6])
def test_each_piece_is_read_once_whatever_its_length(tmp_path, length, shard_length):
    source = PiecesSource(dataset(), length)
    ingest(source, tmp_path / "store", shard_length=shard_length)
    xr.testing.assert_equal(open_store(tmp_path / "store").load(), dataset())
    for name in source.variables():
        pieces = [set(pieces) for variable, _, pieces in source.blocks if variable == name]
        assert sum(map(len, pieces)) == len(set().union(*pieces))


@pytest.mark.parametrize("memory", [1, 4 * 4 * 7 * 12 * 3, 4 * 4 * 7 * 12 * 40])
def test_however_little_memory_there_is_the_bytes_are_the_same(tmp_path, levels_apart, memory):
    """Level by level, and time by time where one level of a piece is too much."""
    ingest(PiecesSource(dataset(), 10), tmp_path / "whole", shard_length=6, options=IngestOptions(memory=MUCH))
    source = PiecesSource(dataset(), 10)
    ingest(source, tmp_path / "store", shard_length=6, options=IngestOptions(memory=memory))
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")
    xr.testing.assert_equal(open_store(tmp_path / "store").load(), dataset())
    one_level = 4 * 7 * 12 * 4  # bytes at a time, as often as they lie in memory
    assert max(n for name, n, _ in source.blocks if name == "geopotential") <= max(2, memory // one_level)


def test_parts_end_with_pieces_of_the_source_and_hold_only_what_is_wanted():
    field = dataset()["2m_temperature"].isel(time=[0])
    of = layout.Layout.of(field, 60, 6)
    parts = cut(of, np.arange(0, 60, 15), [0, 1, 2, 3, 4, 5, 8, 9])
    assert [(part.first, part.end) for part in parts] == [(0, 5), (5, 6), (8, 10)]


def test_values_come_in_order_and_one_is_made_ahead():
    made = []

    def values():
        for number in range(4):
            made.append(number)
            yield number

    for number in read_ahead(values()):
        time.sleep(0.02)
        assert made[: number + 1] == list(range(number + 1))
        assert len(made) <= number + 2
    assert made == [0, 1, 2, 3]


def test_what_goes_wrong_ahead_is_raised_where_it_would_have_come():
    def values():
        yield 0
        raise UserError("no more")

    ahead = read_ahead(values())
    assert next(ahead) == 0
    with pytest.raises(UserError, match="no more"):
        next(ahead)


def test_who_stops_does_not_wait_for_a_network_that_has_gone(monkeypatch):
    monkeypatch.setattr(parts, "_PATIENCE", 0.1)
    gone = threading.Event()

    def values():
        yield 0
        gone.wait(60)
        yield 1

    ahead, before = read_ahead(values()), time.monotonic()
    assert next(ahead) == 0
    ahead.close()
    assert time.monotonic() - before < 30
    gone.set()


class LargeSource(FakeSource):
    """Does not hold all of its values at once, not even to tell its digest."""

    def digest(self):
        return "0" * 64


def test_a_plan_holds_the_first_time_of_one_variable_alone(tmp_path):
    grid, names = LatLonGrid.regular(256, 512), [name for name, v in VARIABLES.items() if v.vertical == "surface"][:12]
    field = dask.array.zeros((3, 256, 512), dtype=np.float32, chunks=(1, 256, 512))
    coordinates = {
        "time": analyses(times=3)["time"],
        "latitude": list(grid.latitude),
        "longitude": list(grid.longitude),
    }
    fields = {name: (("time", "latitude", "longitude"), field + number) for number, name in enumerate(names)}
    source = LargeSource(xr.Dataset(fields, coordinates))
    plan_store(source, 4, place_at(tmp_path))  # what is imported on the way is no memory of a plan's
    tracemalloc.start()
    try:
        plan_store(source, 4, place_at(tmp_path))
        assert tracemalloc.get_traced_memory()[1] < 6 * 2**19  # a field is 2**19 bytes
    finally:
        tracemalloc.stop()
