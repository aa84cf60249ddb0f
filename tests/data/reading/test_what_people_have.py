"""Layouts that people have, through every verb that reads: the values are the truth, or one line says why not."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import source_layouts
import xarray as xr
from people_layouts import FORECASTS, LAYOUTS, ONE, ONE_LEAD, TIMES, TRUTH, netcdf
from typer.testing import CliRunner

from weatherml.cli.app import app
from weatherml.cli.paths import check_paths, describe_paths
from weatherml.cli.printing.fields import Choice, draw
from weatherml.data.notes import notes
from weatherml.data.reading.opening import open_files
from weatherml.data.sources.files import FilesConfig, FileSource
from weatherml.errors import UserError
from weatherml.products import read_forecast

READ = [name for name, layout in LAYOUTS.items() if layout.expected is not None]
FOUND = [name for name, layout in LAYOUTS.items() if layout.is_found]
REFUSED = [name for name, layout in LAYOUTS.items() if layout.expected is None and not layout.is_found]


@pytest.fixture(scope="module")
def path_of(tmp_path_factory):
    """Return a function that writes a layout once and returns its path."""
    folder, written = tmp_path_factory.mktemp("people"), {}

    def write(name):
        if name not in written:
            written[name] = folder / f"{len(written)} {next((word for word in CHANNELS if word in name), '')}.data"
            LAYOUTS[name].write(written[name])
        return written[name]

    return write


def ingest(paths):
    source = FileSource(FilesConfig(paths=tuple(map(str, paths if isinstance(paths, list) else [paths]))))
    return source.read(source.times(), source.variables())


# What to draw of a layout with such a word in its name; else 2 m temperature.
CHANNELS = {"sums": "total_precipitation", "mask": "land_sea_mask"}
VERBS = {
    "open_files": lambda path: open_files(path).load(),
    "info": lambda path: describe_paths([str(path)]),
    "check": lambda path: check_paths([str(path)]),
    "plot": lambda path: draw(str(path), Choice(CHANNELS.get(path.stem.split()[-1], "t2m")), False),
    "ingest": lambda path: ingest(path).load(),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read_is_the_truth(path_of, name):
    layout = LAYOUTS[name]
    found, expected = ingest(path_of(name)).load(), layout.expected
    assert set(found.data_vars) == set(expected.data_vars)
    for field in expected.data_vars:
        assert found[field].dims == expected[field].dims
        spread = float(np.ptp(expected[field].values))
        np.testing.assert_allclose(
            found[field].values, expected[field].values, rtol=1e-7, atol=layout.relative * spread
        )
        for dim in expected[field].dims:
            np.testing.assert_array_equal(found[dim].values, expected[dim].values)


@pytest.mark.parametrize("name", READ)
def test_check_and_info_tell_what_was_done(path_of, name):
    path = str(path_of(name))
    findings = " ".join(f"{finding.subject}: {finding.message}" for finding in check_paths([path]))
    for words in LAYOUTS[name].says:
        assert re.search(words, findings), findings
    assert describe_paths([path]).get("layout", []) == notes(open_files(path))


@pytest.mark.parametrize("name", FOUND)
def test_what_check_finds_is_not_ingested(path_of, name):
    path = path_of(name)
    findings = check_paths([str(path)])
    errors = [f"{finding.subject} {finding.message}" for finding in findings if finding.severity == "error"]
    with pytest.raises(UserError) as caught:
        ingest(path)
    for words in LAYOUTS[name].says:
        assert re.search(words, " ".join(errors)) and re.search(words, str(caught.value))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_one_line_that_names_the_file(path_of, name, verb):
    path, layout = path_of(name), LAYOUTS[name]
    if (layout.is_forecast and verb in ("info", "plot")) or (layout.is_damaged and verb == "info"):
        assert VERBS[verb](path)
        return
    with pytest.raises(UserError) as caught:
        VERBS[verb](path)
    message = str(caught.value)
    assert path.name in message and "\n" not in message
    assert any(re.search(words, message) for words in layout.says), message


@pytest.mark.parametrize("kind", [kind for kind in FORECASTS if kind.startswith(("our", "WeatherBench", "earth2"))])
def test_a_forecast_of_one_lead_reads_alike_whoever_wrote_it(path_of, kind):
    found = read_forecast(path_of(f"forecast, {kind}")).load()
    assert found["2m_temperature"].dims == ("init_time", "lead_time", "number", "latitude", "longitude")
    assert found["lead_time"].values == np.timedelta64(6, "h") and found["number"].values == 0
    assert found["valid_time"].values[0, 0] == TIMES[1]
    np.testing.assert_array_equal(found["2m_temperature"][0, 0, 0], TRUTH["2m_temperature"][0])


@pytest.mark.parametrize("kind", ["cfgrib", "CF", "CF without a lead", "GRIB"])
def test_valid_times_follow_from_whatever_tells_them(path_of, kind):
    found = read_forecast(path_of(f"forecast, {kind}")).load()
    told = {"cfgrib": (3, 1, [6]), "GRIB": (1, 3, [0, 6, 18])}.get(kind, (1, 3, [0, 6, 12]))
    assert (found.sizes["init_time"], found.sizes["lead_time"]) == told[:2]
    assert (found["lead_time"].values / np.timedelta64(1, "h")).tolist() == told[2]
    assert found["valid_time"].values[0, 0] == TIMES[0] + np.timedelta64(told[2][0], "h")


def test_a_file_that_another_process_writes_is_not_damaged(tmp_path):
    path = tmp_path / "busy.nc"
    LAYOUTS["a datetime axis"].write(path)
    hold = f"import netCDF4; file = netCDF4.Dataset({str(path)!r}, 'a'); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()
        with pytest.raises(UserError, match=r"busy.nc .*; another process writes it; wait until that is done"):
            open_files(path)
        writer.communicate(b"\n")
    assert open_files(path)["2m_temperature"].shape == (3, 5, 8)


def run(*words):
    """Return exit code and what a verb of the program says."""
    result = CliRunner().invoke(app, list(map(str, words)))
    return result.exit_code, result.output


@pytest.mark.parametrize("verb", ["info", "check", "plot", "evaluate"])
@pytest.mark.parametrize("name", ["model_level_number", "damaged NetCDF", "no leap days"])
def test_verbs_of_the_program_end_with_one_line_and_code_2(path_of, tmp_path, verb, name):
    if LAYOUTS[name].is_damaged and verb == "info":
        return
    netcdf(ONE_LEAD)(tmp_path / "forecast.nc")
    path, options = path_of(name), {"plot": ("--channel", "t2m", "-o", tmp_path / "map.png")}.get(verb, ())
    code, said = run(verb, *((tmp_path / "forecast.nc", path) if verb == "evaluate" else (path,)), *options)
    assert code == 2 and said.count("\n") == 1 and path.name in said, said


def test_a_name_that_nobody_knows_is_given_in_every_verb(tmp_path):
    path = tmp_path / "codes.nc"
    netcdf(ONE.rename(t2m="var167"))(path)
    netcdf(ONE_LEAD)(tmp_path / "forecast.nc")
    named = ("--rename", "var167=2m_temperature")
    assert "2m_temperature" in run("info", path, *named)[1]
    assert run("check", path, *named)[0] == 0
    assert run("plot", path, "--channel", "t2m", "-o", tmp_path / "map.png", "--no-coastlines", *named)[0] == 0
    assert "2m_temperature" in run("evaluate", tmp_path / "forecast.nc", path, "--metric", "rmse", *named)[1]
    assert run("info", path, "--rename", "var167")[0] == 2


def test_thousandths_of_a_degree_are_of_one_grid(tmp_path):
    truth = source_layouts.truth(n_times=2, n_lat=11, n_lon=14)
    raw = source_layouts.raw(truth)
    source_layouts.write_grib(raw[["t2m"]], tmp_path / "thousandths.grib", edition=1)
    netcdf(raw[["msl"]])(tmp_path / "exact.nc")
    found = ingest([tmp_path / "exact.nc", tmp_path / "thousandths.grib"])
    assert found["2m_temperature"].shape == found["mean_sea_level_pressure"].shape == (2, 11, 14)
    np.testing.assert_allclose(found["2m_temperature"], truth["2m_temperature"], rtol=1e-6)


def test_variables_and_levels_that_are_asked_for_are_read_whatever_else_there_is(path_of):
    path = path_of("GRIB of every kind of level")
    found = open_files(path, ["t"], levels=[500, 850]).load()
    assert list(found.data_vars) == ["temperature"] and found["level"].values.tolist() == [500, 850]
    with pytest.raises(UserError, match=r"no variable 'u_component_of_wind' that is read .*u \(at 80 m\)"):
        open_files(path, ["u"])
    with pytest.raises(UserError, match=r"no level 700 hPa; they have 300, 500, 850"):
        open_files(path, ["t"], levels=[700])


def test_messages_that_are_missing_matter_only_where_they_are_wanted(tmp_path):
    field = source_layouts.raw(TRUTH)["t"].isel(time=0)
    levels = [(field.sel(level=hPa), {"typeOfLevel": "isobaricInhPa", "level": hPa}) for hPa in (300, 500)]
    whole = [(part, {**keys, "shortName": "t"}) for part, keys in levels]
    ragged = [(part.assign_coords(time=time), {**keys, "shortName": "cc"}) for part, keys in levels for time in TIMES]
    source_layouts.write_messages(tmp_path / "ragged.grib2", [*whole, *ragged[:-1]])
    assert open_files(tmp_path / "ragged.grib2")["temperature"].shape == (1, 2, 5, 8)
    wanted = [(part, {**keys, "shortName": "t"}) for part, keys in ragged[:-1]]
    source_layouts.write_messages(tmp_path / "wanted.grib2", wanted)
    with pytest.raises(UserError, match="lacks 1 of 6 fields of Temperature"):
        open_files(tmp_path / "wanted.grib2")


def test_a_file_without_a_row_is_refused_in_one_line(tmp_path):
    empty = xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), np.zeros((2, 0, 4), np.float32))},
        {"time": np.arange(2).astype("datetime64[D]").astype("datetime64[ns]"), "latitude": [], "longitude": range(4)},
    )
    empty.to_netcdf(tmp_path / "empty.nc")
    with pytest.raises(UserError, match=r"empty\.nc has no latitude: its latitude axis is empty"):
        open_files(tmp_path / "empty.nc")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_a_pipe_is_refused_where_opening_it_would_wait_for_ever(tmp_path):
    os.mkfifo(tmp_path / "pipe.nc")
    with pytest.raises(UserError, match=r"pipe\.nc is neither a file nor a folder"):
        open_files(tmp_path / "pipe.nc")
