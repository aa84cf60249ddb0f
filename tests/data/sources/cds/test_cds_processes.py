"""Downloads that are killed, interrupted, or meet each other."""

import signal
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import cds_server
import pytest
from cds_client import ONE, assert_true, config, left_over, write_settings
from kills import run_and_kill

from weatherml.data.sources.cds.download import download
from weatherml.data.sources.cds.ledger import Ledger
from weatherml.data.sources.cds.units import plan
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import digest
from weatherml.errors import UserError

PROGRAM = Path(sys.executable).with_name("weatherml")


def start(tmp_path, verb="download", *options):
    words = [PROGRAM, verb, write_settings(tmp_path), *options]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(what):
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_a_killed_process_had_fetched_is_not_fetched_again(store, tmp_path):
    store.hold.clear()
    process = start(tmp_path)
    partial = Ledger(tmp_path / "files").partial(plan(config(**ONE))[0])
    wait_until(lambda: partial.exists() and partial.stat().st_size)
    here = partial.stat().st_size
    process.kill()
    process.communicate()
    store.hold.set()
    assert len(download(config(**ONE), tmp_path / "files").files) == 1
    assert store.count("submit") == 1
    assert [seen.first_byte for seen in store.seen if seen.route == "file"] == [0, here]
    assert not left_over(tmp_path / "files")


def test_a_download_that_is_killed_at_any_change_of_the_disk_is_completed(store, tmp_path):
    for n in count(1):
        folder = tmp_path / str(n)
        was_killed = run_and_kill(lambda folder=folder: download(config(**ONE), folder), n)
        (file,) = download(config(**ONE), folder).files
        assert file.read_bytes() == cds_server.grib(store.inputs[0]) and not left_over(folder)
        if not was_killed:
            break
    assert n > 10
    # Of a process that dies between the answer and its record, the service keeps a request that nobody collects.
    assert store.count("submit") <= n + 5


def test_what_another_process_asked_for_is_collected(store, tmp_path):
    store.statuses.append(["accepted"])
    process = start(tmp_path)
    wait_until(lambda: store.count("job"))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130 and "run the same command again" in told
    store.jobs["job-1"].statuses[0] = "successful"
    assert_true(config(**ONE, folder=str(tmp_path / "files")).open(tmp_path))
    assert store.count("submit") == 1


def test_two_downloads_into_one_folder_at_once_are_refused(store, tmp_path):
    store.hold.clear()
    first = threading.Thread(target=download, args=(config(**ONE), tmp_path))
    first.start()
    wait_until(lambda: store.count("file"))
    with pytest.raises(UserError, match="another process is downloading into"):
        download(config(), tmp_path)
    store.hold.set()
    first.join()


def test_shares_that_begin_at_once_wait_for_the_one_that_downloads_and_go_on_where_it_dies(store, tmp_path):
    def share(index):
        return start(tmp_path, "ingest", "-o", tmp_path / "run", "--share", f"{index}/3")

    store.hold.clear()
    first = share(0)
    wait_until(lambda: store.count("file"))
    others = [share(1), share(2)]
    for other in others:
        while "waiting for it" not in (line := other.stderr.readline()):
            assert line
    first.kill()
    first.communicate()
    store.hold.set()
    for other in others:
        assert not other.communicate()[1].count("error") and other.returncode == 0
    last = share(0)
    assert not last.communicate()[1].count("error") and last.returncode == 0
    assert store.count("submit") == 1
    chosen = config(**ONE, folder=str(tmp_path / "files"))
    ingest(chosen.source(tmp_path), tmp_path / "alone.zarr")
    assert digest(tmp_path / "run/data.zarr") == digest(tmp_path / "alone.zarr")
