"""The page on forecast output: its Python runs, and its figures are those of the code."""

from contextlib import chdir

import numpy as np
import pytest
from docs_page import run_python
from made_forecasts import made

from weatherml.forecast.output.statistics import accumulator_bytes
from weatherml.forecast.plan.batches import Layout
from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.grid import LatLonGrid
from weatherml.products.convert import convert
from weatherml.state import Channel, StateSpec

PAGE = "forecast_output.md"
T850 = Channel("temperature", 850)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Return what the page's Python defines, run beside a forecast."""
    folder = tmp_path_factory.mktemp("page")
    convert(made(("z500", "t2m", "msl"), grid=LatLonGrid.regular(19, 36)), folder / "forecast.zarr")
    with chdir(folder):
        return run_python(PAGE, None)


def test_conversion_runs_as_shown(names):
    assert set(names["errors"]) == {"geopotential_500", "2m_temperature", "mean_sea_level_pressure"}


def test_accumulators_run_as_shown(names):
    assert names["rank_error"] == 32
    assert names["memory"] == 1312
    assert names["quantiles"].shape == (3, 32, 64)
    np.testing.assert_allclose(names["moments"].mean.mean(), 270, atol=0.02)


@pytest.mark.parametrize(("size", "n_bytes"), [(32, 800), (64, 1312), (128, 2080)])
def test_memory_of_a_cell_is_as_tabulated(size, n_bytes):
    config = StatisticsConfig(quantiles=(0.5,), thresholds={"t850": (273.15,)}, sketch_size=size)
    assert config.bytes_per_cell(1000, T850) == n_bytes


@pytest.mark.parametrize(("quantiles", "n_bytes"), [((), 56), ((0.5,), 56 + 2048)])
def test_room_on_disk_is_as_stated(quantiles, n_bytes):
    lead = np.array([6], "timedelta64[h]").astype("timedelta64[ns]")
    spec, init = StateSpec((T850,), LatLonGrid((0.0,), (0.0,))), np.array(["2020-01-01"], "datetime64[ns]")
    layout = Layout(spec, init, lead, np.arange(1000), (1, 10))
    assert accumulator_bytes(layout, StatisticsConfig(quantiles=quantiles)) == n_bytes
