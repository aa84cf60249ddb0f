"""Laws of the command line: what every verb does, and how it refuses."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_experiment import done, refused, weatherml, write_config, write_files

from weatherml.cli.settings import experiment_of
from weatherml.variables import VARIABLES

VERBS = (
    "demo",
    "download",
    "ingest",
    "statistics",
    "train",
    "plan",
    "forecast",
    "calibrate",
    "export",
    "convert",
    "evaluate",
    "check",
    "info",
    "plot",
    "import",
)


@contextmanager
def full_disk(n_bytes):
    """Let no file grow beyond a size, as a disk that is full does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def damaged(tiny_run, tmp_path):
    """Return a store in which one byte is wrong."""
    store = tiny_run.copy_to(tmp_path / "run", ("training", "forecast.zarr")) / "data.zarr"
    file = sorted((store / "temperature").glob("c.*"))[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    return store


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_an_example(verb):
    assert f"Example: weatherml {verb}" in " ".join(done(verb, "--help").split())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["forecst"], "No such command 'forecst'. Did you mean 'forecast'?; see root --help"),
        (["--verbose"], "No such option: --verbose; see root --help"),
        (["plot"], "Missing argument '"),
        (
            ["forecast", "--membr", "3"],
            "No such option: --membr",
        ),
        (["forecast", "--only-member", "one"], "Invalid value for '--only-member': "),
        (["demo", "-o"], "Option '-o' requires an argument; see weatherml --help"),
        (["import", "pang", "x"], "No such command 'pang'. Did you mean 'pangu'?; see root import --help"),
    ],
)
def test_a_misspelt_command_line_is_one_line(words, line):
    assert refused(*words).startswith(f"weatherml: {line}")


def test_a_wrong_number_of_an_option_is_shown():
    assert "'one'" in refused("forecast", "--seed", "one")


def test_help_names_every_verb():
    shown = done("--help")
    assert all(re.search(rf"\b{verb}\b", shown) for verb in VERBS)


def test_demo_prints_where_everything_is(tiny_run):
    printed = dict(re.split(r"\s{2,}", line) for line in tiny_run.stdout.splitlines())
    assert printed == {
        "report": str(tiny_run.folder / "report.html"),
        "forecast store": str(tiny_run.forecast),
        "checkpoint": str(tiny_run.checkpoint),
    }
    assert all(Path(path).exists() for path in printed.values())


def test_demo_shows_a_map_long_before_the_report(tiny_run):
    told = tiny_run.stderr.splitlines()
    n_ingest = next(
        n for n, line in enumerate(told) if not line.startswith("ingest")
    )  # slow machines say how far it is
    assert told[n_ingest - 1].startswith("ingest     done in")
    assert told[n_ingest].split()[-1] == str(tiny_run.folder / "first_look.png")
    assert (tiny_run.folder / "first_look.png").read_bytes().startswith(b"\x89PNG")


def test_demo_again_does_nothing_again(tiny_run):
    def state():
        return {path: path.stat().st_mtime_ns for path in tiny_run.folder.rglob("*")}

    before = state()
    assert done("demo", tiny_run.config, "-o", tiny_run.folder) == tiny_run.stdout
    assert state() == before


@pytest.mark.parametrize("thing", ["store", "forecast", "checkpoint"])
def test_info_as_json_describes_what_lies_there(tiny_run, thing):
    description = json.loads(done("info", getattr(tiny_run, thing), "--json"))
    expected = {"store": ("levels", [500, 850]), "forecast": ("members", 3), "checkpoint": ("grid", "12 x 24")}
    key, value = expected[thing]
    assert description[key] == value
    assert done("info", getattr(tiny_run, thing)).startswith("format" if thing == "store" else "kind")


def test_info_names_all_variables():
    assert len(json.loads(done("info", "--names", "--json"))) == len(VARIABLES)
    shown = done("info", "--names")
    assert all(name in shown for name in VARIABLES) and re.search(r"10m_u_component_of_wind +10u u10 u10m", shown)
    assert "info needs a path, or --names alone" in refused("info")


