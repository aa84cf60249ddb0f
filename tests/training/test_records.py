"""What is kept of a training for people to look at is what happened."""

import gzip
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from tiny_training import arguments

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.loader import Speed
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.forecast import Forecaster
from weatherml.grid import LatLonGrid
from weatherml.products.reading import read_forecast
from weatherml.state import StateSpec, parse_channels
from weatherml.training import Stage, train
from weatherml.training.objective.losses import Loss, registry
from weatherml.training.records.device import flops_of, peak_flops, told_of
from weatherml.training.records.window import Waiting, Window
from weatherml.training.update.step import Outcome
from weatherml.training.validation.glimpse import losses_of_channels, spectra, telling

# ---- How long the device waits


def waited(starts, ends, began=0.0):
    """Tell of steps that are given at `starts` and end at `ends`, which are seen where the next has been given."""
    waiting = Waiting(_idle_since=began)
    for k, start in enumerate(starts):
        is_under_way = k > 0 and ends[k - 1] > start
        waiting.give(start, is_under_way)
        if is_under_way:
            waiting.see_end(ends[k - 1])
    return waiting.seconds


def test_a_device_that_always_has_its_next_step_waits_for_the_first_alone():
    assert waited([1.0, 1.1, 3.1, 5.1], [3.0, 5.0, 7.0, 9.0]) == pytest.approx(1.0)


def test_a_step_that_is_given_late_is_waited_for():
    """Steps take 2 s; the fourth is given a second after the third has ended, of which nobody saw the end."""
    assert waited([0.0, 0.1, 2.1, 7.0, 7.1], [2.0, 4.0, 6.0, 9.0, 11.0]) == pytest.approx(1.0)


def test_a_step_that_is_compiled_first_counts_for_no_speed():
    outcome = Outcome(jnp.float32(0), jnp.float32(1))
    speed, device, window = Speed(0.0, 1.0, "step"), jax.local_devices()[0], Window()
    with window.uncounted():
        time.sleep(0.5)
        window.add(outcome, 4, 1e9)
    assert "seconds_per_step" not in window.timings(speed, device) and window.pace(0.5) == "loss 0.5"
    window.add(outcome, 4, 1e3)
    told = window.timings(speed, device)
    assert told["seconds_per_step"] < 0.4 and told["samples_per_second"] == pytest.approx(4 / told["seconds_per_step"])
    assert told["flops_per_second"] == pytest.approx(1e3 / told["seconds_per_step"]) and len(window.pending) == 2


# ---- Losses by channel


@pytest.mark.parametrize(("name", "members"), [("mse", 1), ("mae", 1), ("crps", 2)])
def test_what_channels_add_is_the_loss(name, members):
    rng = np.random.default_rng(1)
    weights = jnp.asarray(rng.uniform(size=(3, 4, 5)), jnp.float32)
    loss = Loss(weights, jnp.asarray([[[1.0]], [[2.0]], [[0.5]]]), registry[name], members)
    forecast, truth = (jnp.asarray(rng.normal(size=(n, 3, 4, 5)), jnp.float32) for n in (2 * members, 2))
    by_channel = losses_of_channels(loss, forecast, truth)
    assert float(by_channel.sum()) == pytest.approx(float(loss(forecast, truth)), rel=1e-5)
    one = jnp.zeros(3).at[1].set(1)[:, None, None]
    alone = loss(one * forecast, one * truth)
    assert float(by_channel[1]) == pytest.approx(float(alone), rel=1e-5)


# ---- A forecast at each best validation


def test_the_forecast_that_is_kept_is_that_of_the_best_weights(tiny_run):
    folder = tiny_run.folder / "training" / "glimpse"
    seen, analysis = read_forecast(folder / "forecast.nc"), xr.open_dataset(folder / "analysis.nc")
    best = Checkpoint.load(tiny_run.checkpoint).provenance
    assert seen.attrs["optimiser_step"] == best.step
    init_time, lead = seen["init_time"].values[0], seen["lead_time"].values[0]
    again = Forecaster.load(tiny_run.checkpoint).forecast(open_store(tiny_run.store), init_time, lead)
    for name, own in seen.isel(init_time=0).items():
        field = own.dropna("level", how="all") if "level" in own.dims else own
        level = {"level": field["level"].values} if "level" in field.dims else {}
        expected = again[name].sel(lead_time=[lead], **level).squeeze("number", drop=True)
        np.testing.assert_allclose(field.values, expected.values, atol=1e-3 + 1e-4 * float(expected.std()))
        true = open_store(tiny_run.store)[name].sel(time=[init_time + lead], **level)
        np.testing.assert_allclose(analysis[name].sel(**level).values, true.values, rtol=1e-5, atol=1e-3)


