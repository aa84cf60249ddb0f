"""Devices, processes and memory change how a forecast is made, and not one bit of it."""

import multiprocessing
import os
import subprocess
import sys

import device_program
import pytest
import xarray as xr
from several_processes import begun_with_devices, ended
from tiny_forecast import TIMES, make_analysis, make_forecaster

from weatherml.products.store import open_forecast


def start(folder, *jobs, n_devices=1, is_killed=False):
    """Begin forecasts in a process of their own; return it, and a pipe in which it tells of what it has written."""
    heard, told = multiprocessing.Pipe(duplex=False)
    process = begun_with_devices(n_devices, device_program.work, folder, jobs, told, is_killed)
    told.close()
    return process, heard


def kill_after(process, heard, n_written):
    for _ in range(n_written):
        heard.recv()
    process.kill()
    process.join()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The forecasts of one device in one process."""
    folder = tmp_path_factory.mktemp("alone")
    for name in ("members", "statistics", "in_turn"):
        assert device_program.run(folder, name)
    return folder


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Those of three devices, each of which compiles for itself; the last have nothing to do in the last round."""
    folder = tmp_path_factory.mktemp("several")
    process, _ = start(folder, "members 0/1", "statistics 0/1", "in_turn 0/1", "alone 0/1", n_devices=3)
    assert ended(process) == 0
    return folder


def opened(folder, name):
    return open_forecast(folder / f"{name}.zarr").load()


@pytest.mark.parametrize("name", ["members", "statistics", "in_turn"])
def test_several_devices_give_the_bits_of_one(alone, several, name):
    xr.testing.assert_identical(opened(several, name), opened(alone, name))


def test_a_member_alone_on_several_devices_is_that_of_the_ensemble_on_one(alone, several):
    expected = opened(alone, "members").sel(number=[7])
    xr.testing.assert_equal(opened(several, "alone"), expected)


def test_statistics_that_were_killed_on_two_devices_go_on_with_one(alone, tmp_path):
    kill_after(*start(tmp_path, "statistics 0/1", n_devices=2, is_killed=True), 2)
    assert device_program.run(tmp_path, "statistics")
    found, expected = (opened(folder, "statistics").drop_attrs(deep=False) for folder in (tmp_path, alone))
    xr.testing.assert_identical(found, expected)


def test_processes_that_run_at_once_make_a_forecast_together(alone, tmp_path):
    others = [start(tmp_path, f"members {index}/3", f"statistics {index}/3") for index in (1, 2)]
    for name in ("members", "statistics"):
        device_program.run(tmp_path, name, "0/3")
    assert [ended(process) for process, _ in others] == [0, 0]
    xr.testing.assert_identical(opened(tmp_path, "members"), opened(alone, "members"))
    found, expected = opened(tmp_path, "statistics"), opened(alone, "statistics")
    xr.testing.assert_identical(found["temperature_maximum"], expected["temperature_maximum"])
    xr.testing.assert_allclose(found["temperature_mean"], expected["temperature_mean"], rtol=1e-6)


def test_a_share_that_was_killed_on_two_devices_is_made_by_others_with_one(alone, tmp_path):
    assert not device_program.run(tmp_path, "members", "0/2")
    kill_after(*start(tmp_path, "members 1/2", n_devices=2, is_killed=True), 1)
    assert not (tmp_path / "members.zarr").exists()
    assert device_program.run(tmp_path, "members")
    xr.testing.assert_identical(opened(tmp_path, "members"), opened(alone, "members"))


def test_members_that_do_not_fit_go_on_in_smaller_batches(tmp_path):
    """For want of memory, not by a pretended error; as had the smaller batch been asked for."""
    program = [sys.executable, device_program.__file__, tmp_path, str(1000 * 2**20)]
    process = subprocess.run(
        program, capture_output=True, text=True, check=False, env=os.environ | {"JAX_PLATFORMS": "cpu"}
    )
    assert process.returncode == 0, process.stderr
    assert "out of memory; the forecast goes on as with batch=4" in process.stderr
    smaller = device_program.CONFIGS["large"].model_copy(update={"batch": 4})
    forecaster = make_forecaster(device_program.Spacious())
    expected = forecaster.run(make_analysis(), TIMES[:2], smaller)
    xr.testing.assert_equal(opened(tmp_path, "large"), expected)


def test_the_batch_is_the_largest_that_compiled_programs_say_fits(monkeypatch):
    forecaster = make_forecaster(device_program.Spacious())
    config = device_program.CONFIGS["large"].model_copy(update={"batch": None})
    monkeypatch.setattr("weatherml.forecast.run.request.device_room", lambda device: 1400 * 2**20)
    assert forecaster.run(make_analysis(), TIMES[0], config).attrs["batch"] == 5
