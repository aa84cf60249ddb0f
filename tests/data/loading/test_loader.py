import re
import shutil
import threading
import time

import jax
import numpy as np
import pytest
from fake_data import FakeSource, analyses
from hypothesis import given
from hypothesis import strategies as st

from weatherml.data.loading.loader import Loader, Speed, Spell, total
from weatherml.data.loading.order import Order
from weatherml.data.loading.prefetch import Prefetch
from weatherml.data.loading.room import Room, batch_bytes, require_room
from weatherml.data.loading.samples import Samples
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store.ingest import ingest
from weatherml.data.store.maps import Account
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.process.memory import parse_memory
from weatherml.state import spec_of

PERIOD = ("2001", "2001")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("loader") / "store.zarr"
    ingest(FakeSource(analyses(times=60)), path, shard_length=4)
    return path


@pytest.fixture(scope="module", params=["held", "read"])
def samples(store, request):
    dataset = open_store(store)
    normalizer = Normalizer(compute_statistics(dataset, spec_of(dataset, ["t2m", "z850"]), PERIOD))
    forcings = Forcings(("season", "latitude"), normalizer.spec.grid, normalizer.statistics.time_step)
    samples = Samples(dataset, normalizer, forcings, 2, PERIOD, 2**22 if request.param == "held" else 2**17)
    assert (samples.memory_left == 2**17) == (request.param == "read")
    return samples


def drawn(samples, n, position=0, process=(0, 1), batch_size=4, seed=3):
    """Identify the samples of `n` batches by their first state."""
    known = {samples[index].state.tobytes(): index for index in range(len(samples))}
    loader = Loader(samples, Order(len(samples), batch_size, seed, *process), position)
    found = [[known[state.tobytes()] for state in next(loader).state] for _ in range(n)]
    loader.close()
    assert loader.position == position + n
    return found


def test_batches_are_those_of_the_order(samples):
    order = Order(len(samples), 4, 3)
    assert drawn(samples, 9) == [order.batch(position) for position in range(9)]


@pytest.mark.parametrize(("before", "after"), [(1, 1), (1, 2), (4, 1), (2, 4)])
def test_a_position_is_gone_on_from_by_any_number_of_processes(samples, before, after):
    whole = drawn(samples, 7)
    first = [drawn(samples, 3, 0, (process, before)) for process in range(before)]
    rest = [drawn(samples, 4, 3, (process, after)) for process in range(after)]
    together = [
        [index for share in shares for index in share[place]]
        for shares, n in ((first, 3), (rest, 4))
        for place in range(n)
    ]
    assert together == whole


def test_a_batch_has_the_shapes_that_a_step_takes(samples):
    loader = Loader(samples, Order(len(samples), 5, 3))
    batch = next(loader)
    loader.close()
    assert batch.state.shape == (5, 3, 2, 7, 12)
    assert batch.forcing.shape == (5, 3, 3, 7, 12)
    assert batch.state.dtype == batch.forcing.dtype == np.float32


def test_memory_that_holds_no_two_batches_is_refused(store):
    dataset = open_store(store)
    normalizer = Normalizer(compute_statistics(dataset, spec_of(dataset), PERIOD))
    samples = Samples(
        dataset, normalizer, Forcings((), normalizer.spec.grid, normalizer.statistics.time_step), 2, PERIOD, 2**15
    )
    with pytest.raises(UserError, match=r"leaves 32\.8 kB for batches of 30\.2 kB.* set training.memory=1GiB, or"):
        Loader(samples, Order(len(samples), 10, 0))


@given(st.integers(1, 2**42), st.integers(0, 2**42))
def test_the_memory_that_is_asked_for_is_enough(batch_bytes, samples_bytes):
    with pytest.raises(UserError) as refused:
        require_room(batch_bytes, 0, samples_bytes)
    memory = parse_memory(re.search(r"training.memory=(\w+),", str(refused.value))[1])
    is_held = samples_bytes <= memory // 2
    require_room(batch_bytes, memory - samples_bytes * is_held, samples_bytes)


def test_a_period_is_held_only_where_two_of_the_largest_batches_fit_beside_it(store):
    dataset = open_store(store)
    normalizer = Normalizer(compute_statistics(dataset, spec_of(dataset), PERIOD))
    forcings = Forcings(("season", "latitude"), normalizer.spec.grid, normalizer.statistics.time_step)

    def build(memory):
        return Samples(dataset, normalizer, forcings, 1, PERIOD, memory)

    period = build(0).n_bytes
    largest = batch_bytes(normalizer.spec, forcings, 4, 8)
    assert largest == 4 * build(0).with_n_steps(8).sample_bytes
    assert build(2 * period).held_bytes == period
    tight = build(Room(2 * period, largest))
    assert (tight.held_bytes, tight.memory_left) == (0, 2 * period)
    assert next(Loader(tight.with_n_steps(8), Order(50, 4, 0))).n_bytes == largest
    wide = build(Room(period + 8 * largest, largest))
    assert (wide.held_bytes, wide.memory_left) == (period, 8 * largest)


def test_batches_ahead_leave_room_for_a_larger_one_in_use(samples):
    alone, beside = (Loader(samples, Order(len(samples), 2, 0), in_use=n) for n in (0, 9 * samples.sample_bytes))
    for loader in (alone, beside):
        loader.close()
    assert alone._prefetch._most > beside._prefetch._most >= 1


