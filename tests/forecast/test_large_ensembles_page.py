"""The page on large ensembles: its Python runs, and gives what it says."""

import xarray as xr
from docs_page import run_python
from numpy_weights import drawn_checkpoint
from tiny_forecast import SPEC, TIME_STEP, TIMES, make_analysis, make_model, make_statistics

from weatherml.checkpoint import Provenance
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.products.store import open_forecast


def test_python_of_the_page_makes_equal_forecasts_alone_whole_and_in_shares(tmp_path):
    forcings = Forcings(("insolation", "latitude"), SPEC.grid, TIME_STEP)
    normalizer = Normalizer(make_statistics())
    drawn_checkpoint(make_model(), forcings, normalizer, Provenance({}, "none"), seed=0).save(tmp_path / "model")
    make = run_python("large_ensembles.md", None)["make"]
    plan, alone, whole, is_whole, warmest = make([tmp_path / "model"], make_analysis(), TIMES[0], tmp_path)
    assert plan.n_calls == {1: 8} and is_whole
    whole = whole.load()
    xr.testing.assert_equal(alone, whole.sel(number=[7]))
    assert warmest == float(whole["temperature"].max())
    xr.testing.assert_identical(open_forecast(tmp_path / "shared.zarr").load(), whole)
