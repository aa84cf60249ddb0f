"""Reduced output: the statistics are those of all members, each counted once, whatever is killed when."""

import gc
import random
import shutil
import subprocess
import sys
import time
from collections import namedtuple

import numpy as np
import pytest
import reduced_batches
import xarray as xr
import zarr
from in_memory_statistics import Accumulator
from reduced_batches import ATTRIBUTES, BATCHES, CONFIG, LAYOUT, N_SLOTS, begin, members_of, run, sentence, write
from zarr.storage import LocalStore

from weatherml.errors import UserError
from weatherml.forecast import workdir
from weatherml.forecast.output.members import MembersOutput
from weatherml.forecast.output.memory import InMemory
from weatherml.forecast.output.statistics import StatisticsOutput
from weatherml.forecast.plan.batches import Layout
from weatherml.forecast.statistics import accumulators
from weatherml.forecast.statistics.accumulators import Counted, accumulator_bytes
from weatherml.forecast.statistics.dataset import assemble
from weatherml.forecast.workdir import Record, WorkDir
from weatherml.products.store import open_forecast
from weatherml.storage.share import Share


class Killed(BaseException):
    pass


@pytest.fixture
def path(tmp_path):
    return tmp_path / "statistics.zarr"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return run(begin(tmp_path_factory.mktemp("whole") / "statistics.zarr")).load()


def test_an_initial_time_comes_twice_in_one_batch():
    """The hardest case for counting once; the other tests lean on it."""
    assert any(len({part.init for part in batch}) < len(batch) for batch in BATCHES)


def test_statistics_on_disk_are_those_of_accumulators_in_memory(uninterrupted):
    for init in range(2):
        results = []
        for position, channel in enumerate(LAYOUT.spec.channels):
            accumulator = Accumulator(CONFIG, channel, (3, *LAYOUT.spec.grid.shape))
            for part in (part for batch in BATCHES for part in batch if part.init == init):
                members = members_of(init, part.numbers, slice(None))[:, :, position]
                accumulator.update(np.moveaxis(members, 1, 0))
            results.append(accumulator.results())
        expected = assemble(results, LAYOUT.spec, CONFIG, LAYOUT.init_times[init], LAYOUT.lead_times)
        xr.testing.assert_equal(uninterrupted.isel(init_time=[init]), expected)
    counts = uninterrupted["temperature_count"].sel(level=850)
    assert (counts.isel(lead_time=0) == 12).all()
    assert (counts.isel(lead_time=1) == 11).all()  # number 9 failed


def test_store_holds_what_memory_would(uninterrupted):
    in_memory = run(StatisticsOutput(InMemory(Counted.nothing(2)), LAYOUT, ATTRIBUTES, CONFIG))
    xr.testing.assert_identical(in_memory[list(uninterrupted.data_vars)], uninterrupted)


def test_failures_are_listed(uninterrupted):
    assert uninterrupted.attrs["failed"] == [sentence(position) for position in range(len(BATCHES))]


