import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fake_data import FakeSource, analyses, contents

from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.making.shard import ShardFile
from weatherml.data.store.making.workspace import Recorder, Workspace
from weatherml.data.store.manifest import Manifest
from weatherml.data.store.opening import open_store, verify
from weatherml.errors import UserError


def dataset(n_times=29):
    fields = analyses(times=n_times)
    mask = np.arange(fields.sizes["longitude"]) < 3
    fields["sea_surface_temperature"] = fields["2m_temperature"].where(mask) + 290
    fields["geopotential_at_surface"] = fields["2m_temperature"][0].drop_vars("time") * 100
    return fields


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    store = tmp_path_factory.mktemp("whole") / "store.zarr"
    ingest(FakeSource(dataset()), store, shard_length=6)
    return store


def test_a_store_holds_the_values_of_its_source(whole):
    xr.testing.assert_equal(open_store(whole).load(), dataset())


def test_a_store_keeps_masks_and_static_fields(whole):
    stored = open_store(whole)
    assert stored["geopotential_at_surface"].dims == ("latitude", "longitude")
    assert np.isnan(stored["sea_surface_temperature"].values).mean() == 0.75


def test_one_file_holds_one_variable_over_one_shard(whole):
    files = {path for path in contents(whole) if path.startswith("geopotential/c")}
    assert files == {f"geopotential/c.{index}.0.0.0" for index in range(5)}


def test_shards_that_are_all_mask_have_a_file_too(tmp_path):
    fields = dataset(7)
    fields["sea_ice_cover"] = xr.full_like(fields["2m_temperature"], np.nan)
    ingest(FakeSource(fields), tmp_path / "store", shard_length=4)
    assert verify(tmp_path / "store") == []
    assert np.isnan(open_store(tmp_path / "store")["sea_ice_cover"].values).all()


def test_arrays_carry_cf_attributes(whole):
    attributes = open_store(whole)["geopotential"].attrs
    assert (attributes["units"], attributes["standard_name"]) == ("m2 s-2", "geopotential")


@pytest.mark.parametrize("n_times", [1, 5, 6, 7])
def test_any_number_of_times_can_be_stored(tmp_path, n_times):
    ingest(FakeSource(dataset(n_times)), tmp_path / "store", shard_length=6)
    xr.testing.assert_equal(open_store(tmp_path / "store").load(), dataset(n_times))


def test_shard_length_is_chosen_where_none_is_given(tmp_path):
    ingest(FakeSource(dataset()), tmp_path / "store")
    xr.testing.assert_equal(open_store(tmp_path / "store").load(), dataset())


def test_a_second_run_writes_nothing(whole):
    before = contents(whole)
    assert ingest(FakeSource(dataset()), whole).n_written == 0
    assert contents(whole) == before


def test_progress_counts_every_file_to_the_last(tmp_path):
    seen = []
    report = ingest(FakeSource(dataset()), tmp_path / "store", lambda done, total: seen.append((done, total)), 12)
    assert seen == [(n, report.n_files) for n in range(1, report.n_files + 1)]


@pytest.mark.parametrize(
    ("damage", "file"),
    [("flipped", "geopotential/c.2.0.0.0"), ("shortened", "geopotential/zarr.json"), ("deleted", "time/c/0")],
)
def test_only_damaged_files_are_written_again(tmp_path, whole, damage, file):
    store = tmp_path / "store.zarr"
    ingest(FakeSource(dataset()), store, shard_length=6)
    content = (store / file).read_bytes()
    if damage == "deleted":
        (store / file).unlink()
    else:
        (store / file).write_bytes(content[:-1] + (bytes([content[-1] ^ 1]) if damage == "flipped" else b""))
    assert verify(store) == [file]
    assert ingest(FakeSource(dataset()), store, options=IngestOptions(verify=True)).n_written == 1
    assert contents(store) == contents(whole)


def test_files_that_are_there_are_taken_at_their_size_and_not_read_again(tmp_path):
    store = tmp_path / "store.zarr"
    ingest(FakeSource(dataset()), store, shard_length=6)
    for file in store.glob("*/c.*"):
        file.write_bytes(bytes(file.stat().st_size))
    assert ingest(FakeSource(dataset()), store).n_written == 0


INGEST = """
import sys
sys.path[:0] = {paths!r}
from fake_data import FakeSource
from test_ingest import dataset
from weatherml.data.store.ingest import IngestOptions, ingest
print("ready", flush=True)
ingest(FakeSource(dataset(), delay={delay}), {store!r}, shard_length=6)
"""


def start(store: Path, delay: float) -> subprocess.Popen:
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    script = INGEST.format(paths=paths, delay=delay, store=str(store))
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def n_shards(store: Path) -> int:
    return len(list(store.glob("*/c.*")))


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_killed_ingest_is_completed_to_the_same_bytes(tmp_path, whole):
    store = tmp_path / "store.zarr"
    for n in (3, 8):
        process = start(store, delay=0.3)  # seconds from being whole when the signal comes
        wait_for(lambda n=n: n_shards(store) > n)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with pytest.raises(UserError, match="unfinished"):
            open_store(store)
    ingest(FakeSource(dataset()), store, shard_length=6)
    assert contents(store) == contents(whole)


@pytest.mark.parametrize("n_writes", [0, 1, 2, 14, 27])
def test_a_crash_at_any_write_is_completed_to_the_same_bytes(tmp_path, whole, monkeypatch, n_writes):
    """As a kill: nothing runs after the fatal write, not even the clean-up."""

    class Killed(BaseException):
        pass

    written = []

    def replace(source, target, original=os.replace):
        if len(written) == n_writes:
            raise Killed
        written.append(target)
        original(source, target)

    store = tmp_path / "store.zarr"
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", replace)
        patched.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        with pytest.raises(Killed):
            ingest(FakeSource(dataset()), store, shard_length=6)
    ingest(FakeSource(dataset()), store, shard_length=6)
    assert contents(store) == contents(whole)