def test_info_writes_channels_by_variable(tiny_run):
    lines = [line.strip() for line in done("info", tiny_run.checkpoint).splitlines()]
    assert "temperature at 850 hPa" in lines and "u_component_of_wind at 850 hPa" in lines


def test_info_and_check_take_several_files(tmp_path):
    write_files(tmp_path)
    file = tmp_path / "weather.nc"
    (tmp_path / "again.nc").write_bytes(file.read_bytes())
    assert json.loads(done("info", file, tmp_path / "again.nc", "--json"))["times"]["n"] == 64
    assert json.loads(done("info", tmp_path / "weath*.nc", "--json"))["times"]["n"] == 64
    assert isinstance(json.loads(weatherml("check", file, tmp_path / "again.nc", "--json").stdout), list)


def test_check_of_a_sound_store_finds_no_error(tiny_run):
    findings = json.loads(done("check", tiny_run.store, "--json"))
    assert not [finding for finding in findings if finding["severity"] == "error"]


@pytest.mark.parametrize("verb", ["info", "check"])
@pytest.mark.parametrize(
    ("path", "words"), [("", "a path is empty"), (".", "without a zarr store"), ("/", "without a")]
)
def test_a_path_without_a_name_is_no_store(verb, path, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = weatherml(verb, path)
    assert result.exit_code == 2 and words in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_check_reports_a_wrong_checksum(damaged, options):
    result = weatherml("check", damaged, *options)
    assert result.exit_code == 1
    assert "is missing or damaged" in result.stdout
    assert "temperature" in result.stdout


def test_evaluate_as_json_is_strict_json(tiny_run):
    climatology = tiny_run.folder / "climatology.nc"
    words = ("--metric", "rmse", "--metric", "acc", "--climatology", climatology, "--json")
    printed = done("evaluate", tiny_run.forecast, tiny_run.store, *words)
    scores = json.loads(printed, parse_constant=pytest.fail)
    assert scores["lead_time"] == [6, 12, 18, 24]
    assert scores["channel"] == ["geopotential_500", "temperature_850"]
    estimates = scores["scores"]["rmse"][scores["bound"].index("estimate")]
    assert estimates[0] == sorted(estimates[0])  # errors grow with lead time
    assert scores["scores"]["acc"][1][0] == [None] * 4  # five initial times give no interval


def test_plot_draws_analyses_and_ensembles(tiny_run, tmp_path):
    options = ("--channel", "z500", "--no-coastlines", "-o")
    done("plot", tiny_run.store, *options, tmp_path / "analysis.png")
    done("plot", tiny_run.forecast, "--lead", "12h", *options, tmp_path / "ensemble.png")
    assert all((tmp_path / name).stat().st_size > 10_000 for name in ("analysis.png", "ensemble.png"))


def test_a_perturbation_of_the_control_alone_is_spoken_of(tiny_run, tmp_path, capsys):
    for members, said in ((1, "forecast.members is 1, the unperturbed control"), (2, "")):
        experiment_of([str(tiny_run.config), f"forecast.members={members}"], tmp_path / "run")
        told = capsys.readouterr().err
        assert told.startswith(said) and bool(told) == bool(said)
    assert not list(tmp_path.iterdir())


def test_statistics_prints_every_channel(tiny_run):
    printed = done("statistics", tiny_run.config, "-o", tiny_run.folder)
    assert all(name in printed for name in ("geopotential_500", "temperature_850", "u_component_of_wind_850"))


REFUSED_FILES = {
    "missing": (None, "does not exist"),
    "text.nc": (b"temperatures of July\n", "is not GRIB, NetCDF or zarr"),
    "empty.nc": (b"", "is empty"),
    "cut.grib": (b"GRIB" + bytes(200), "is cut off in the middle of a GRIB message"),
    "page.nc": (b"<html>not found</html>", "failed download"),
}


@pytest.mark.parametrize("verb", ["info", "check", "plot"])
@pytest.mark.parametrize("name", REFUSED_FILES)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, verb, name):
    content, reason = REFUSED_FILES[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    options = ("--channel", "t850", "-o", tmp_path / "map.png") if verb == "plot" else ()
    message = refused(verb, path, *options)
    assert str(path) in message
    assert reason in message
    assert not (tmp_path / "map.png").exists()


@pytest.mark.parametrize("layout", ["NETCDF4", "NETCDF3_64BIT"])
def test_a_netcdf_file_that_was_cut_off_is_refused(tmp_path, layout):
    import xarray as xr

    write_files(tmp_path)
    xr.load_dataset(tmp_path / "weather.nc").to_netcdf(tmp_path / "whole.nc", format=layout, engine="netcdf4")
    content = (tmp_path / "whole.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(content[: len(content) // 2])
    assert re.search(r"cut\.nc.*(cut off|damaged)", refused("info", tmp_path / "cut.nc"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--channel", "zz500"], "unknown variable 'zz'; known: "),
        (["--channel", "quux"], f", ... ({len(VARIABLES)} in all), see weatherml info --names"),
        (["--channel", "u10"], "no variable '10m_u_component_of_wind'"),
        (["--channel", "q500"], "no variable 'specific_humidity'"),
        (["--channel", "z300"], "no level 300 hPa"),
        (["--channel", "z"], "needs a pressure level"),
        (["--channel", "z500", "--lead", "7d"], "no lead_time 168h; the data have 4 from 6h to 24h"),
        (["--channel", "z500", "--lead", "week"], "duration 'week'"),
        (["--channel", "z500", "--time", "2020-01-01"], "no init_time 2020-01-01T00:00"),
        (
            ["--channel", "z500", "--lead", "10"],
            "duration '10' must be a positive number of w, d, h, min or s: '10d'",
        ),
        (["--channel", "z500", "--time", "20200101"], "no init_time 2020-01-01T00:00"),
        (["--channel", "z500", "--time", "2020-01-01T02+02:00"], "no init_time 2020-01-01T00:00"),
        (["--channel", "z500", "--time", "soon"], "time 'soon' is no ISO 8601 time"),
        (["--channel", "z500", "--time", "1500-01-01"], "time '1500-01-01' lies outside the years 1678 to 2261"),
        (["--channel", "z500", "-o", "map.bmpp"], "cannot end in '.bmpp'"),
    ],
)
def test_plot_refuses_what_is_not_there(tiny_run, tmp_path, monkeypatch, options, reason):
    monkeypatch.chdir(tmp_path)
    assert reason in refused("plot", tiny_run.forecast, *options)
    assert not list(tmp_path.iterdir())


def test_forecast_refuses_analyses_of_another_spec(tiny_run, tmp_path):
    write_files(tmp_path)
    words = ("--analysis", tmp_path / "weather.nc", "--init", "2000-01-12", "-o", tmp_path / "f.zarr")
    assert re.search("no variable 'u_component_of_wind'|grid", refused("forecast", tiny_run.checkpoint, *words))
    assert not (tmp_path / "f.zarr").exists()


@pytest.mark.parametrize("name", ["store", "config", "forecast"])
def test_forecast_refuses_what_is_no_checkpoint(tiny_run, tmp_path, name):
    words = ("--analysis", tiny_run.store, "--init", "2000-01-12", "-o", tmp_path / "f.zarr")
    assert "is not a checkpoint" in refused("forecast", getattr(tiny_run, name), *words)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--metric", "rsme"], "unknown metric 'rsme'; did you mean 'rmse'"),
        (["--metric", "acc"], "needs a climatology"),
        (["--metric", "acc", "--climatology", "nowhere.nc"], "nowhere.nc is no climatology"),
    ],
)
def test_evaluate_refuses_what_cannot_be_scored(tiny_run, options, reason):
    assert reason in refused("evaluate", tiny_run.forecast, tiny_run.store, *options)


