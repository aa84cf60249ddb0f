import numpy as np
import pytest
import xarray as xr

from weatherml.data.store.layout import Layout, choose_shard_length


def field(*shape):
    dims = (
        ("time", "level", "latitude", "longitude")[-len(shape) :]
        if len(shape) != 3
        else ("time", "latitude", "longitude")
    )
    return xr.DataArray(np.broadcast_to(np.float32(0), shape), dims=dims, name="temperature")


@pytest.mark.parametrize(
    ("shape", "chunk"),
    [
        ((1, 4, 32, 64), (8, 4, 32, 64)),  # a small planet: several times of all levels
        ((1, 13, 121, 240), (1, 13, 121, 240)),  # 1.5 degrees: one time of all levels
        ((1, 13, 721, 1440), (1, 1, 721, 1440)),  # 0.25 degrees: one level
        ((1, 721, 1440), (1, 721, 1440)),
    ],
)
def test_a_chunk_is_what_a_sample_reads(shape, chunk):
    assert Layout.of(field(*shape), n_times=1460, shard_length=8).chunk == chunk


def test_chunks_divide_shards():
    layout = Layout.of(field(1, 7, 12), n_times=100, shard_length=30)
    assert layout.shard[0] % layout.chunk[0] == 0


def test_the_last_shard_is_as_long_as_what_is_left():
    layout = Layout.of(field(1, 7, 12), n_times=29, shard_length=12)
    assert [layout.times(i) for i in range(layout.n_files)] == [slice(0, 12), slice(12, 24), slice(24, 29)]


@pytest.mark.parametrize(
    ("shape", "n_times", "length"),
    [((1, 4, 32, 64), 5840, 1024), ((1, 13, 721, 1440), 58_000, 8), ((1, 7, 12), 29, 32), ((1, 7, 12), 1, 1)],
)
def test_shards_grow_to_a_size_but_not_beyond_the_data(shape, n_times, length):
    assert choose_shard_length(field(*shape).to_dataset(), n_times) == length