def test_attributes_say_how_exact_the_quantiles_are(uninterrupted):
    # 12 members in a sketch of 4: halved twice, once each way
    assert uninterrupted.attrs["quantile_rank_error"] == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_write_that_is_torn_anywhere_leaves_nothing_counted_twice(path, monkeypatch, uninterrupted, seed):
    """As kills: the fatal write leaves half a file, and nothing runs after it."""
    rng, write, whole = random.Random(seed), LocalStore.set, workdir.write_bytes
    left = [0]

    async def torn(self, key, value, *rest):
        left[0] -= 1
        if left[0] < 0:
            file = self.root / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(value.to_bytes()[: len(value) // 2])
            raise Killed
        await write(self, key, value, *rest)

    def unmarked(file, content):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        whole(file, content)

    monkeypatch.setattr(accumulators, "_GROUP_BYTES", 2 * 4 * 2 * 5 * 8)  # two channels are counted, then the third
    monkeypatch.setattr(LocalStore, "set", torn)
    monkeypatch.setattr(workdir, "write_bytes", unmarked)
    left[0] = 60  # the arrays are declared
    n_kills = 0
    while not path.exists():
        try:
            run(begin(path))
        except Killed:
            n_kills += 1
        gc.collect()  # a process that is killed has no lock
        left[0] = rng.randrange(30, 300)
    assert n_kills >= 2
    xr.testing.assert_identical(open_forecast(path).load(), uninterrupted)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_process_killed_at_any_instant_ends_with_the_same_bits(path, uninterrupted):
    """With kill -9, at random instants, until the batches are through."""
    rng, n_kills = random.Random(1), 0
    while not path.exists():
        words = [sys.executable, reduced_batches.__file__, path]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "begun\n"
        if n_kills < 2:
            time.sleep(rng.uniform(0.1, 0.6))
            process.kill()
            n_kills += 1
        process.wait()
    xr.testing.assert_identical(open_forecast(path).load(), uninterrupted)


def test_resuming_counts_only_the_batches_that_are_missing(path):
    output = begin(path)
    write(output, 1)
    output.end_batches((1,), [])
    output.close()
    assert begin(path).done == {1}


def test_what_is_dropped_is_not_counted(path, uninterrupted):
    output = begin(path)
    write(output, 0)
    output.drop()
    xr.testing.assert_identical(run(output).load(), uninterrupted)


def test_batches_under_way_together_count_as_one_after_the_other(path, uninterrupted):
    output = begin(path, most_batches=2)
    assert output.most_batches == 2
    for start, stop in ((0, 2), (2, 3)):
        for part in (part for batch in BATCHES[:2] for part in batch):
            output.write((part.init, start), part.places, members_of(part.init, part.numbers, slice(start, stop)))
    output.end_batches((0, 1), [reduced_batches.stopped_in(position) for position in (0, 1)])
    output.close()
    xr.testing.assert_identical(run(begin(path)).load(), uninterrupted)


def test_shares_add_up_to_the_whole(path, uninterrupted):
    shares = [Share(index, 3) for index in range(3)]
    for share in reversed(shares):
        run(begin(path, share=share), batches=share.of(len(BATCHES)))
    found = begin(path, share=shares[1]).finish().load()
    for name in ("geopotential_minimum", "temperature_count", "temperature_850_exceedance"):
        xr.testing.assert_identical(found[name], uninterrupted[name])
    np.testing.assert_allclose(found["temperature_mean"], uninterrupted["temperature_mean"], rtol=1e-6)
    np.testing.assert_allclose(found["geopotential_spread"], uninterrupted["geopotential_spread"], rtol=1e-5)
    assert found.attrs["failed"] == uninterrupted.attrs["failed"]


def test_other_shares_go_on_where_some_stopped(path, uninterrupted):
    run(begin(path, share=Share(0, 2)), batches=(0,))
    found = run(begin(path)).load()
    xr.testing.assert_identical(found["temperature_count"], uninterrupted["temperature_count"])


def test_a_share_is_one_process_at_a_time(path):
    output = begin(path, share=Share(0, 2))
    with pytest.raises(UserError, match="another process is making this very forecast"):
        begin(path, share=Share(0, 2))
    begin(path, share=Share(1, 2)).close()
    output.close()
    begin(path, share=Share(0, 2)).close()


def test_another_forecast_does_not_resume(path):
    begin(path).close()
    with pytest.raises(UserError, match="holds part of another forecast"):
        begin(path, request="others")
    assert not begin(path, overwrite=True, request="others").done


def test_a_forecast_of_members_is_no_part_of_statistics(path):
    MembersOutput(WorkDir(path, "members", Record(), overwrite=False), LAYOUT, ATTRIBUTES).close()
    with pytest.raises(UserError, match="holds part of another forecast"):
        begin(path)


def test_existing_output_is_refused_and_stays_until_its_replacement_is_whole(path, uninterrupted):
    path.mkdir()
    with pytest.raises(UserError, match="exists; choose another path"):
        begin(path)
    output = begin(path, overwrite=True)
    assert not list(path.iterdir())
    xr.testing.assert_identical(run(output).load(), uninterrupted)


def test_statistics_without_room_are_refused_beforehand(path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1000))
    with pytest.raises(UserError, match=r"needs up to \d+\.?\d* [kM]?B and .* has 1 kB free"):
        begin(path)
    assert not list(path.parent.iterdir())


def test_the_room_asked_for_is_what_the_accumulators_take(path):
    run(begin(path), batches=range(len(BATCHES)))
    files = (path.parent / f".{path.name}.partial").glob("*/*.accumulators/*/c/**/*")
    taken = sum(file.stat().st_size for file in files if file.is_file())
    # Chunks of two leads where there are three: a third more; slots that no member reached: less.
    assert taken <= accumulator_bytes(LAYOUT, CONFIG) * 4 / 3
    assert taken > accumulator_bytes(LAYOUT, CONFIG) / 2


def test_batches_larger_than_the_sketch_are_counted_once_too(path):
    layout = Layout(LAYOUT.spec, LAYOUT.init_times[:1], LAYOUT.lead_times, np.arange(22), (2, 11))
    config = CONFIG.model_copy(update={"thresholds": {}})
    for position, batch in enumerate((range(11), range(11, 22))):
        for _ in range(2):  # the first is killed at the end
            output = begin(path, config=config, layout=layout)
            for start, stop in ((0, 2), (2, 3)):
                output.write((0, start), batch, members_of(0, batch, slice(start, stop)))
            output.close()
        output.end_batches((position,), [])
    found = output.finish()["temperature_quantile"].values
    sketches = Accumulator(config, LAYOUT.spec.channels[1], (3, *LAYOUT.spec.grid.shape))
    for batch in (range(11), range(11, 22)):
        sketches.update(np.moveaxis(members_of(0, batch, slice(None))[:, :, 1], 1, 0))
    expected = sketches.results()["quantile"].swapaxes(0, 1)
    np.testing.assert_array_equal(found[0, :, :, 1], expected)


def test_declared_arrays_are_not_compressed_and_lie_in_pieces_that_come_together(path):
    begin(path).close()
    group = zarr.open_group(next(path.parent.glob(".*/*/*.accumulators")), mode="r")
    assert group["mean"].chunks == (1, 1, 2, 3, 5, 8)
    assert group["level_0"].shape == (2 * N_SLOTS, 2, 3, 3, 5, 8)
