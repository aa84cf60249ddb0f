"""What is judged and learned over a longer period takes no more memory."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.data.statistics.climatology import Climatology
from weatherml.experiment.judging.judgement import judge_skill
from weatherml.extremes import local_quantile, verdict
from weatherml.grid import LatLonGrid
from weatherml.state import spec_of
from weatherml.verification import Campaign, accumulate
from weatherml.verification.baselines import fit_damping

GRID = LatLonGrid.regular(24, 40, poles=False)
MEMORY = 2**20
N_TIMES = 140  # half a MB, a half of the memory; sixteen times as many are eight times the memory
LEADS = np.array([6, 12, 24], "timedelta64[h]").astype("timedelta64[ns]")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return lazy analyses of the longest period."""
    path = tmp_path_factory.mktemp("growth") / "data.zarr"
    analyses({"2m_temperature": ()}, 16 * N_TIMES, grid=GRID).to_zarr(
        path, encoding={"2m_temperature": {"chunks": (16, 24, 40)}}, consolidated=False
    )
    return xr.open_zarr(path, chunks=None, consolidated=False)


@pytest.fixture(scope="module")
def climatology(store):
    return Climatology.fit(store.isel(time=slice(N_TIMES)), spec_of(store), ("2001", "2001"), 0, 1)


def _forecasts(factor):
    """Return as many forecasts of every period, all over it: bootstrap intervals take what grows with their number."""
    return forecasts({"2m_temperature": ()}, 4, 3, 2, init_step=f"{9 * factor}D", grid=GRID)


def _judge(period, climatology, forecast):
    judge_skill(forecast, period, period, climatology, lambda *_: None, MEMORY)


def _fit(period, climatology, forecast):
    fit_damping(period, climatology, LEADS, MEMORY)


def _quantile(period, climatology, forecast):
    local_quantile(period, 0.9, ("2001", "2002"), MEMORY)


def _verdict(period, climatology, forecast):
    verdict(forecast, period, period.isel(time=0, drop=True), base_rate=0.1)


@pytest.mark.parametrize("work", [_judge, _fit, _quantile, _verdict])
def test_memory_does_not_grow_with_the_period(work, store, climatology):
    peaks = {}
    for factor in (1, 4, 16):
        period, forecast = store.isel(time=slice(factor * N_TIMES)), _forecasts(factor)
        tracemalloc.start()
        work(period, climatology, forecast)
        peaks[factor] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert max(peaks.values()) < 1.25 * max(MEMORY, peaks[1])  # intervals of a curve take more, whatever the period


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return lazy forecasts of 16 initial times, 47 kB each."""
    path = tmp_path_factory.mktemp("many") / "forecasts.zarr"
    made = forecasts({"2m_temperature": ()}, 16, 3, 4, grid=GRID).drop_vars("valid_time", errors="ignore")
    encoding = {"2m_temperature": {"chunks": (1, 3, 4, 24, 40)}}
    made.to_zarr(path, encoding=encoding, consolidated=False)
    return xr.open_zarr(path, chunks=None, consolidated=False, decode_timedelta=True)


@pytest.mark.parametrize("is_kept", [False, True], ids=["at once", "kept by initial time"])
def test_memory_does_not_grow_with_initial_times(is_kept, many, store, tmp_path):
    peaks = []
    for n_init in (1, 4, 16):
        campaign = Campaign(tmp_path / str(n_init) if is_kept else None)
        tracemalloc.start()
        accumulate(many.isel(init_time=slice(n_init)), store, ["rmse", "crps_fair"], campaign=campaign)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[-1] - peaks[1] < 12 * many.isel(init_time=0).nbytes / 3