def test_evaluate_refuses_a_truth_without_the_valid_times(tiny_run, tmp_path):
    import xarray as xr

    xr.open_zarr(tiny_run.store).isel(time=slice(0, 50)).to_netcdf(tmp_path / "early.nc")
    assert "the truth has no time 2000-01-13T12:00" in refused("evaluate", tiny_run.forecast, tmp_path / "early.nc")


def test_evaluate_refuses_what_is_no_forecast(tiny_run):
    assert "data.zarr is no forecast, it has dimensions" in refused("evaluate", tiny_run.store, tiny_run.store)
    assert "is not GRIB, NetCDF or zarr" in refused("evaluate", tiny_run.config, tiny_run.store)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere.yaml"], "cannot read configuration nowhere.yaml"),
        (["a.yaml", "b.yaml"], "one configuration file at most, got a.yaml and b.yaml"),
        (["sede=1"], "unknown key 'sede'; did you mean 'seed'"),
        (["model.widht=8"], "model: fourcastnet: unknown key 'widht'; did you mean 'width'"),
        (["seed=one"], "seed: Input should be a valid integer, got 'one'"),
        (["seed=["], "is not YAML"),
    ],
)
def test_a_configuration_with_a_mistake_is_refused_before_anything_is_made(tmp_path, monkeypatch, words, reason):
    monkeypatch.chdir(tmp_path)
    assert reason in refused("demo", *words)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_forecast_and_the_next_run_makes_it(tiny_run, tmp_path):
    words = ("--analysis", tiny_run.store, "--init", "2000-01-12", "--set", "lead_time=6h", "-o", tmp_path / "f.zarr")
    with full_disk(600):
        assert "cannot write" in refused("forecast", tiny_run.checkpoint, *words)
    assert not (tmp_path / "f.zarr").exists()
    assert "not finished" in refused("info", tmp_path / "f.zarr") or not list(tmp_path.iterdir())
    done("forecast", tiny_run.checkpoint, *words, "--overwrite")
    assert json.loads(done("info", tmp_path / "f.zarr", "--json"))["members"] == 1