def test_channels_that_are_seen_are_those_by_which_weather_is_judged():
    names = ["u50", "u850", "u1000", "z50", "z500", "z1000", "t2m", "q100", "t500", "t925", "msl", "sst"]
    chosen = list(map(str, telling(parse_channels(names))))
    told = ["z500", "t925", "t2m", "msl", "u850", "q100", "sst"]
    assert chosen == list(map(str, parse_channels(told)))


def test_entries_of_validations_tell_what_channels_add(tiny_run):
    entries = [json.loads(line) for line in (tiny_run.folder / "training" / "metrics.jsonl").read_text().splitlines()]
    validated = [entry for entry in entries if entry["validation_loss"] is not None]
    names = list(map(str, parse_channels(["z500", "t850", "u850"])))
    assert all(list(e["validation_loss_by_channel"]) == names for e in validated)
    assert all(min(e["validation_loss_by_channel"].values()) > 0 for e in validated)
    assert all("validation_loss_by_channel" not in e for e in entries if e["validation_loss"] is None)
    assert all(e["flops_per_second"] > 0 and 0 <= e["device_wait"] <= 1 for e in entries)


def test_spectra_tell_how_many_waves_are_around_the_globe():
    grid, channels = LatLonGrid.regular(6, 16), tuple(parse_channels(["t850", "z500"]))
    waves = np.array([2.0, 5.0])[:, None, None] * np.cos(3 * np.radians(grid.longitude)) + np.zeros((6, 16))
    found = spectra(np.stack([waves, 2 * waves]), StateSpec(channels, grid))
    assert found["forecast"].sel(channel="geopotential_500").values.argmax() == 3
    np.testing.assert_allclose(found["forecast"].sum("wavenumber"), [2.0, 12.5], rtol=1e-6)
    np.testing.assert_allclose(found["truth"], 4 * found["forecast"], atol=1e-9)


# ---- Operations


def test_operations_in_loops_count_as_often_as_they_run():
    @jax.jit
    def program(x, w):
        return jax.lax.scan(lambda x, _: (x @ w, None), x, None, length=7)[0]

    compiled = program.lower(jnp.ones((32, 64)), jnp.ones((64, 64))).compile()
    assert flops_of(compiled) == pytest.approx(7 * 2 * 32 * 64 * 64, rel=0.02)


class Accelerator:
    device_kind = "NVIDIA H100 80GB HBM3"

    def memory_stats(self):
        return {"bytes_in_use": 5, "peak_bytes_in_use": 7}


def test_shares_of_a_peak_and_memory_are_told_where_they_are_known():
    told = told_of(Accelerator(), 98.9e12)
    assert told == {
        "flops_per_second": 98.9e12, "peak_share": pytest.approx(0.1), "device_memory": 5, "device_memory_peak": 7,
    }  # fmt: skip
    assert peak_flops(jax.local_devices()[0]) is None
    assert "flops_per_second" not in told_of(Accelerator(), None)


# ---- A profile on demand


def short(**changes):
    return arguments(stages=(Stage(n_steps=5, learning_rate=1e-3),), log_every=2, validate_every=5, **changes)


def numbers_of(folder):
    events = (
        json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"] for trace in folder.rglob("*.trace.json.gz")
    )
    return {int(e["args"]["step_num"]) for own in events for e in own if e.get("name") == "optimiser step"}


def test_the_steps_that_are_asked_for_are_profiled_and_no_others(tmp_path):
    train(*short(profile_steps="2:3"), tmp_path)
    assert list((tmp_path / "profile" / "plugins" / "profile").rglob("*.xplane.pb"))
    assert numbers_of(tmp_path / "profile") == {2, 3}


@pytest.mark.parametrize(("steps", "first", "left"), [("2:3", {2, 3}, set()), ("3:5", {3, 4}, {5})])
def test_a_training_that_goes_on_records_what_is_left_of_its_steps(steps, first, left, tmp_path):
    def stop(step, n_steps, news):
        if step == 4:
            raise InterruptedError

    settings = short(profile_steps=steps, snapshot_every=2)
    with pytest.raises(InterruptedError):
        train(*settings, tmp_path, stop)
    (tmp_path / "profile").rename(tmp_path / "before")
    train(*settings, tmp_path)
    assert (numbers_of(tmp_path / "before"), numbers_of(tmp_path / "profile")) == (first, left)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("4:6", "steps 4:6 cannot be profiled: the training goes from step 1 to 5"),
        *((text, f"'{text}' must be the first and the last of some optimiser steps") for text in ("0:2", "3:2", "3")),
    ],
)
def test_steps_that_are_none_of_the_training_are_refused(steps, told, tmp_path):
    with pytest.raises(UserError, match=told):
        train(*short(profile_steps=steps), tmp_path)
