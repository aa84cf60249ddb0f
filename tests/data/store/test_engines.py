"""Whoever makes a store, it has the same bytes, however often its makers are killed."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dask.array
import numpy as np
import psutil
import pytest
from fake_data import FakeSource, analyses, contents

from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.making.engine import Dask
from weatherml.data.store.making.workspace import Workspace
from weatherml.data.store.opening import open_store, verify
from weatherml.errors import UserError
from weatherml.process import workers
from weatherml.storage.share import Share

distributed = pytest.importorskip(
    "distributed", reason="needs the extra `cluster`"
)  # now: it adds its own settings to dask's

TESTS = Path(__file__).parents[2]


def dataset(n_times=29):
    return analyses(times=n_times)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    store = tmp_path_factory.mktemp("whole") / "store.zarr"
    ingest(FakeSource(dataset()), store, shard_length=3)
    return store


def test_shares_in_any_order_make_the_same_bytes_and_the_last_completes_them(tmp_path, whole):
    reports = [
        ingest(FakeSource(dataset()), tmp_path / "store", None, 3, IngestOptions(share=Share(index, 3)))
        for index in (2, 0, 1)
    ]
    assert [report.is_complete for report in reports] == [False, False, True]
    assert contents(tmp_path / "store") == contents(whole)


def test_shares_that_start_at_the_same_instant_join_each_other(tmp_path):
    one, two = (Workspace(tmp_path / "store") for _ in range(2))
    with one.taking_part(Share(0, 2)), two.taking_part(Share(1, 2)):
        one.begin({"source": "a"}, Share(0, 2))
        two.begin({"source": "a"}, Share(1, 2))
        with pytest.raises(UserError, match="another ingestion is writing"):
            two.begin({"source": "b"}, Share(1, 2))


def test_one_process_completes_what_shares_have_left(tmp_path, whole):
    ingest(FakeSource(dataset()), tmp_path / "store", None, 3, IngestOptions(share=Share(1, 3)))
    with pytest.raises(UserError, match=r"unfinished \(\d+ files written\)"):
        open_store(tmp_path / "store")
    ingest(FakeSource(dataset()), tmp_path / "store")
    assert contents(tmp_path / "store") == contents(whole)


def test_shares_may_work_side_by_side_but_not_beside_who_makes_all_of_it(tmp_path):
    store = tmp_path / "store"

    def meet(done, total):
        ingest(FakeSource(dataset()), store, None, 3, IngestOptions(share=Share(1, 2)))
        for other in (Share(0, 2), Share(0, 3), Share()):
            with pytest.raises(UserError, match="another ingestion is writing"):
                ingest(FakeSource(dataset()), store, None, 3, IngestOptions(share=other))

    def once(done, total, met=[]):  # noqa: B006
        if not met:
            met.append(meet(done, total))

    report = ingest(FakeSource(dataset()), store, once, 3, IngestOptions(share=Share(0, 2)))
    assert report.is_complete and verify(store) == []


def test_a_client_that_cannot_be_made_is_one_line_and_is_not_left_to_others():
    with pytest.raises(UserError, match=r"no scheduler answers at tls://127.*TLS expects"):  # which nobody has set up
        Dask(1, "tls://127.0.0.1:1").require_there()
    assert dask.array.ones(4, chunks=2).sum().compute() == 4


def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path):
    options = IngestOptions(engine=Dask(scheduler="tcp://127.0.0.1:1"))
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}), pytest.raises(UserError) as refused:
        ingest(FakeSource(dataset()), tmp_path / "s", options=options)
    assert re.search(r"no scheduler answers at tcp://127.0.0.1:1 .*dask scheduler", str(refused.value))
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("address", ["", "nonsense", "http://127.0.0.1:1", "tcp://127.0.0.1"])
def test_what_is_no_address_is_refused_at_once(address):
    with pytest.raises(UserError, match=f"scheduler '{address}' is no address; .* tcp://10.0.0.1:8786, or slurm"):
        Dask(scheduler=address)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a script that is a program")
def test_what_slurm_says_where_it_takes_no_job_is_one_line(tmp_path, monkeypatch, capfd):
    pytest.importorskip("dask_jobqueue")
    sbatch = tmp_path / "sbatch"
    sbatch.write_text("#!/bin/sh\necho 'sbatch: fatal: no controller' >&2\nexit 1\n")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    job = {f"jobqueue.slurm.{key}": value for key, value in {"cores": 1, "processes": 1, "memory": "1GB"}.items()}
    with dask.config.set(job), pytest.raises(UserError, match=r"SLURM jobs \(sbatch: fatal: no controller\); see"):
        ingest(FakeSource(dataset()), tmp_path / "s", options=IngestOptions(engine=Dask(scheduler="slurm")))
    assert "Traceback" not in capfd.readouterr().err


def test_what_a_worker_refuses_is_said_as_here(tmp_path):
    fields = dataset()
    fields["2m_temperature"][17, 3, 5] = np.nan
    with pytest.raises(UserError, match=r"2m_temperature at .* at 1 point;"):
        ingest(FakeSource(fields), tmp_path / "store", None, 3, IngestOptions(engine=Dask(workers=1)))


PROGRAM = """
import sys
sys.path[:0] = {paths!r}
from fake_data import FakeSource
from test_engines import dataset
from weatherml.data.store.making.engine import Dask
from weatherml.data.store.ingest import IngestOptions, ingest
if __name__ == "__main__":
    ingest(FakeSource(dataset(), delay=0.05), {store!r}, None, 3, IngestOptions(engine=Dask(workers=2)))
