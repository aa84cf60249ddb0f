"""Forecasts that are being made: begun once, finished once, never marked whole where something is missing."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer

import pytest
import xarray as xr
import zarr
from reduced_batches import CONFIG
from tiny_forecast import TIMES, make_analysis, make_forecaster

from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig
from weatherml.forecast.output.statistics import _exactness
from weatherml.forecast.output.target import OutputTarget
from weatherml.forecast.plan import batches
from weatherml.forecast.statistics.accumulators import Accumulators, Counted
from weatherml.forecast.workdir import Record, WorkDir
from weatherml.products.store import open_forecast, token_at
from weatherml.storage import locks
from weatherml.storage.share import Share

ASKED = ForecastConfig(lead_time="18h", members=6, perturbation="spherical", batch=3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "forecast.zarr"


def begun(path, batch=3):
    work = WorkDir(path, "these", Record(), overwrite=False)
    work.begin({"batch": batch}, 1, lambda: declare(work.result))
    return work


def declare(result):
    result.mkdir()
    (result / "zarr.json").write_text('{"attributes": {"forecast_config": "{}", "request": "these"}}')


def make(path, share="0/1", config=ASKED, overwrite=False):
    return make_forecaster().run_share(
        make_analysis(), TIMES[:2], config, OutputTarget(path, overwrite, Share.parse(share))
    )


def test_a_folder_that_outlives_its_forecast_is_not_finished_again(path, monkeypatch):
    """As on network file systems, which keep what is open."""
    first, second = begun(path), begun(path)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with first.finishing() as is_to_do:
        assert is_to_do
        first.publish({})
    with second.finishing() as is_to_do:
        assert not is_to_do


def test_what_a_kill_leaves_of_a_finished_folder_gives_way(path):
    work = begun(path)
    (work.folder.parent / "run.json").unlink()
    again = begun(path)
    assert again.result.is_dir() and not work.folder.exists()


def test_shares_of_another_count_wait_until_nobody_makes_any(path):
    own = begun(path)
    own.lock(Share(1, 2))
    with pytest.raises(UserError, match="another process is making this very forecast"):
        begun(path).lock(Share(0, 3))
    begun(path).lock(Share(0, 2))
    own.close()
    begun(path).lock(Share(0, 3))


def test_who_would_compute_other_batches_is_refused(path):
    begun(path)
    late = WorkDir(path, "these", Record(), overwrite=False)
    late.begin({"batch": 3}, 1)
    with pytest.raises(UserError, match="in another batch; run the same forecast again"):
        late.begin({"batch": 4}, 1)


def test_a_chunk_that_was_not_written_leaves_its_batch_to_be_done_again(path, monkeypatch):
    monkeypatch.setattr(batches, "CHUNK_BYTES", 1)  # a lead is a chunk
    write = zarr.Array.__setitem__

    def second_fails(array, place, values):
        if len(place) > 1 and place[1] == slice(1, 2):
            raise OSError(116, "Stale file handle")
        write(array, place, values)

    with monkeypatch.context() as patched, pytest.raises(UserError, match="Stale file handle; see to it"):
        patched.setattr(zarr.Array, "__setitem__", second_fails)
        make(path)
    assert make(path)
    expected = make_forecaster().run(make_analysis(), TIMES[:2], ASKED)
    xr.testing.assert_identical(open_forecast(path).load(), expected)


def test_leftovers_of_a_replacement_do_not_stop_the_next(path):
    assert make(path)
    (path.parent / f".{path.name}.old" / "c").mkdir(parents=True)
    assert make(path, config=ASKED.model_copy(update={"seed": 1}), overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_share_that_comes_late_finds_the_forecast_made(path, overwrite):
    assert not make(path, "0/9") and not make(path, "1/9") and not make(path, "2/9")
    assert make(path, "3/9")  # the last of four batches
    before = path.stat().st_mtime_ns
    assert make(path, "8/9", overwrite=overwrite)
    assert path.stat().st_mtime_ns == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_share_that_comes_while_another_finishes_waits_and_finds_the_forecast_made(path, monkeypatch, overwrite):
    monkeypatch.setattr(locks, "A_WHILE", 0.05)  # for which to wait for what others do in a moment
    assert not make(path, "0/2")
    is_finishing, may_finish, publish = Event(), Event(), WorkDir.publish

    def slowly(*args):
        is_finishing.set()
        assert may_finish.wait(30)
        publish(*args)

    monkeypatch.setattr(WorkDir, "publish", slowly)
    with ThreadPoolExecutor(1) as thread:
        last = thread.submit(make, path, "1/2")
        assert is_finishing.wait(30)
        Timer(0.5, may_finish.set).start()
        assert make(path, "0/2", overwrite=overwrite)
        assert last.result()
    token = token_at(path)
    assert make(path, "1/2", overwrite=overwrite) and token_at(path) == token


def test_a_share_does_not_begin_again_what_others_have_made_meanwhile(path, monkeypatch):
    """They finish after it has looked, before it begins."""
    begin = WorkDir.begin

    def late(*args, **options):
        monkeypatch.setattr(WorkDir, "begin", begin)
        assert not make(path, "0/2") and make(path, "1/2")
        begin(*args, **options)

    monkeypatch.setattr(WorkDir, "begin", late)
    assert make(path, "1/2", overwrite=True)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_share_needs_a_store():
    with pytest.raises(UserError, match="shares of a forecast meet in a store; pass the path of one"):
        make_forecaster().run_share(make_analysis(), TIMES[0], ASKED, OutputTarget())


def test_stated_error_of_quantiles_is_that_of_the_worst_initial_time():
    """17 members one by one in two shares, three initial times: the error is not largest where most were counted."""
    records = [Counted(n_members=n, n_updates=n) for n in ((9, 8, 9), (8, 9, 8))]
    assert _exactness(CONFIG, records) == {"quantile_rank_error": 5}


def test_a_constructor_that_fails_lets_others_have_the_share(path, monkeypatch):
    config = ASKED.model_copy(update={"statistics": CONFIG.model_copy(update={"thresholds": {}})})

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(UserError, match="No space left") as kept:
        patched.setattr(Accumulators, "__init__", fail)
        make(path, config=config)
    assert make(path, config=config) and kept
