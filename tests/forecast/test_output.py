"""Forecast stores: they hold what memory would, appear when they are whole, and can be resumed."""

import errno
import shutil
from collections import namedtuple

import numpy as np
import pytest
import xarray as xr
import zarr
from tiny_forecast import SPEC, TIME_STEP, TIMES

from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig
from weatherml.forecast.guards.units import Units
from weatherml.forecast.output.members import MembersOutput
from weatherml.forecast.plan.batches import Layout
from weatherml.forecast.rollout.step_loop import rounding_quantum, to_physical
from weatherml.forecast.workdir import Record, Stopped, WorkDir
from weatherml.products.store import open_forecast
from weatherml.state import spec_of
from weatherml.storage.share import WHOLE

CONFIG = ForecastConfig(lead_time="18h", members=6, perturbation="spherical", batch=3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "forecast.zarr"


def interrupt_after(n_calls):
    seen = []

    def progress(done, total):
        seen.append(done)
        if len(seen) == n_calls:
            raise KeyboardInterrupt

    return progress


def interrupted(forecaster, analysis, path, n_chunks=2):
    with pytest.raises(KeyboardInterrupt):
        forecaster.run(analysis, TIMES[:2], CONFIG, path, progress=interrupt_after(n_chunks))


def test_store_holds_what_memory_would(forecaster, analysis, path):
    stored = forecaster.run(analysis, TIMES[:2], CONFIG, path)
    xr.testing.assert_identical(stored.load(), forecaster.run(analysis, TIMES[:2], CONFIG))


def test_store_is_chunked_by_initial_time_and_batch(forecaster, analysis, path):
    forecaster.run(analysis, TIMES[:2], CONFIG, path)
    assert zarr.open_group(path, mode="r")["temperature"].chunks == (1, 3, 3, 2, 8, 12)


def test_store_describes_its_fields(forecaster, analysis, path):
    forecast = forecaster.run(analysis, TIMES[:2], CONFIG, path)
    assert forecast["geopotential"].attrs["units"] == "m2 s-2"
    assert forecast["valid_time"].attrs["standard_name"] == "time"
    assert spec_of(forecast).grid == SPEC.grid


def test_interrupted_forecast_is_not_opened(forecaster, analysis, path):
    interrupted(forecaster, analysis, path)
    assert not path.exists()
    with pytest.raises(UserError, match="not finished; run the same forecast again to resume it"):
        open_forecast(path)
    (result,) = path.parent.glob("*/*/result")
    with pytest.raises(UserError, match="no finished forecast"):
        open_forecast(result)


def test_resumed_forecast_is_the_uninterrupted_one(forecaster, analysis, path):
    interrupted(forecaster, analysis, path)
    resumed = forecaster.run(analysis, TIMES[:2], CONFIG, path)
    xr.testing.assert_identical(resumed.load(), forecaster.run(analysis, TIMES[:2], CONFIG))


def test_resuming_computes_only_what_is_missing(forecaster, analysis, path):
    interrupted(forecaster, analysis, path, n_chunks=2)
    seen = []
    forecaster.run(analysis, TIMES[:2], CONFIG, path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (36, 36)  # fields
    assert seen[0][0] >= 18


def test_overwrite_goes_on_with_the_very_forecast_that_was_interrupted(forecaster, analysis, path):
    interrupted(forecaster, analysis, path, n_chunks=2)
    seen = []
    forecaster.run(analysis, TIMES[:2], CONFIG, path, overwrite=True, progress=lambda done, total: seen.append(done))
    assert seen[0] >= 18


def test_a_store_that_was_interrupted_before_it_had_attributes_gives_way(forecaster, analysis, path):
    (path.parent / f".{path.name}.partial" / "temperature").mkdir(parents=True)
    forecast = forecaster.run(analysis, TIMES[:1], CONFIG, path, overwrite=True)
    xr.testing.assert_identical(forecast.load(), forecaster.run(analysis, TIMES[:1], CONFIG))


def test_another_forecast_does_not_resume(forecaster, analysis, path):
    interrupted(forecaster, analysis, path)
    with pytest.raises(UserError, match="holds part of another forecast"):
        forecaster.run(analysis, TIMES[:2], CONFIG.model_copy(update={"seed": 1}), path)


def test_overwrite_drops_an_interrupted_forecast(forecaster, analysis, path):
    interrupted(forecaster, analysis, path)
    other = CONFIG.model_copy(update={"seed": 1})
    forecast = forecaster.run(analysis, TIMES[:2], other, path, overwrite=True)
    xr.testing.assert_identical(forecast.load(), forecaster.run(analysis, TIMES[:2], other))


@pytest.mark.parametrize("seed", [0, 1], ids=["the same", "another"])
def test_a_forecast_that_meets_one_that_is_being_made_is_refused_and_leaves_it_whole(forecaster, analysis, path, seed):
    """Also where both may overwrite, and something older is there."""
    forecaster.forecast(analysis, TIMES[0], "6h", output=path)
    other, n_refused = CONFIG.model_copy(update={"seed": seed}), []

    def meet(done, total):
        with pytest.raises(UserError, match=r"another process is making .* forecast at .*; wait for it"):
            forecaster.run(analysis, TIMES[:2], other, path, overwrite=True)
        n_refused.append(done)

    forecast = forecaster.run(analysis, TIMES[:2], CONFIG, path, overwrite=True, progress=meet)
    assert n_refused
    xr.testing.assert_identical(forecast.load(), forecaster.run(analysis, TIMES[:2], CONFIG))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_existing_output_is_refused(forecaster, analysis, path):
    path.mkdir()
    with pytest.raises(UserError, match="exists; choose another path"):
        forecaster.forecast(analysis, TIMES[0], "18h", output=path)
    assert not list(path.iterdir())


def test_existing_output_stays_until_its_replacement_is_whole(forecaster, analysis, path):
    old = forecaster.forecast(analysis, TIMES[0], "18h", output=path).load()
    with pytest.raises(KeyboardInterrupt):
        forecaster.run(analysis, TIMES[:2], CONFIG, path, overwrite=True, progress=interrupt_after(1))
    xr.testing.assert_identical(open_forecast(path).load(), old)
    new = forecaster.run(analysis, TIMES[:2], CONFIG, path, overwrite=True)
    assert new.sizes["number"] == 6
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_output_without_room_is_refused_beforehand(forecaster, analysis, path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100))
    with pytest.raises(UserError, match=r"needs up to \d+\.?\d* [kM]?B and .* has 100 B free"):
        forecaster.forecast(analysis, TIMES[0], "18h", output=path)
    assert not list(path.parent.iterdir())


def test_disk_that_fills_up_is_one_line_and_no_output(forecaster, analysis, path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with pytest.raises(UserError, match="No space left on device; make room, then run the same forecast again"):
        forecaster.forecast(analysis, TIMES[0], "18h", output=path)
    assert not path.exists()


def test_what_is_no_forecast_is_not_opened(tmp_path):
    with pytest.raises(UserError, match="no zarr store"):
        open_forecast(tmp_path / "nothing.zarr")
    zarr.create_group(tmp_path / "other.zarr")
    with pytest.raises(UserError, match="no finished forecast"):
        open_forecast(tmp_path / "other.zarr")


def stopped(init, number, value=400.0):
    return Stopped(init=init, number=number, lead=12 * 3600 * 10**9, channel="temperature_850", value=value)


def store(path, share=WHOLE):
    layout = Layout(SPEC, TIMES[:2], np.arange(1, 4) * TIME_STEP, np.arange(5), (3, 2))
    return MembersOutput(WorkDir(path, "same", Record(), overwrite=False), layout, {}, share)


def test_failures_are_kept_when_resuming_and_listed_by_member(path):
    output = store(path)
    output.end_batches((0,), [stopped(1, 3), stopped(0, 4)])
    output.close()
    resumed = store(path)
    resumed.end_batches((1,), [stopped(0, 2, value=float("nan"))])
    forecast = resumed.finish()
    assert [sentence[:37] for sentence in forecast.attrs["failed"]] == [
        "init_time 2020-02-27T00:00 number 2 a",
        "init_time 2020-02-27T00:00 number 4 a",
        "init_time 2020-02-27T06:00 number 3 a",
    ]
    lead = forecast["stopped_lead"].sel(init_time=TIMES[0]).values
    assert (lead / TIME_STEP)[[2, 4]].tolist() == [2, 2] and np.isnat(lead[[0, 1, 3]]).all()
    names = forecast["stopped_channel"].attrs["flag_meanings"].split()
    assert names[forecast["stopped_channel"].values[1, 3]] == "temperature_850"
    assert forecast["stopped_value"].values[1, 3] == 400 and np.isnan(forecast["stopped_value"].values[0, 2])


def test_a_forecast_whose_members_all_went_on_says_nothing_of_stopping(forecaster, analysis, path):
    forecast = forecaster.run(analysis, TIMES[:2], CONFIG, path)
    assert not [name for name in forecast.coords if str(name).startswith("stopped")]


def test_a_store_is_made_by_one_process_at_a_time(path):
    output = store(path)
    with pytest.raises(UserError, match="another process is making this very forecast"):
        store(path)
    output.close()
    store(path).close()


def test_rounding_stays_within_the_stated_error(forecaster, analysis):
    exact = forecaster.forecast(analysis, TIMES[0], "18h")
    rounded = forecaster.run(analysis, TIMES[0], ForecastConfig(lead_time="18h", rounding=0.02))
    largest = float(abs(rounded["geopotential"] - exact["geopotential"]).max())
    allowed = 0.02 * forecaster.suites[0].normalizer.statistics.std[SPEC.index("z500")]
    assert 0.2 * allowed < largest <= allowed


def test_rounding_clears_trailing_bits():
    quantum = rounding_quantum(np.array([0.03, 40.0], np.float32))
    assert quantum.tolist() == [2**-5, 64]
    values = np.random.default_rng(0).normal(250, 9, (3, 4, 2, 5, 6)).astype(np.float32)
    units = Units(np.ones(2, np.float32), np.ones((1, 2, 1, 1), np.float32), np.ones((2, 5, 6), bool))
    nothing = np.full(2, -np.inf, np.float32)
    rounded = np.asarray(to_physical(values, np.array([3, 1]), units, np.ones((2, 1), np.float32), nothing, quantum))
    np.testing.assert_allclose(rounded[:, :, 0], values[:2, [3, 1], 0] + 1, atol=2**-6)
    assert (rounded[:, :, 0].view(np.uint32) & 0x3FF == 0).all()
