"""A check of a longer period takes no more memory, but for a few numbers a time, and reads each value once."""

import tracemalloc

import dask
import numpy as np
import pytest
import xarray as xr
from fake_data import analyses

from weatherml.data.quality.check import check_dataset
from weatherml.data.quality.gathering import blocks, gather, one_pass
from weatherml.grid import LatLonGrid
from weatherml.storage.guarded import guarded

GRID, N_TIMES = LatLonGrid.regular(24, 40, poles=False), 112
NUMBERS = 800
"""Bytes that a time may take of each channel: 72 are kept, rules make copies. A field takes 3,840."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns lazy analyses of the longest period."""
    path = tmp_path_factory.mktemp("growth") / "data.zarr"
    field = analyses({"2m_temperature": ()}, 16 * N_TIMES, grid=GRID) + np.float32(280)
    field.to_zarr(path, encoding={"2m_temperature": {"chunks": (16, 24, 40)}}, consolidated=False)
    return xr.open_zarr(path, chunks=None, consolidated=False)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_memory_does_not_grow_with_the_period(store, monkeypatch, is_chunked):
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 2**16)
    monkeypatch.setattr(one_pass, "_AT_ONCE", 2)
    peaks = {}
    for factor in (1, 1, 4, 16):  # what is loaded and made once counts for none of them
        period = store.isel(time=slice(factor * N_TIMES))
        tracemalloc.start()
        with dask.config.set(scheduler="synchronous"):  # threads would reach their peaks together, or not
            check_dataset(period.chunk(time=N_TIMES // 4) if is_chunked else period)
        peaks[factor] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    for factor in (4, 16):
        assert peaks[factor] < 1.2 * peaks[1] + NUMBERS * (factor - 1) * N_TIMES


class _Counter:
    """Notes what is read of a variable."""

    def __init__(self):
        self.n_values = 0

    def accept(self, key, values):
        self.n_values += values.size

    def explain(self, key, error):
        raise error


def test_every_value_is_read_once(store):
    counter = _Counter()
    field = store["2m_temperature"]
    gather(store.assign({"2m_temperature": guarded(field.variable, counter)}))
    assert counter.n_values == field.size