"""


def start(folder, store):
    program = folder / "program.py"
    program.write_text(PROGRAM.format(paths=[str(Path(__file__).parent), str(TESTS)], store=str(store)))
    return subprocess.Popen([sys.executable, program], stderr=subprocess.DEVNULL, start_new_session=True)


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process group")
def test_killed_at_random_instants_a_dask_ingestion_is_completed_to_the_same_bytes(tmp_path, whole):
    store, random_seconds = tmp_path / "store", random.Random(0)
    for _ in range(3):
        process = start(tmp_path, store)
        begun = time.monotonic()
        while process.poll() is None and not list(store.glob("*/c.*")) and time.monotonic() < begun + 60:
            time.sleep(0.02)
        time.sleep(random_seconds.uniform(0, 0.5))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    ingest(FakeSource(dataset()), store, shard_length=3)
    assert contents(store) == contents(whole)


def is_worker(process):
    with suppress(psutil.Error):  # those that have ended
        return "spawn_main" in " ".join(process.cmdline())
    return False


def test_workers_of_dask_make_the_same_bytes_and_one_that_is_killed_is_replaced(tmp_path, whole):
    store, killed, seen = tmp_path / "store", [], []

    def kill_one(done, total):
        seen.append((done, total))
        own = [child for child in psutil.Process().children(recursive=True) if is_worker(child)]
        if not killed and own:
            killed.append(own[-1].pid)
            own[-1].send_signal(signal.SIGKILL)

    source = FakeSource(dataset(), delay=0.02)
    ingest(source, store, kill_one, 3, IngestOptions(engine=Dask(workers=2)))
    assert killed
    assert seen[-1][0] == seen[-1][1]
    assert contents(store) == contents(whole)


def test_a_job_that_is_killed_is_submitted_again(monkeypatch):
    """As SLURM does at the end of a job's time; dask-jobqueue alone would wait for it for ever."""
    local = pytest.importorskip("dask_jobqueue.local")
    monkeypatch.setattr(workers, "_SECONDS_BETWEEN_LOOKS", 0.3)
    patience = {"distributed.deploy.lost-worker-timeout": "0.3s"}
    options = {"scheduler_options": {"dashboard_address": None}, "processes": 1}
    with (
        dask.config.set(patience),
        local.LocalCluster(cores=1, memory="1GB", **options) as cluster,
        workers.keeping_up(cluster, 1),
        distributed.Client(cluster) as client,
    ):
        first = client.submit(os.getpid, pure=False).result(timeout=60)
        os.kill(psutil.Process(first).ppid(), signal.SIGKILL)  # the job, which would start another worker itself
        os.kill(first, signal.SIGKILL)
        assert client.submit(os.getpid, pure=False).result(timeout=60) != first


def test_workers_use_memory_again_and_leave_the_port_of_a_dashboard_alone():
    """Page by page the kernel's clearing took two fifths of their time; glibc is told when a process starts."""
    with Dask(1)._client() as client:
        assert client.scheduler_info()["services"].get("dashboard") != 8787
        told = client.submit(lambda: {name: int(os.environ[name]) for name in os.environ if name.startswith("MALLOC_")})
        assert told.result() == {"MALLOC_MMAP_THRESHOLD_": 2**25, "MALLOC_TRIM_THRESHOLD_": 2**28}


def test_workers_that_join_late_are_given_work(monkeypatch):
    monkeypatch.setattr(workers, "_do", lambda content, group: time.sleep(0.2) or len(group))
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        made = workers._gather(client, None, [[None]] * 40)
        assert next(made) == 1
        assert len(client.futures) <= 5
        cluster.scale(4)
        client.wait_for_workers(4)
        assert next(made) == 1
        assert len(client.futures) >= 11
        made.close()
