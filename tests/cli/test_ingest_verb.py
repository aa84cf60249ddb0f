"""`weatherml ingest` in every way that a store is made, changed and mended."""

import re
import shutil

import numpy as np
import pytest
import xarray as xr
from fake_data import contents
from tiny_experiment import done, refused, weatherml, write_config, write_files


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ingest_verb")
    config = write_files(folder)
    done("ingest", config, "-o", folder / "run")
    return config, folder / "run"


def test_shares_make_what_one_process_makes(run, tmp_path):
    config, whole = run
    assert "share 0/2 is written" in done("ingest", config, "-o", tmp_path / "run", "--share", "0/2")
    assert done("ingest", config, "-o", tmp_path / "run", "--share", "1/2").strip().endswith("data.zarr")
    assert contents(tmp_path / "run/data.zarr") == contents(whole / "data.zarr")


def test_what_is_damaged_is_found_and_mended(run, tmp_path):
    shutil.copytree(run[1], tmp_path / "run")
    store = tmp_path / "run/data.zarr"
    before = contents(store)
    shard, lost = store / "geopotential/c.0.0.0.0", store / "temperature/zarr.json"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    lost.unlink()
    found = weatherml("check", store, "--files")
    assert (found.exit_code, found.stdout.count("is missing or damaged")) == (1, 2)
    assert "2 of " in done("check", store, "--files", "--repair")
    assert contents(store) == before


def test_what_cannot_be_mended_says_why(run, tmp_path):
    shutil.copytree(run[1] / "data.zarr", tmp_path / "alone.zarr")
    assert "has no config.json" in refused("check", tmp_path / "alone.zarr", "--repair")
    assert "is no store that ingest has completed" in refused("check", run[0].parent / "weather.nc", "--files")
    assert "is no store that ingest has completed" in refused("check", run[0].parent / "weather.nc", "--repair")


def write_later(folder):
    """Write the weather of the sixteen days after."""
    with xr.open_dataset(folder / "weather.nc") as first:
        later = first.load().assign_coords(time=first["time"] + np.timedelta64(16, "D"))
    later.to_netcdf(folder / "later.nc")


def test_a_store_grows_where_it_is_told_to(tmp_path):
    config = write_files(tmp_path)
    done("ingest", config, "-o", tmp_path / "run")
    write_later(tmp_path)
    source = {"name": "files", "paths": [str(tmp_path / "weather.nc"), str(tmp_path / "later.nc")]}
    config = write_config(tmp_path / "more.yaml", source=source, channels=["z500", "t850"])
    assert "n_times 64, now 128" in refused("ingest", config, "-o", tmp_path / "run")
    done("ingest", config, "-o", tmp_path / "run", "--grow")
    assert xr.open_zarr(tmp_path / "run/data.zarr").sizes["time"] == 128


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--share", "2/2"), r"there is no share 2 of 2 \(2/2\); count from 0: 0/2 to 1/2"),
        (("--memory", "much"), "--memory 'much' is no size; write it as 2GiB or 800MB"),
        (("--memory", "4e9"), "--memory '4e9' is no size"),  # as in a configuration
        (("--memory", "1MB"), "--memory 1MB is less than 64 MiB"),
        (("--memory", ""), "--memory '' is no size"),
        (("-o", ""), "a path is empty; name a file or a folder"),
        (("-o", "s3://"), "s3:// names no bucket"),
        (("--refresh", ".."), "--refresh '' is no ISO 8601 time; write it like"),
        (("--refresh", "2000-01-05..2000-01-06"), "there is no store .* of which to refresh a period"),
    ],
)
def test_what_makes_no_sense_is_one_line(run, tmp_path, words, message):

    assert re.search(message, refused("ingest", run[0], "-o", tmp_path / "run", *words))


def test_a_period_is_refreshed(run, tmp_path):
    shutil.copytree(run[1], tmp_path / "run")
    better = xr.open_dataset(run[0].parent / "weather.nc").load()
    better["temperature"][8:12] += 1
    better.to_netcdf(tmp_path / "better.nc")
    source = {"name": "files", "paths": [str(tmp_path / "better.nc")]}
    config = write_config(tmp_path / "better.yaml", source=source, channels=["z500", "t850"])
    done("ingest", config, "-o", tmp_path / "run", "--refresh", "2000-01-03..2000-01-03")
    stored = xr.open_zarr(tmp_path / "run/data.zarr")["temperature"].sel(level=850)
    np.testing.assert_array_equal(stored.values, better["temperature"].sel(level=850).values)
    late = done("ingest", config, "-o", tmp_path / "run", "--refresh", "2000-01-03..2000-01-03", "--share", "1/2")
    assert "nothing was left to share 1/2, the refresh is complete; to replace the period once more, leave" in late


