"""A pass keeps within its memory, however long the period."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses

from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.grid import LatLonGrid
from weatherml.state import spec_of

GRID = LatLonGrid.regular(30, 50, poles=False)
MEMORY = 3 * 2**20
N_TIMES = 100  # 2.4 MB
LEVELS = (300, 500, 700, 850)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return lazy analyses of the longest period."""
    path = tmp_path_factory.mktemp("memory") / "data.zarr"
    dataset = analyses({"geopotential": LEVELS}, 16 * N_TIMES, step="120h", grid=GRID)
    dataset.to_zarr(path, encoding={"geopotential": {"chunks": (20, 1, 30, 50)}}, consolidated=False)
    return xr.open_zarr(path, chunks=None, consolidated=False)


def test_the_memory_of_a_pass_is_kept_and_does_not_grow(store, tmp_path):
    peaks = {}
    for factor in (1, 1, 4, 16):  # what is imported at first is no part of it
        period = store.isel(time=slice(factor * N_TIMES))
        wanted = Fit(spec_of(period), ("2001", "2023"), Harmonics(7, 0), of_anomalies=True)
        assert len(wanted.gathering(period, MEMORY).groups(period)[0]) > 1
        tracemalloc.start()
        fit(period, wanted, tmp_path / str(factor), memory=MEMORY)
        peaks[factor] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert max(peaks.values()) < 1.25 * MEMORY  # sketches of channels, 80 kB each, are not counted
    assert peaks[16] < 1.5 * peaks[1]
    found = [xr.load_dataset(tmp_path / str(factor) / "statistics.nc")["std"] for factor in (1, 16)]
    assert np.abs(found[0] / found[1] - 1).max() > 1e-4  # of other times
