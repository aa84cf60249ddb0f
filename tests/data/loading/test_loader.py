from dataclasses import replace

import numpy as np
import pytest
from fake_data import FakeSource, analyses

from weatherml.data.loading.loader import Samples, build_loader
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.state import spec_of, to_array

PERIOD = ("2001", "2001")
HELD, READ = 2**20, 0


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A store with 12 and 9 six-hourly times, and 3 days between."""
    store = tmp_path_factory.mktemp("loader") / "store.zarr"
    ingest(FakeSource(analyses(times=33).isel(time=np.r_[0:12, 24:33])), store, shard_length=5)
    return open_store(store)


@pytest.fixture(scope="module")
def normalizer(dataset):
    spec = spec_of(dataset, ["t2m", "z850"])
    climatology = Climatology.fit(dataset, spec, PERIOD, 0, 1)
    return Normalizer(compute_statistics(dataset, spec, PERIOD, climatology), climatology)


@pytest.fixture(scope="module")
def forcings(normalizer):
    return Forcings(("season", "insolation"), normalizer.spec.grid, normalizer.statistics.time_step)


@pytest.fixture(scope="module")
def build(dataset, normalizer, forcings):
    def build(n_steps=2, period=PERIOD, memory_budget=HELD):
        return Samples(dataset, normalizer, forcings, n_steps, period, memory_budget)

    return build


@pytest.mark.parametrize("memory_budget", [HELD, READ])
def test_a_sample_is_a_normalised_window(dataset, normalizer, forcings, build, memory_budget):
    samples = build(memory_budget=memory_budget)
    times = dataset["time"].values
    states = normalizer.normalize(to_array(dataset, normalizer.spec), times)
    starts = [*range(10), *range(12, 19)]
    assert len(samples) == len(starts)
    for index, start in enumerate(starts):
        np.testing.assert_array_equal(samples.times(index), times[start : start + 3])
        np.testing.assert_allclose(samples[index].state, states[start : start + 3], atol=1e-6)
        np.testing.assert_array_equal(samples[index].forcing, forcings.at(times[start : start + 3]))


@pytest.mark.parametrize("memory_budget", [HELD, READ])
@pytest.mark.parametrize(("n_steps", "starts"), [(1, [*range(9), *range(12, 18)]), (2, [*range(6), 12, 13, 14])])
def test_windows_of_a_longer_step_start_at_every_time(dataset, normalizer, forcings, memory_budget, n_steps, starts):
    statistics = replace(normalizer.statistics, time_step=np.timedelta64(18 * 3600 * 10**9, "ns"))
    longer = Normalizer(statistics, normalizer.climatology)
    samples = Samples(dataset, longer, forcings, n_steps, PERIOD, memory_budget)
    times = dataset["time"].values
    states = normalizer.normalize(to_array(dataset, normalizer.spec), times)
    assert len(samples) == len(starts)
    for index, start in enumerate(starts):
        window = slice(start, start + 3 * n_steps + 1, 3)
        np.testing.assert_array_equal(samples.times(index), times[window])
        np.testing.assert_allclose(samples[index].state, states[window], atol=1e-6)


@pytest.mark.parametrize(("n_steps", "n_samples"), [(1, 19), (2, 17), (8, 5), (9, 3), (11, 1)])
def test_windows_do_not_cross_gaps(build, n_steps, n_samples):
    samples = build(n_steps)
    assert len(samples) == n_samples
    steps = {step for index in range(n_samples) for step in np.diff(samples.times(index))}
    assert steps == {np.timedelta64(6, "h")}


def test_windows_stay_inside_the_period(build):
    samples = build(1, ("2001-01-01T12:00", "2001-01-02T06:00"))
    assert [str(samples.times(index)[0])[:13] for index in range(len(samples))] == [
        "2001-01-01T12",
        "2001-01-01T18",
        "2001-01-02T00",
    ]


def test_a_period_without_a_window_is_refused(build):
    with pytest.raises(UserError, match="holds no 13 consecutive times 6 h apart"):
        build(12)


def test_longer_windows_share_the_fields(build):
    one = build(1)
    two = one.with_n_steps(2)
    assert (len(one), len(two)) == (19, 17)
    np.testing.assert_array_equal(two[16].state[:2], one[17].state)
    assert np.shares_memory(two[16].state, one[17].state)


def test_missing_values_where_statistics_had_data_are_refused(dataset, normalizer, forcings):
    broken = dataset.load().copy(deep=True)
    broken["2m_temperature"][14, 3, 4] = np.nan
    with pytest.raises(UserError, match="2m_temperature has missing values at 2001-01-07T12"):
        Samples(broken, normalizer, forcings, 1, PERIOD)


def drawn(loader, n, samples):
    """Identify the samples of `n` batches by their first state."""
    known = {samples[index].state.tobytes(): index for index in range(len(samples))}
    return [[known[state.tobytes()] for state in next(loader).state] for _ in range(n)]


@pytest.mark.parametrize("memory_budget", [HELD, READ])
def test_the_order_is_a_function_of_the_seed(build, memory_budget):
    samples = build(memory_budget=memory_budget)
    same, again, other = (drawn(build_loader(samples, 5, seed), 7, samples) for seed in (3, 3, 4))
    assert same == again != other


def test_every_epoch_is_another_permutation(build):
    samples = build()
    batches = drawn(build_loader(samples, 5, seed=3), 9, samples)
    epochs = [[*batches[start], *batches[start + 1], *batches[start + 2]] for start in (0, 3, 6)]
    assert all(len(set(epoch)) == 15 for epoch in epochs)  # 17 samples make 3 whole batches
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize("n_before", [0, 1, 4])
def test_a_restored_state_continues_at_exactly_the_next_batch(build, n_before):
    samples = build()
    first = build_loader(samples, 5, seed=3)
    for _ in range(n_before):
        next(first)
    state = first.get_state()
    expected = drawn(first, 6, samples)
    second = build_loader(samples, 5, seed=3)
    second.set_state(state)
    assert drawn(second, 6, samples) == expected


def test_batches_are_stacked_samples(build):
    samples = build()
    batch = next(build_loader(samples, 5, seed=3))
    assert batch.state.shape == (5, 3, 2, 7, 12)
    assert batch.forcing.shape == (5, 3, 3, 7, 12)
    assert batch.state.dtype == batch.forcing.dtype == np.float32


def test_fewer_samples_than_a_batch_are_refused(build):
    with pytest.raises(UserError, match="batch size 18 must be from 1 to 17"):
        build_loader(build(), 18, seed=0)