def test_a_source_alone_is_enough_and_what_it_made_can_be_mended_and_grown(run, tmp_path):
    weather = xr.open_dataset(run[0].parent / "weather.nc").load()
    weather.isel(time=slice(40)).to_netcdf(tmp_path / "a.nc")
    weather.isel(time=slice(40, 64)).to_netcdf(tmp_path / "b.nc")
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(f"source: {{name: files, paths: [{tmp_path}/{name}.nc]}}\n")
    done("ingest", tmp_path / "a.yaml", "-o", tmp_path / "run")
    store = tmp_path / "run/data.zarr"
    (store / "temperature/c.0.0.0.0").unlink()
    done("check", store, "--files", "--repair")
    done("ingest", tmp_path / "b.yaml", "-o", tmp_path / "run", "--grow")
    xr.testing.assert_equal(xr.open_zarr(store).load()["time"], weather["time"])


def test_all_that_is_missing_is_said_at_once(tmp_path):
    (tmp_path / "c.yaml").write_text("title: nothing\nchannels: [t2m]\n")
    assert "'source', 'periods', 'model' and 'training' are missing" in refused("train", tmp_path / "c.yaml")


def test_a_misspelt_key_is_named_before_what_is_missing(run):
    assert "unknown key 'sorce'; did you mean 'source'?" in refused("ingest", run[0], "sorce=files")


@pytest.mark.parametrize("value", ["", "5", "{}", "{name: }"])
def test_what_is_no_source_is_told_which_there_are(run, value):
    assert re.search(r"source: .*(archive, cds, files, simulated)\n$", refused("ingest", run[0], f"source={value}"))


def test_another_source_than_that_of_the_demonstration_needs_no_file(run, tmp_path):
    made = ("source.name=files", f"source.paths=[{run[0].parent}/weather.nc]")
    done("ingest", *made, "-o", tmp_path / "run")
    assert xr.open_zarr(tmp_path / "run/data.zarr").sizes["time"] == 64
    assert "spin_up_days" not in refused("train", *made, "-o", tmp_path / "other")


def test_a_source_that_was_cut_off_is_refused_in_one_line(tmp_path):
    (tmp_path / "cut.grib").write_bytes(b"GRIB" + bytes(200))
    source = {"name": "files", "paths": [str(tmp_path / "cut.grib")]}
    config = write_config(tmp_path / "cut.yaml", source=source, channels=["z500", "t850"])
    message = refused("ingest", config, "-o", tmp_path / "run")
    assert "cut.grib is cut off in the middle of a GRIB message; download it again" in message


def test_nothing_is_computed_from_a_store_that_is_damaged(run, tmp_path):
    shutil.copytree(run[1], tmp_path / "run")
    shard = tmp_path / "run/data.zarr/geopotential/c.0.0.0.0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 1
    shard.write_bytes(content)
    said = refused("statistics", run[0], "-o", tmp_path / "run")
    assert "geopotential/c.0.0.0.0 is missing or damaged" in said and "--files --repair" in said


def test_a_store_that_grew_by_files_of_later_times_alone_is_mended_from_all(tmp_path):
    config = write_files(tmp_path)
    done("ingest", config, "-o", tmp_path / "run")
    write_later(tmp_path)
    for _ in range(2):  # the second time there is nothing to grow by
        done("ingest", config, f"source.paths=[{tmp_path}/later.nc]", "-o", tmp_path / "run", "--grow")
    store = tmp_path / "run" / "data.zarr"
    before = contents(store)
    for file in before:
        if "/c.0." in file:
            (store / file).unlink()
    assert re.search("[1-9] of .* files made again", done("check", store, "--files", "--repair"))
    assert contents(store) == before


def test_no_store_is_made_within_another(run):
    before = sorted(run[1].rglob("*"))
    for place in (run[1] / "data.zarr", run[1] / "data.zarr" / "deep" / "er"):
        assert "lies in the zarr store" in refused("ingest", run[0], "-o", place)
        assert sorted(run[1].rglob("*")) == before
