"""Laws of `weatherml forecast`: what it refuses before anything is made, what goes on, what is replaced."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from numpy_weights import drawn_checkpoint
from tiny_experiment import done, refused, weatherml

from weatherml.checkpoint import Checkpoint
from weatherml.data.reading.opening import open_files
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.products.store import add_coordinates, open_forecast, without_stopped
from weatherml.state import StateSpec

SPHERICAL = "perturbation=spherical"


@pytest.fixture(scope="module")
def words(tiny_run):
    """Return a function from what differs to the words of a forecast from the tiny run."""

    def spell(output, *more, checkpoint=tiny_run.checkpoint, analysis=tiny_run.store, init=("2000-01-12",)):
        times = [word for time in init for word in ("--init", time)]
        return ["forecast", checkpoint, "--analysis", analysis, *times, "-o", output, "--lead", "12h", *more]

    return spell


@pytest.fixture(scope="module")
def spoilt(tiny_run, tmp_path_factory):
    """Return a folder of analyses and a checkpoint that do not fit the tiny run."""
    folder = tmp_path_factory.mktemp("spoilt")
    analyses = open_files(tiny_run.store).load()
    analyses.drop_vars("temperature").to_netcdf(folder / "lack.nc")
    gap = analyses.copy(deep=True)
    gap["geopotential"].loc[{"time": "2000-01-13"}][0, 0, 3, 4] = np.nan
    gap.to_netcdf(folder / "gap.nc")
    analyses.isel(latitude=slice(1, None)).to_netcdf(folder / "grid.nc")
    smaller(Checkpoint.load(tiny_run.checkpoint)).save(folder / "smaller")
    return folder


def smaller(checkpoint):
    """Return a model of all channels but the last, with a step of twelve hours."""
    old = checkpoint.normalizer.statistics
    spec, step = StateSpec(old.spec.channels[:-1], old.spec.grid), 2 * old.time_step
    moments = {name: getattr(old, name)[:-1] for name in ("mean", "std", "difference_std", "valid")}
    normalizer = Normalizer(replace(old, spec=spec, time_step=step, values=None, **moments))
    forcings = Forcings(checkpoint.forcings.names, spec.grid, step, checkpoint.forcings.dataset)
    return drawn_checkpoint(checkpoint.model, forcings, normalizer, checkpoint.provenance, seed=1)


def listing(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in Path(folder).rglob("*")}


def bad_options():
    def setting(*values):
        return tuple(word for value in values for word in ("--set", value))

    yield ("--lead", "7h"), "lead_time 7h is not a multiple of the spacing of outputs, 6h; the nearest are 6h and 12h"
    yield ("--seed", "1", *setting("seed=2")), "seed is given by an option of its own and by --set seed=2; pass one"
    yield ("--lead", "0h"), "duration '0h' must be a positive number of"
    yield ("--lead", "week"), "duration 'week' must be a positive number of"
    yield ("--lead", "1000000d"), "duration '1000000d' is longer than 106751d"
    yield ("--lead", "P1M"), "duration 'P1M' has months or years, whose length varies; write it in days"
    yield ("--lead", "42"), "duration '42' must be a positive number of w, d, h, min or s: '42d', '42h' or '42min'?"
    yield ("--every", "P1W"), "lead_time 12h is not a multiple of the spacing of outputs, 168h; the nearest is 168h"
    yield setting("rounding=-1e-3"), "rounding: Input should be greater than 0, got -0.001"
    yield ("--lead", "100000d"), "a lead_time of 100000d from 2000-01-12T00:00 ends after the year 2261"
    yield ("--every", "4h"), "every 4h cannot be reached by steps of 6h; the nearest that can is 6h"
    yield ("--every", "9h", "--lead", "9h"), "lead 9h cannot be reached by steps of 6h; the nearest that can are 6h and"
    yield ("--every", "24h"), "lead_time 12h is not a multiple of the spacing of outputs, 24h; the nearest is 24h"
    yield setting("members=0"), "members: Input should be greater than 0, got 0"
    yield setting("members=2.5"), "members: Input should be a valid integer, got 2.5"
    yield setting("members=1000001", SPHERICAL), "members: Input should be less than or equal to 1000000"
    yield setting("members=2"), "2 members without a perturbation would all be the same"
    yield ("--perturbation", "spherical"), "one member alone is the unperturbed control; pass --members 20 to perturb"
    yield setting(SPHERICAL), "pass --members 20"
    yield (
        setting("members=3", "perturbation.scale=2"),
        "perturbation: 'name' is missing; say which perturbation it is: ",
    )
    yield setting("members=3", SPHERICAL, "numbers=[1, 3]"), "numbers must lie in 0 .. 2 of 3 members, got 3"
    yield setting("members=3", SPHERICAL, "numbers=[]"), "numbers must lie in 0 .. 2 of 3 members, got none"
    yield setting("members=3", "perturbation=sperical"), "unknown perturbation 'sperical'; did you mean 'spherical'"
    yield setting("members=3", "perturbation={name: spherical, scale: -1}"), "scale: Input should be greater than or eq"
    yield setting("members=3", "perturbation={name: spherical, scale: .inf}"), "scale: Input should be a finite number"
    yield setting("members=3", "perturbation={name: spherical, amplitude: {q700: 2}}"), "amplitude names 'q700'"
    yield setting("members=99", "perturbation=lagged"), "lagged member 45 starts from the analysis of 1999-12-31T18:00"
    yield setting("seed=-1"), "seed: Input should be greater than or equal to 0, got -1"
    yield setting("batch=0"), "batch: Input should be greater than 0, got 0"
    yield setting("batch=1000000000"), "batch: Input should be less than or equal to 10000"
    yield setting("rounding=0"), "rounding: Input should be greater than 0, got 0"
    yield setting("rounding=.nan"), "rounding: Input should be a finite number, got nan"
    yield setting("channels=[q500]"), "no channel 'specific_humidity_500'"
    yield setting("channels=[]"), "a state needs at least one channel"
    yield setting("statistics={quantiles: [1.5]}"), "quantiles must rise within 0 .. 1, got [1.5]"
    yield setting("statistics={thresholds: {q500: [1]}}"), "no channel 'specific_humidity_500'"
    yield setting("statistics={thresholds: {t850: [.nan]}}"), "thresholds.t850.0: Input should be a finite number"
    yield setting("seed=["), "is not YAML"
    yield setting("membres=2"), "did you mean 'members'"
    yield ("--resume",), "there is no forecast to resume at"
    yield ("--resume", "--overwrite"), "--resume goes on with a forecast, --overwrite replaces it; pass one of them"
    yield ("--models", "nowhere"), "nowhere is not a checkpoint"


@pytest.mark.parametrize(("options", "reason"), list(bad_options()), ids=lambda value: str(value)[:50])
def test_what_cannot_be_made_is_refused_and_nothing_is_left(words, tmp_path, options, reason):
    assert reason in refused(*words(tmp_path / "f.zarr", *options))
    assert not list(tmp_path.iterdir())


def test_models_of_the_same_step_are_refused(words, tiny_run, tmp_path):
    assert "two models take steps of 6h" in refused(*words(tmp_path / "f.zarr", "--models", tiny_run.checkpoint))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("init", "reason"),
    [
        (
            ("2030-01-01",),
            "no init_time 2030-01-01T00:00; choose among its 64 times from 2000-01-01T00:00 to 2000-01-16",
        ),
        (("2000-01-12T03",), "no init_time 2000-01-12T03:00"),
        (("20000112 03Z",), "no init_time 2000-01-12T03:00"),
        (("2000011203",), "no init_time 2000-01-12T03:00"),
        (("2000-01-12T05:00+02:00",), "no init_time 2000-01-12T03:00"),
        (("2000-01-12", "20000112"), "init_time 2000-01-12T00:00 is given twice"),
        (("2000-01-12", "soon"), "init_time 'soon' is no ISO 8601 time"),
        (("2000-01-12", "2000-01-12T00"), "init_time 2000-01-12T00:00 is given twice"),
        (("1500-01-01",), "init_time '1500-01-01' lies outside the years"),
    ],
)
def test_an_init_time_that_cannot_be_used_is_refused(words, tmp_path, init, reason):
    assert reason in refused(*words(tmp_path / "f.zarr", init=init))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("analysis", "reason"),
    [
        ("none.zarr", "none.zarr does not exist"),
        ("lack.nc", "no variable 'temperature'"),
        ("gap.nc", "analysis at 2000-01-13T00:00 has missing values of geopotential_500"),
        ("grid.nc", "grid"),
    ],
)
def test_analyses_that_do_not_fit_are_refused(words, spoilt, tmp_path, analysis, reason):
    spelt = words(tmp_path / "f.zarr", analysis=spoilt / analysis, init=("2000-01-12", "2000-01-13"))
    assert reason in refused(*spelt)
    assert not list(tmp_path.iterdir())


def test_a_model_of_another_state_is_refused_by_the_channel(words, spoilt, tmp_path):
    message = refused(*words(tmp_path / "f.zarr", "--models", spoilt / "smaller"))
    assert "do not agree on channel 'u_component_of_wind_850'" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "kept", [(), ("statistics={mean: true}",), ("statistics={quantiles: [0.5], sketch_size: 512}",)], ids=str
)
def test_a_million_members_are_refused_by_their_size_and_soon(words, tmp_path, monkeypatch, kept):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("usage", "free")(10**9))
    settings = [word for value in ("members=1000000", SPHERICAL, *kept) for word in ("--set", value)]
    before = time.process_time()
    message = refused(*words(tmp_path / "f.zarr", *settings, "--lead", "10000d"))
    assert re.search("needs up to [0-9.]+ [GT]B and", message) and "has 1 GB free; make room, or keep fewer" in message
    assert time.process_time() - before < 30
    assert not list(tmp_path.iterdir())


def test_an_output_where_nothing_can_be_written_is_refused(words, tmp_path):
    (tmp_path / "file").write_text("notes")
    assert "is a file; choose another path" in refused(*words(tmp_path / "file" / "f.zarr"))
    assert "exists and is no forecast, so it is not replaced" in refused(*words(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "notes"


def test_a_name_of_files_is_refused_with_the_way_to_make_one(words, tmp_path):
    store = tmp_path / "f.zarr"
    for name, remedy in (("f.nc", "f.nc"), ("f.txt", "f.nc, or .grib2, what convert writes")):
        message = refused(*words(tmp_path / name))
        assert message.rstrip().endswith(f"write {store}, then: weatherml convert {store} -o {tmp_path / remedy}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", [(), ("--overwrite",), ("--resume",)], ids=str)
@pytest.mark.parametrize("thing", ["store", "checkpoint", "folder"])
def test_what_is_no_forecast_is_never_touched(words, tiny_run, thing, options):
    before = listing(tiny_run.folder)
    message = refused(*words(getattr(tiny_run, thing), *options))
    assert ("is read; choose another path" if thing == "store" else "exists") in message
    assert listing(tiny_run.folder) == before


@pytest.fixture
def finished(words, tmp_path):
    """Return a finished forecast."""
    done(*words(tmp_path / "f.zarr"))
    return tmp_path / "f.zarr"


def test_a_finished_forecast_is_kept_and_both_remedies_are_named(words, finished):
    before = listing(finished)
    message = refused(*words(finished))
    assert "--overwrite" in message and "--resume" in message
    assert listing(finished) == before


def test_resuming_a_finished_forecast_does_nothing(words, finished):
    before = listing(finished.parent)
    assert done(*words(finished, "--resume")) == f"{finished}\n"
    assert listing(finished.parent) == before


def test_another_forecast_that_is_finished_is_not_resumed(words, finished, spoilt):
    before = listing(finished.parent)
    message = refused(*words(finished, "--resume", "--set", "seed=1"))
    assert "is not this very forecast" in message and "--overwrite" in message and "choose another path" in message
    assert listing(finished.parent) == before


def test_overwrite_replaces_a_forecast(words, finished):
    assert done(*words(finished, "--overwrite", "--set", "channels=[t850]")) == f"{finished}\n"
    assert list(open_forecast(finished)) == ["temperature"]


@pytest.fixture(scope="module")
def killed(words, tmp_path_factory):
    """Return a folder with a forecast that was killed after a batch, and the words that made it."""
    folder = tmp_path_factory.mktemp("killed")
    long = ("--set", "members=60", "--set", SPHERICAL, "--set", "batch=1")
    program = [Path(sys.executable).with_name("weatherml"), *words(folder / "f.zarr", *long)]
    process = subprocess.Popen(list(map(str, program)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 120
    while process.poll() is None and not list(folder.glob(".f.zarr.partial/*/share-*.json")):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, process.stderr.read()
    return folder, long


def test_a_killed_forecast_goes_on_with_no_other_analyses(words, killed, tiny_run, tmp_path):
    folder, long = killed
    output = shutil.copytree(folder, tmp_path / "copy") / "f.zarr"
    mended = open_files(tiny_run.store).load()
    mended["temperature"].loc[{"time": "2000-01-12"}][0, 1, 3, 4] += 0.5
    mended.to_netcdf(tmp_path / "mended.nc")
    before = listing(output.parent)
    for resume in ((), ("--resume",)):
        message = refused(*words(output, *long, *resume, analysis=tmp_path / "mended.nc"))
        assert "holds part of another forecast" in message
    assert listing(output.parent).keys() == before.keys()


def test_a_killed_forecast_that_is_resumed_is_the_uninterrupted_one(words, killed, tmp_path):
    folder, long = killed
    output = shutil.copytree(folder, tmp_path / "copy") / "f.zarr"
    assert done(*words(output, *long, "--resume")) == f"{output}\n"
    done(*words(tmp_path / "whole.zarr", *long))
    xr.testing.assert_identical(open_forecast(output).load(), open_forecast(tmp_path / "whole.zarr").load())
    assert os.listdir(output.parent) == ["f.zarr"]


def test_members_that_stopped_are_counted_and_the_first_three_described(words, tmp_path):
    wild = ("--set", "members=6", "--set", "perturbation={name: spherical, scale: 500.0}")
    result = weatherml(*words(tmp_path / "f.zarr", *wild))
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'f.zarr'}\n"
    _, _, said = result.stderr.partition("5 members stopped and are missing from then on:\n")
    lines = said.splitlines()
    assert [line.split(" at ")[0].strip() for line in lines[:3]] == [
        f"init_time 2000-01-12T00:00 number {number}" for number in (1, 2, 3)
    ]
    assert lines[3:] == ["  ... and 2 more, in the attribute `failed` of the forecast"]


def test_info_describes_a_forecast(words, tmp_path):
    wild = ("--set", "members=6", "--set", "perturbation={name: spherical, scale: 500.0}", "--set", "batch=4")
    done(*words(tmp_path / "f.zarr", *wild))
    described = json.loads(done("info", tmp_path / "f.zarr", "--json"))
    assert described["members"] == 6 and described["batch"] == 4 and described["failed"] == 5
    assert described["lead times"] == "2, 6h to 12h"
    assert described["perturbation"]["name"] == "spherical" and described["perturbation"]["scale"] == 500
    assert len(described["first failed"]) == 3 and "number 1 at" in described["first failed"][0]
    assert described["unpacked"] == open_forecast(tmp_path / "f.zarr").nbytes
    assert described["size"] == sum(f.stat().st_size for f in (tmp_path / "f.zarr").rglob("*") if f.is_file())
    assert described["init times"] == "1, 2000-01-12T00:00"


def test_info_tells_how_many_members_statistics_are_of(words, tmp_path):
    kept = ("--set", "members=3", "--set", SPHERICAL, "--set", "statistics={mean: true}")
    done(*words(tmp_path / "f.zarr", *kept))
    described = json.loads(done("info", tmp_path / "f.zarr", "--json"))
    assert described["members"] == "statistics of 3" and described["failed"] == 0
    assert "first failed" not in described


def test_shares_make_the_forecast_and_a_member_alone_is_that_of_it(words, tmp_path):
    ensemble = ("--set", "members=4", "--set", "batch=1", "--set", SPHERICAL)
    output = tmp_path / "f.zarr"
    said = done(*words(output, *ensemble, "--share", "1/2"))
    assert f"share 1/2 is written; {output} appears when all shares are" in said
    assert not output.exists()
    assert done(*words(output, *ensemble, "--share", "0/2")).strip().endswith(str(output))
    flags = ("--members", 4, "--perturbation", "spherical", "--seed", 0, "--set", "batch=1")
    done(*words(tmp_path / "alone.zarr", *flags, "--only-member", 2))
    alone = open_forecast(tmp_path / "alone.zarr").load()
    xr.testing.assert_equal(alone, open_forecast(output).load().sel(number=[2]))


@pytest.fixture(scope="module")
def other(tiny_run, tmp_path_factory):
    """Return a checkpoint of the tiny run's network with other weights."""
    old, path = Checkpoint.load(tiny_run.checkpoint), tmp_path_factory.mktemp("other") / "checkpoint"
    drawn_checkpoint(old.model, old.forcings, old.normalizer, old.provenance, seed=2).save(path)
    return path


