"""A store in a bucket is the same store as in a folder, whoever makes it and however often they are killed."""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fake_data import FakeSource, analyses, contents
from s3_server import contents_of, keys_of, put_contents

from weatherml.data.loading.samples import Samples
from weatherml.data.reading.opening import open_files
from weatherml.data.sources import ArchiveConfig
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.making.engine import Dask
from weatherml.data.store.making.workspace import is_begun
from weatherml.data.store.opening import digest, open_store, verify
from weatherml.errors import UserError
from weatherml.state import spec_of
from weatherml.storage.cloud.objects import Objects
from weatherml.storage.places import lease, place_at
from weatherml.storage.share import Share

TESTS = Path(__file__).parents[2]


def dataset(n_times=14, better=False):
    fields = analyses(times=20)
    fields["geopotential_at_surface"] = fields["2m_temperature"][0].drop_vars("time") * 100
    if better:
        fields["2m_temperature"][9] += 1
    return fields.isel(time=slice(n_times))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return what a store in a folder consists of."""
    store = tmp_path_factory.mktemp("whole") / "store.zarr"
    ingest(FakeSource(dataset()), store, shard_length=4)
    return store


@pytest.fixture
def store(bucket):
    """Return the URL of a store in a bucket."""
    ingest(FakeSource(dataset()), f"{bucket}/era5.zarr", shard_length=4)
    return f"{bucket}/era5.zarr"


@pytest.fixture
def impatient(monkeypatch):
    """Take holders of leases for dead after two seconds, which is as fine as servers tell times."""
    for name, seconds in {"EXPIRY": 2.5, "BEAT": 0.3, "POLL": 0.05}.items():
        monkeypatch.setattr(lease, name, seconds)


def test_a_store_in_a_bucket_has_the_same_bytes_and_values(store, whole):
    assert contents_of(store) == contents(whole)
    assert digest(store) == digest(whole)
    xr.testing.assert_identical(open_store(store).load(), open_store(whole).load())
    assert verify(store) == []
    assert ingest(FakeSource(dataset()), store).n_written == 0


def test_training_samples_of_a_store_in_a_bucket_are_those_of_one_in_a_folder(store, whole):
    there, here = open_store(store), open_store(whole)
    statistics = compute_statistics(here, spec_of(here), ("2001", "2001"))
    forcings = Forcings(("latitude",), statistics.spec.grid, statistics.time_step)
    both = [Samples(data, Normalizer(statistics), forcings, 2, ("2001", "2001"), 2**13) for data in (there, here)]
    for one, other in zip(*(samples.gather([5, 0, 11]) for samples in both), strict=True):
        np.testing.assert_array_equal(one, other)


def test_shares_in_a_bucket_make_the_same_bytes(bucket, whole):
    url = f"{bucket}/shares.zarr"
    for index in (2, 0, 1):
        report = ingest(FakeSource(dataset()), url, None, 4, IngestOptions(share=Share(index, 3)))
        assert report.is_complete == (index == 1)
        if index == 0:
            with pytest.raises(UserError, match=r"shares.zarr is unfinished \(\d+ files written\)"):
                open_store(url)
    assert contents_of(url) == contents(whole)


def test_workers_of_dask_make_the_same_bytes_in_a_bucket(bucket, whole):
    pytest.importorskip("distributed", reason="needs the extra `cluster`")
    ingest(FakeSource(dataset()), f"{bucket}/d.zarr", None, 4, IngestOptions(engine=Dask(workers=1)))
    assert contents_of(f"{bucket}/d.zarr") == contents(whole)


def test_what_workers_are_told_of_a_bucket_holds_no_key(store):
    told = pickle.dumps((place_at(store), open_store(store)))
    assert b"geheim" not in told
    assert pickle.loads(told)[0].exists("manifest.json")
    xr.testing.assert_equal(pickle.loads(told)[1].load(), open_store(store).load())


@pytest.mark.parametrize("opener", [open_store, open_files])
def test_who_reads_a_store_in_a_bucket_that_loses_files_is_told_which_and_what_to_do(store, opener):
    field, place = opener(store)["2m_temperature"], place_at(store)
    told = rf"2m_temperature/c\.1\.0\.0 is {{}}.*; mend it with weatherml check {store} --files --repair"
    place.write("2m_temperature/c.1.0.0", b"?")
    with pytest.raises(UserError, match=told.format("damaged")):
        field.isel(latitude=3, longitude=4).load()
    place.remove(["2m_temperature/c.1.0.0"])
    with pytest.raises(UserError, match=told.format("gone")):
        field.isel(latitude=3, longitude=4).load()


def test_damage_in_a_bucket_is_found_and_mended(store, whole):
    place = place_at(store)
    place.write("geopotential/c.1.0.0.0", contents(whole)["geopotential/c.1.0.0.0"][:-1] + b"?")
    place.remove(["2m_temperature/c.2.0.0"])
    assert verify(store) == ["2m_temperature/c.2.0.0", "geopotential/c.1.0.0.0"]
    with pytest.raises(UserError, match=r"2m_temperature has lost 1 file, such as c\.2\.0\.0"):
        open_store(store)
    assert ingest(FakeSource(dataset()), store, options=IngestOptions(verify=True)).n_written == 2
    assert contents_of(store) == contents(whole)


class Killed(BaseException):
    """As a kill: nothing is asked of the bucket any more."""


def killed_before(n_requests, monkeypatch):
    """Let the server hear nothing from the n-th request on that would change the bucket; return a count of them."""
    asked = []

    def mortal(original):
        def ask(self, *words):
            asked.append(words)
            if len(asked) >= n_requests:
                raise Killed
            return original(self, *words)

        return ask

    for name in ("write", "send", "copy", "remove", "create", "replace"):
        monkeypatch.setattr(Objects, name, mortal(getattr(Objects, name)))
    return asked


def n_changes_of(action):
    with pytest.MonkeyPatch.context() as patched:
        asked = killed_before(10**6, patched)
        action()
    return len(asked)


def test_killed_before_any_request_readers_see_the_store_before_or_after(bucket, monkeypatch):
    """Of more times, another time coordinate and a better time at once."""
    store, old = f"{bucket}/changing.zarr", dataset()[["2m_temperature"]]
    ingest(FakeSource(old), store, shard_length=8)
    before = contents_of(store)
    options = IngestOptions(grow=True, refresh=("2001-01-03T06", "2001-01-03T06"))
    better = dataset(20, better=True)[["2m_temperature"]]

    def grow():
        ingest(FakeSource(better), store, options=options)

    n_changes = n_changes_of(grow)
    after = contents_of(store)
    seen = set()
    monkeypatch.setattr("weatherml.data.store.opening.A_WHILE", 0.0)
    for n in range(4, n_changes + 1, 4):
        put_contents(store, before)
        with monkeypatch.context() as patched:
            killed_before(n, patched)
            with pytest.raises(Killed):
                grow()
        try:
            found = open_store(store).load()
        except UserError as error:
            assert "interrupted while it was changed" in str(error)
            seen.add("changing")
        else:
            xr.testing.assert_equal(found, better if found.sizes["time"] == 20 else old)
            seen.add(found.sizes["time"])
        naive = xr.open_zarr(place_at(store).zarr).load()  # who knows nothing of weatherml
        assert naive.sizes["time"] in (14, 20) and not np.isnan(naive["2m_temperature"]).any()
        with monkeypatch.context() as patched:
            patched.setattr(lease, "EXPIRY", -1.0)  # what the killed one held
            grow()
        assert contents_of(store) == after
    assert seen == {14, "changing", 20}


PROGRAM = """
import sys
sys.path[:0] = {paths!r}
from fake_data import FakeSource
from test_buckets import dataset
from weatherml.data.store.ingest import ingest
print("ready", flush=True)
ingest(FakeSource(dataset(), delay=0.2), {store!r}, shard_length=4)
"""


def test_a_process_that_was_killed_is_waited_for_and_its_work_goes_on(bucket, whole, impatient, caplog):
    url = f"{bucket}/killed.zarr"
    script = PROGRAM.format(paths=[str(Path(__file__).parent), str(TESTS)], store=url)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    deadline = time.monotonic() + 60
    while not any("/c." in key for key in keys_of(url)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    ingest(FakeSource(dataset()), url, shard_length=4)
    assert contents_of(url) == contents(whole)
    assert any("gave no sign of life" in message for message in caplog.messages)


def test_two_ingestions_into_one_store_do_not_meet(bucket, whole, impatient):
    url, met = f"{bucket}/two.zarr", []

    def ingest_too(done, total):
        if not met:
            met.append(done)
            with pytest.raises(UserError, match=rf"another ingestion is writing to {url}; wait for it"):
                ingest(FakeSource(dataset()), url, shard_length=4)

    ingest(FakeSource(dataset()), url, ingest_too, 4)
    assert contents_of(url) == contents(whole)


def test_who_was_silent_too_long_finds_its_place_taken_and_changes_nothing(store, tmp_path, monkeypatch):
    held_up = []

    def sleep_through_another(done, total):
        if not held_up:
            held_up.append(done)
            monkeypatch.setattr(lease, "EXPIRY", -1.0)
            ingest(FakeSource(dataset(17)), store, options=IngestOptions(grow=True))

    with pytest.raises(UserError, match="was taken over by another, since the bucket had no sign of it"):
        ingest(FakeSource(dataset(20)), store, sleep_through_another, options=IngestOptions(grow=True))
    ingest(FakeSource(dataset(17)), tmp_path / "grown", shard_length=4)
    assert contents_of(store) == contents(tmp_path / "grown")


def test_a_worker_does_not_send_what_another_ingestion_would_take_for_its_own(bucket, monkeypatch):
    url = f"{bucket}/worker.zarr"
    place = place_at(url)

    def take_over(self, key, file, original=Objects.send):
        raise AssertionError(f"{key} was sent")

    class Slow(FakeSource):
        def read(self, times, variables):
            if place.exists(".ingest/request.json"):
                place.write(".ingest/request.json", b'{"source": "of another"}')
            return super().read(times, variables)

    monkeypatch.setattr(Objects, "send", take_over)
    with pytest.raises(UserError, match="another ingestion has taken the place of this one"):
        ingest(Slow(dataset()), url, shard_length=4)


def test_a_store_in_a_bucket_is_a_source(store):
    source = ArchiveConfig(url=store).open(None)
    read = source.read(source.times()[3:5], ["2m_temperature"])
    np.testing.assert_array_equal(read["2m_temperature"], dataset()["2m_temperature"][3:5])


def test_nothing_is_left_on_this_machine(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "weatherml-outgoing-of-a-process-that-was-killed"
    (left / "files").mkdir(parents=True)
    os.utime(left, (0, 0))
    ingest(FakeSource(dataset()), f"{bucket}/temporary.zarr", shard_length=4)
    assert list(tmp_path.iterdir()) == []


def test_without_room_for_what_waits_to_be_sent_that_is_said(bucket, small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk.folder))
    small_disk.fill(0)
    with pytest.raises(UserError, match=r"cannot write .*/disk: No space left on device; make room, .* TMPDIR names"):
        ingest(FakeSource(dataset()), f"{bucket}/full.zarr", shard_length=4)
    small_disk.clear()
    ingest(FakeSource(dataset()), f"{bucket}/full.zarr", shard_length=4)
    assert verify(f"{bucket}/full.zarr") == [] and not is_begun(f"{bucket}/full.zarr")


def test_a_place_with_other_objects_is_refused_and_left_alone(bucket):
    place_at(f"{bucket}/mine").write("thesis.tex", b"mine")
    with pytest.raises(UserError, match=r"mine holds other files, such as thesis\.tex"):
        ingest(FakeSource(dataset()), f"{bucket}/mine")
    assert contents_of(f"{bucket}/mine") == {"thesis.tex": b"mine"}


def test_a_store_of_a_later_version_is_refused(store):
    place_at(store).write("manifest.json", b'{"layout": 3}')
    for act in (open_store, lambda url: ingest(FakeSource(dataset()), url)):
        with pytest.raises(UserError, match=rf"{store} has layout 3, .*; install a newer one"):
            act(store)