def test_a_full_disk_leaves_no_whole_store_and_the_next_run_completes_it(tmp_path):
    words = ("ingest", write_files(tmp_path), "-o", tmp_path / "run")
    with full_disk(2000):
        assert "cannot write" in refused(*words)
    assert weatherml("check", tmp_path / "run" / "data.zarr").exit_code == 2
    done(*words)
    assert json.loads(done("info", tmp_path / "run" / "data.zarr", "--json"))["times"]["n"] == 64


def test_ctrl_c_in_training_is_one_line_and_the_next_run_finishes(tiny_run, tmp_path):
    config = write_config(tmp_path / "long.yaml", training=long_training(n_steps=300))
    run = tiny_run.copy_to(tmp_path / "run", ("training", "forecast.zarr"))
    words = [Path(sys.executable).with_name("weatherml"), "train", config, "-o", run]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words, **pipes, start_new_session=True)
    metrics = run / "training" / "metrics.jsonl"
    until(lambda: process.poll() is not None or (metrics.exists() and metrics.read_text()))
    os.killpg(process.pid, signal.SIGINT)  # to the process of the training, too, as terminals send it
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert re.fullmatch(r"weatherml: stopped at step \d+ of 300; run it again to go on\n", stderr)
    assert str(run / "training" / "checkpoints" / "best") in done("train", config, "-o", run)
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps == list(range(20, 301, 20))


def long_training(n_steps):
    every = {"log_every": 20, "validate_every": 200, "snapshot_every": 200}
    return {"stages": [{"n_steps": n_steps, "learning_rate": 0.001}], "batch_size": 4, **every}


def until(happened, seconds=120):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)