def test_members_of_models_in_turn_are_those_of_each(words, tiny_run, other, tmp_path):
    ensemble = ("--set", "members=3", "--set", "batch=1", "--set", SPHERICAL)
    together = words(tmp_path / "f.zarr", *ensemble, "--in-turn", other)
    assert done(*together) == f"{tmp_path / 'f.zarr'}\n"
    assert done(*together, "--resume") == f"{tmp_path / 'f.zarr'}\n"
    for checkpoint, numbers in ((tiny_run.checkpoint, [0, 2]), (other, [1])):
        path = tmp_path / f"alone{len(numbers)}.zarr"
        done(*words(path, *ensemble, *(word for n in numbers for word in ("--only-member", n)), checkpoint=checkpoint))
        expected = open_forecast(path).load()
        xr.testing.assert_equal(open_forecast(tmp_path / "f.zarr").sel(number=numbers).load(), expected)


def test_the_plan_of_each_model_in_turn_is_shown(words, tiny_run, other, tmp_path):
    shown = done(*words(tmp_path / "f.zarr", "--in-turn", other, "--show-plan"))
    assert shown.splitlines()[-1] == "6h to 12h  6h x 1 to 2 (2 leads)"
    assert shown.count("2 leads, 2 calls") == 2
    for checkpoint in (tiny_run.checkpoint, other):
        assert f"2 calls of fourcastnet in steps of 6h: {checkpoint}\n" in shown


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            ("--in-turn", "other", "--models", "other"),
            "--in-turn takes models that reach every lead alone; drop --models",
        ),
        (("--in-turn", "smaller"), "models 0 and 1 differ in channel 'u_component_of_wind_850'"),
        (("--in-turn", "nowhere"), "nowhere is not a checkpoint"),
    ],
)
def test_models_that_cannot_take_turns_are_refused(words, spoilt, other, tmp_path, options, reason):
    paths = {"other": other, "smaller": spoilt / "smaller"}
    assert reason in refused(*words(tmp_path / "f.zarr", *(paths.get(option, option) for option in options)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("share", "reason"),
    [
        ("2of3", "share '2of3' must read INDEX/COUNT"),
        ("2/2", r"there is no share 2 of 2 (2/2); count from 0: 0/2 to 1/2"),
        ("0/0", "share 0/0 is no share"),
    ],
)
def test_what_is_no_share_is_refused(words, tmp_path, share, reason):
    assert reason in refused(*words(tmp_path / "f.zarr", "--share", share))
    assert not listing(tmp_path)


def test_what_stopped_is_dropped_on_request(words, tiny_run, tmp_path):
    output = tmp_path / "f.zarr"
    wild = "perturbation={name: spherical, scale: 0.1, amplitude: {geopotential: 0}}"
    done(*words(output, "--set", "members=4", "--set", wild))
    store = zarr.open_group(output, mode="r+")
    store["temperature"][:, 1:, 2] = np.nan
    lead = np.full((store["temperature"].shape[0], 4), np.timedelta64("NaT", "ns"))
    lead[:, 2] = np.timedelta64(12 * 3600 * 10**9, "ns")
    add_coordinates(output, {"stopped_lead": xr.Variable(("init_time", "number"), lead)})
    assert "--drop-stopped" in refused("evaluate", output, tiny_run.store)
    assert "temperature" in done("evaluate", output, tiny_run.store, "--drop-stopped")
    done("plot", output, "--channel", "t850", "--drop-stopped", "-o", tmp_path / "t850.png", "--no-coastlines")
    assert without_stopped(open_forecast(output))["number"].values.tolist() == [0, 1, 3]


def test_statistics_are_not_scored(words, tiny_run, tmp_path):
    done(
        *words(tmp_path / "f.zarr", "--set", "members=3", "--set", SPHERICAL, "--set", "statistics={quantiles: [0.5]}")
    )
    assert "holds statistics of members" in refused("evaluate", tmp_path / "f.zarr", tiny_run.store)
