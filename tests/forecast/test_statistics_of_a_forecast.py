"""Statistics instead of members, through the forecaster: those of the members it would have kept."""

import numpy as np
import pytest
import xarray as xr
from tiny_forecast import TIMES, Explosion, make_analysis, make_forecaster

from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig

ASKED = {"lead_time": "18h", "members": 7, "perturbation": "gaussian", "batch": 3}
KEPT = {"spread": True, "quantiles": (0.25, 0.5), "thresholds": {"t850": (250.0,)}, "maximum": True}


@pytest.fixture(scope="module")
def analysis():
    return make_analysis()


def run(analysis, output=None, forecaster=None, times=TIMES[:2], **more):
    return (forecaster or make_forecaster()).run(analysis, times, ForecastConfig(**ASKED, **more), output)


@pytest.mark.parametrize("in_memory", [True, False])
def test_statistics_are_those_of_the_members(analysis, tmp_path, in_memory):
    members = run(analysis)["temperature"]
    kept = run(analysis, None if in_memory else tmp_path / "s.zarr", statistics=KEPT).load()
    np.testing.assert_allclose(kept["temperature_mean"], members.mean("number"), rtol=1e-6)
    np.testing.assert_allclose(kept["temperature_spread"], members.std("number", ddof=1), rtol=1e-4)
    np.testing.assert_array_equal(kept["temperature_maximum"], members.max("number"))
    medians = kept["temperature_quantile"].sel(quantile=0.5).transpose(*members.mean("number").dims)
    np.testing.assert_allclose(medians, members.median("number"), rtol=1e-6)
    above = (members.sel(level=850) > 250).mean("number")
    shares = kept["temperature_850_exceedance"].squeeze("temperature_850_threshold")
    np.testing.assert_allclose(shares.transpose(*above.dims), above, atol=1e-6)


def test_an_interrupted_forecast_counts_each_member_once(analysis, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    config = ForecastConfig(**ASKED, statistics=KEPT)
    with pytest.raises(KeyboardInterrupt):
        make_forecaster().run(analysis, TIMES[:2], config, tmp_path / "s.zarr", progress=interrupt)
    resumed = make_forecaster().run(analysis, TIMES[:2], config, tmp_path / "s.zarr").load()
    xr.testing.assert_identical(resumed, run(analysis, statistics=KEPT))


def test_members_that_fail_do_not_count(analysis):
    kept = run(analysis, forecaster=make_forecaster(Explosion()), statistics={"mean": True})
    counts = kept["geopotential_count"].isel(lead_time=-1)
    assert kept.attrs["failed"] and (counts < 7).any()


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_threshold_of_a_channel_that_is_not_kept_is_refused_before_anything_is_written(analysis, tmp_path, in_memory):
    with pytest.raises(UserError, match="no channel '2m_temperature'"):
        run(analysis, None if in_memory else tmp_path / "s.zarr", statistics={"thresholds": {"t2m": (300.0,)}})
    assert not list(tmp_path.iterdir())
