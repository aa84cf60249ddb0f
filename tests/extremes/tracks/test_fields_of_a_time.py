"""Fields that are read time by time: from lazy ones, each block once."""

import dask.array as da
import numpy as np
import pytest
import vortices
import xarray as xr

from weatherml.extremes.tracks.detection import fields
from weatherml.extremes.tracks.detection.fields import each_time

N = 12
SHAPE = (N, 2, 3)
VALUES = np.random.default_rng(0).random(SHAPE).astype(np.float32)


def counted(chunks, computed):
    """Return a lazy field that tells which times are computed."""

    def block(values, block_info):
        computed.extend(range(*block_info[0]["array-location"][0]))
        return values

    whole = da.from_array(VALUES, chunks=(chunks, 2, 3))
    return da.map_blocks(block, whole, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))


def dataset(**arrays):
    dims = ("time", "latitude", "longitude")
    coords = {"time": vortices.times(N), "latitude": [1.0, 0.0], "longitude": [0.0, 1.0, 2.0]}
    return xr.Dataset({name: (dims, own) for name, own in arrays.items()}, coords)


@pytest.mark.parametrize("chunks", [(12,), (7, 5), (2,) * 6, (1,) * 12, (5, 1, 1, 5)])
@pytest.mark.parametrize("most", [1, 3, 5, 100])
def test_no_time_is_computed_twice_however_fields_are_chunked(chunks, most, monkeypatch):
    monkeypatch.setattr(fields, "BLOCK_BYTES", most * VALUES[0].nbytes)
    computed: list[int] = []
    own = list(each_time(dataset(a=counted(chunks, computed)), ["a"]))
    assert sorted(computed) == list(range(N))
    assert [time for time, _ in own] == list(vortices.times(N))
    assert (np.stack([each["a"] for _, each in own]) == VALUES).all()


def test_no_more_is_read_ahead_than_a_block_and_a_few_times(monkeypatch):
    monkeypatch.setattr(fields, "BLOCK_BYTES", 3 * VALUES[0].nbytes)
    for chunks, n_first in (((2,) * 6, 2), ((1,) * 12, 3), ((7, 5), 7)):
        computed: list[int] = []
        next(iter(each_time(dataset(a=counted(chunks, computed)), ["a"])))
        assert len(computed) == n_first


def test_fields_of_different_chunks_and_those_in_memory_are_of_the_same_time():
    computed: list[int] = []
    lazy = {name: counted(chunks, computed) for name, chunks in (("a", (7, 5)), ("b", (4, 4, 4)), ("c", (12,)))}
    own = list(each_time(dataset(**lazy, d=VALUES), ["a", "b - d", "c", "d"]))
    assert sorted(computed) == sorted([*range(N)] * 3)
    for place, (_, each) in enumerate(own):
        assert all((each[name] == VALUES[place]).all() for name in "acd")
        assert (each["b - d"] == 0).all()


def test_what_shares_its_blocks_is_computed_together():
    computed: list[int] = []
    whole = counted((7, 5), computed)
    assert len(list(each_time(dataset(a=whole + 1, b=whole - 1), ["a", "b"]))) == N
    assert sorted(computed) == list(range(N))