def test_an_interrupted_ingest_reports_what_it_has_and_goes_on(tmp_path, whole):
    def interrupt(done, total):
        if done == 15:
            raise KeyboardInterrupt

    store = tmp_path / "store.zarr"
    with pytest.raises(KeyboardInterrupt):
        ingest(FakeSource(dataset()), store, interrupt, 6)
    assert len(Workspace(store).notes()) == 15
    report = ingest(FakeSource(dataset()), store)
    assert report.n_written == report.n_files - 15
    assert contents(store) == contents(whole)


def test_two_ingests_into_one_store_do_not_meet(tmp_path):
    store = tmp_path / "store.zarr"

    def ingest_too(done, total):
        with pytest.raises(UserError, match="another ingestion is writing"):
            ingest(FakeSource(dataset()), store, shard_length=6)

    ingest(FakeSource(dataset()), store, ingest_too, 6)
    assert verify(store) == []


def test_a_full_disk_is_a_clear_error_and_leaves_nothing_that_looks_whole(tmp_path, monkeypatch, whole):
    def write(shard, position, values, original=ShardFile.write):
        original(shard, position, values)
        if shard.path.name.startswith("c.1"):
            raise OSError(errno.ENOSPC, "No space left on device")

    store = tmp_path / "store.zarr"
    with monkeypatch.context() as patched:
        patched.setattr(ShardFile, "write", write)
        with pytest.raises(UserError, match="No space left on device"):
            ingest(FakeSource(dataset()), store, shard_length=6)
    assert n_shards(store) == 4  # three variables of the first times and the static one
    assert not list(store.rglob("*.partial"))
    ingest(FakeSource(dataset()), store)
    assert contents(store) == contents(whole)


def test_a_file_size_limit_of_the_system_is_a_clear_error(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    rough = FakeSource(analyses(times=400))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        with pytest.raises(UserError, match=r"cannot write .*File too large"):
            ingest(rough, tmp_path / "store.zarr", shard_length=400)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with pytest.raises(UserError, match="unfinished"):
        open_store(tmp_path / "store.zarr")


@pytest.mark.parametrize(
    ("times", "value", "words"),
    [
        (
            slice(17, 21, 2),
            np.nan,
            "at 2001-01-05T06:00 is missing where the first time 2001-01-01T00:00 is not, at 1 po",
        ),
        (slice(17, 18), np.inf, "at 2001-01-05T06:00 is infinite, .*, at 1 point; .*or delete what is unfinished here"),
        (
            slice(0, 1),
            np.nan,
            "at 2001-01-01T06:00 has values where the first time 2001-01-01T00:00 has none, at 1 poi",
        ),
    ],
)
def test_values_that_come_and_go_are_refused_at_the_door_with_their_time(tmp_path, times, value, words):
    fields = dataset()
    fields["2m_temperature"][times, 3, 5] = value
    with pytest.raises(UserError, match=f"2m_temperature {words}"):
        ingest(FakeSource(fields), tmp_path / "store", shard_length=6)


def test_infinite_static_values_are_refused_at_the_door(tmp_path):
    fields = dataset()
    fields["geopotential_at_surface"][3, 5] = np.inf
    with pytest.raises(UserError, match="geopotential_at_surface is infinite"):
        ingest(FakeSource(fields), tmp_path / "store")


def test_another_source_is_refused_before_anything_changes(whole):
    before = contents(whole)
    with pytest.raises(UserError, match=r"made from other data or settings .*source_digest"):
        ingest(FakeSource(dataset() + 1), whole)
    with pytest.raises(UserError, match="shard_length 6, now 7"):
        ingest(FakeSource(dataset()), whole, shard_length=7)
    assert contents(whole) == before


def test_a_folder_of_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"holds other files, such as thesis\.tex"):
        ingest(FakeSource(dataset()), tmp_path)
    assert contents(tmp_path) == {"thesis.tex": b"mine"}


def test_a_source_that_cannot_be_read_leaves_nothing_behind(tmp_path):
    class Broken(FakeSource):
        def read(self, times, variables):
            raise UserError("file.nc is truncated")

    with pytest.raises(UserError, match="truncated"):
        ingest(Broken(dataset()), tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_files_and_their_names_are_on_the_disk_before_a_record_says_so(tmp_path, monkeypatch):
    store, flushed, named = tmp_path / "store.zarr", set(), set()

    def fsync(descriptor):
        place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        flushed.add(place)
        named.update(place.iterdir() if place.is_dir() else ())

    def save(recorder, original=Recorder.save):
        original(recorder)
        files = {store / workspace.key(file, ()) for file in workspace.notes()}
        assert files <= flushed and files <= named
        noted.append(len(files))

    workspace, noted = Workspace(store), []
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Recorder, "save", save)
    monkeypatch.setattr("weatherml.data.store.making.workspace._SECONDS_BETWEEN_RECORDS", 0.001)
    ingest(FakeSource(dataset()), store, shard_length=6)
    assert noted[-1] == len(Manifest.load(store).files) and len(set(noted)) > 3


def test_where_a_file_system_has_no_locks_that_is_said_and_not_that_another_ingestion_is_writing(
    tmp_path, monkeypatch, caplog, whole
):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    store = tmp_path / "store.zarr"
    ingest(FakeSource(dataset()), store, shard_length=6)
    assert f"the file system of {store} has no locks; files stand for them" in caplog.messages
    assert contents(store) == contents(whole)