def test_a_file_that_is_lost_in_the_middle_stops_at_its_batch_and_the_position_stays(store, tmp_path):
    own = tmp_path / "store.zarr"
    shutil.copytree(store, own)
    dataset = open_store(own)
    normalizer = Normalizer(compute_statistics(dataset, spec_of(dataset), PERIOD))
    forcings = Forcings((), normalizer.spec.grid, normalizer.statistics.time_step)
    samples = Samples(dataset, normalizer, forcings, 2, PERIOD, 2**16)
    order = Order(len(samples), 2, 1)
    whole = next(position for position in range(29) if max(order.batch(position)) + 2 >= 56)  # batches before the first
    assert whole > 0
    (own / "geopotential" / "c.14.0.0.0").unlink()
    loader = Loader(samples, order)
    with pytest.raises(UserError, match=r"geopotential/c\.14\.0\.0\.0 is damaged.*--files --repair"):
        for _ in range(100):
            next(loader)
    loader.close()
    assert loader.position == whole


@pytest.mark.parametrize("broken", [0, 1, 5])
@pytest.mark.parametrize("where", ["begin", "work", "place"])
def test_what_fails_once_is_made_when_it_is_asked_for_again_and_so_is_what_follows(where, broken):
    failures = [broken]

    def fail(stage, position):
        if stage == where and position in failures:
            failures.remove(position)
            raise UserError("the disk was away for a moment")

    def begin(position):
        fail("begin", position)
        return position, [lambda: fail("work", position) or Account()] * 2

    def place(position):
        fail("place", position)
        return position

    prefetch, taken, n_errors = Prefetch(begin, place, 0, most=3, n_threads=2), [], 0
    while len(taken) < 9:
        try:
            taken.append(prefetch.take())
        except UserError:
            n_errors += 1
    prefetch.close()
    assert (taken, n_errors) == (list(range(9)), 1)


def test_who_is_told_of_an_error_has_nobody_at_work_on_what_was_dropped():
    next_is_begun, next_has_ended = threading.Event(), threading.Event()

    def begin(position):
        def work():
            if position == 0:
                assert next_is_begun.wait(5)
                raise UserError("the disk was away for a moment")
            next_is_begun.set()
            time.sleep(0.05)
            next_has_ended.set()
            return Account()

        return position, [work]

    prefetch = Prefetch(begin, lambda made: made, 0, most=2, n_threads=8)
    with pytest.raises(UserError):
        prefetch.take()
    assert next_has_ended.is_set()
    prefetch.close()


def slow(seconds):
    def begin(position):
        def work():
            time.sleep(seconds)
            return Account(10, seconds)

        return position, [work]

    return begin


def test_more_is_made_ahead_where_one_waits_for_idle_threads_and_no_more_than_is_allowed():
    prefetch = Prefetch(slow(0.02), lambda made: made, 7, most=5, n_threads=16)
    assert [prefetch.take() for _ in range(12)] == list(range(7, 19))
    tally = prefetch.tally()
    prefetch.close()
    assert prefetch.depth == 5
    assert tally.waited > 0.02
    assert tally.account.seconds > tally.busy / 2


def test_no_more_is_made_ahead_by_threads_that_are_busy_all_the_time():
    prefetch = Prefetch(slow(0.04), lambda made: made, 0, most=9, n_threads=1)
    for _ in range(12):
        prefetch.take()
    prefetch.close()
    assert prefetch.depth <= 5


def test_memory_is_used_again_once_nobody_holds_it_and_not_before(samples):
    first, other = samples.begin([3])[0], samples.begin([3])[0]
    held, addresses = other.state[0, 1:], {batch.state.ctypes.data for batch in (first, other)}
    assert len(addresses) == 2
    del first
    again = samples.begin([3])[0]
    assert again.state.ctypes.data in addresses
    assert not np.shares_memory(again.state, held)
    del other
    assert not np.shares_memory(samples.begin([5])[0].state, held)
    assert not np.shares_memory(samples.begin([5])[0].state, again.state)


def test_a_cpu_takes_batches_without_a_copy_and_their_memory_stays_theirs(samples):
    batch = samples.gather([3])
    address, expected = batch.state.ctypes.data, batch.state.copy()
    placed = jax.device_put(batch.state)
    assert placed.unsafe_buffer_pointer() == address
    del batch
    assert samples.gather([5]).state.ctypes.data != address
    np.testing.assert_array_equal(placed, expected)


def test_the_next_batch_is_placed_before_it_is_asked_for():
    placed = []
    prefetch = Prefetch(slow(0.0), lambda made: placed.append(made) or made, 0, most=4, n_threads=2)
    assert prefetch.take() == 0
    deadline = time.monotonic() + 5
    while placed != [0, 1] and time.monotonic() < deadline:
        time.sleep(0.001)
    prefetch.close()
    assert placed == [0, 1]


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        (Speed(0.01, 1.5, "step"), ""),
        (Speed(0.31, 0.24, "reading"), "waits for data 31% of the time (0.24 GB/s; the disk or network gives no more)"),
        (Speed(0.5, 2.0, "decoding"), "waits for data 50% of the time (2 GB/s; unpacking takes all processors"),
    ],
)
def test_what_limits_is_said_in_words(speed, words):
    assert speed.words.startswith(words)
    assert bool(speed.words) == bool(words)


def test_the_speed_of_several_spells_is_that_of_the_time_they_took_together():
    spells = [Spell(3.0, 10**9, 0.0, 1.0, 0.0), Spell(1.0, 3 * 10**9, 1.0, 2.0, 1.9)]
    assert total(spells).speed == Speed(0.25, 1.0, "reading")
    assert spells[0].speed.limit == "step"
