"""`weatherml statistics` at once, in parts, and of what has come since."""

import shutil

import pytest
import xarray as xr
from tiny_experiment import done, refused


@pytest.fixture
def run(tiny_run, tmp_path):
    for name in ("data.zarr", "findings.txt", "first_look.png", "phases.json", "statistics.nc", "climatology.nc"):
        copy = shutil.copytree if (tiny_run.folder / name).is_dir() else shutil.copy
        copy(tiny_run.folder / name, tmp_path / name)
    return tiny_run.config, tmp_path


def numbers(folder):
    return xr.load_dataset(folder / "statistics.nc")[["mean", "std", "difference_std"]]


def test_parts_of_a_job_array_are_what_one_process_computes(run):
    config, folder = run
    whole = done("statistics", config, "-o", folder)
    at_once = numbers(folder)
    (folder / "statistics.nc").unlink()
    for part in ("1/2", "0/2"):
        assert f"part-{part[0]}-of-2.nc" in done("statistics", config, "-o", folder, "--part", part)
    assert done("statistics", config, "-o", folder, "--merge") == whole
    xr.testing.assert_allclose(numbers(folder), at_once, rtol=1e-6)
    done("statistics", config, "-o", folder, "--extend")
    xr.testing.assert_allclose(numbers(folder), at_once, rtol=1e-6)


def test_training_on_statistics_of_a_store_that_has_grown_is_refused(run):
    config, folder = run
    grown = xr.load_dataset(folder / "statistics.nc")
    text = grown.attrs["statistics"]
    n_times = int(text.split('"n_times": ')[1].split(",")[0])
    grown.attrs["statistics"] = text.replace(f'"n_times": {n_times}', f'"n_times": {n_times - 3}')
    grown.to_netcdf(folder / "statistics.nc")
    message = refused("train", config, "-o", folder)
    assert f"statistics.nc is of {n_times - 3} times of the training period, of which the store now has" in message
    assert "--extend" in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--part", "0/2", "--merge"), "--part, --merge and --extend are three things to do"),
        (("--part", "2/2"), "there is no part 2 of 2 (2/2); count from 0: 0/2 to 1/2"),
        (("--part", "one"), "part 'one' must read INDEX/COUNT"),
        (("--memory", "1kB"), "--memory 1kB is less than 1 MiB"),
    ],
)
def test_what_cannot_be_done_is_refused(run, words, message):
    assert message in refused("statistics", run[0], "-o", run[1], *words)


def test_parts_of_a_store_that_is_not_there_are_refused_in_one_line(tiny_run, tmp_path):
    message = refused("statistics", tiny_run.config, "-o", tmp_path / "empty", "--part", "0/2")
    assert f"there is no store at {tmp_path / 'empty' / 'data.zarr'}; write it with weatherml ingest" in message
