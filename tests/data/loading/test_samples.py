import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from fake_data import FakeSource, analyses

from weatherml.data.loading.loader import Loader
from weatherml.data.loading.order import Order
from weatherml.data.loading.samples import Samples
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.state import spec_of, to_array

PERIOD = ("2001", "2001")
HELD, READ = 2**22, 0


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A store with 12 and 9 six-hourly times, and 3 days between."""
    store = tmp_path_factory.mktemp("samples") / "store.zarr"
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
    def build(n_steps=2, period=PERIOD, memory=HELD, rows=None):
        return Samples(dataset, normalizer, forcings, n_steps, period, memory, rows)

    return build


@pytest.mark.parametrize("memory", [HELD, READ])
def test_a_sample_is_a_normalised_window(dataset, normalizer, forcings, build, memory):
    samples = build(memory=memory)
    times = dataset["time"].values
    states = normalizer.normalize(to_array(dataset, normalizer.spec), times)
    starts = [*range(10), *range(12, 19)]
    assert len(samples) == len(starts)
    for index, start in enumerate(starts):
        np.testing.assert_array_equal(samples.times(index), times[start : start + 3])
        np.testing.assert_allclose(samples[index].state, states[start : start + 3], atol=1e-6)
        np.testing.assert_array_equal(samples[index].forcing, forcings.at(times[start : start + 3]))


@pytest.mark.parametrize("memory", [HELD, READ])
@pytest.mark.parametrize(("n_steps", "starts"), [(1, [*range(9), *range(12, 18)]), (2, [*range(6), 12, 13, 14])])
def test_windows_of_a_longer_step_start_at_every_time(dataset, normalizer, forcings, memory, n_steps, starts):
    statistics = replace(normalizer.statistics, time_step=np.timedelta64(18 * 3600 * 10**9, "ns"))
    longer = Normalizer(statistics, normalizer.climatology)
    samples = Samples(dataset, longer, forcings, n_steps, PERIOD, memory)
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


@pytest.mark.parametrize("memory", [HELD, READ])
def test_samples_of_several_periods_are_those_of_each(build, memory):
    first, second = ("2001-01-01T06", "2001-01-02"), ("2001-01-07T06", "2001-01-08T12")
    both, alone = build(1, [first, second], memory), [build(1, period) for period in (first, second)]
    expected = [samples[index].state for samples in alone for index in range(len(samples))]
    np.testing.assert_array_equal([both[index].state for index in range(len(both))], expected)


@pytest.mark.parametrize("memory", [HELD, READ])
def test_a_band_of_rows_is_that_of_the_whole(build, memory):
    whole, rows = build(), slice(2, 5)
    part, indices = build(memory=memory, rows=rows), [3, 16, 0]
    for own, all_rows in zip(part.gather(indices), whole.gather(indices), strict=True):
        np.testing.assert_allclose(own, all_rows[..., rows, :], atol=1e-6)


@pytest.mark.parametrize("memory", [HELD, READ])
def test_a_band_of_samples_that_are_there_is_that_of_a_store(build, memory):
    rows, indices = slice(2, 5), [3, 16, 0]
    some, alone = build(memory=memory, rows=slice(1, 5)).of_rows(rows), build(memory=READ, rows=rows)
    assert some.sample_bytes == alone.sample_bytes and len(some) == len(alone)
    for own, expected in zip(some.gather(indices), alone.gather(indices), strict=True):
        np.testing.assert_allclose(own, expected, atol=1e-6)
    whole = build(memory=memory)
    assert whole.of_rows(rows).sample_bytes < whole.sample_bytes == whole.of_rows(slice(0, whole.n_rows)).sample_bytes


def test_what_is_held_of_a_band_is_shared(build):
    whole = build(memory=HELD)
    assert np.shares_memory(whole.of_rows(slice(2, 5))[3].state, whole[3].state)


def test_a_period_without_a_window_is_refused(build):
    with pytest.raises(UserError, match="holds no 13 consecutive times 6 h apart"):
        build(12)


def test_longer_windows_share_the_fields(build):
    one = build(1)
    two = one.with_n_steps(2)
    assert (len(one), len(two)) == (19, 17)
    np.testing.assert_array_equal(two[16].state[:2], one[17].state)
    assert np.shares_memory(two[16].state, one[17].state)


def test_windows_of_a_part_of_the_period_lie_whole_in_it_and_share_the_fields(build):
    whole, part = build(1), ("2001-01-07T06", "2001-01-08T12")
    some, alone = whole.with_n_steps(2).within(part), build(2, part)
    assert len(some) == len(alone) == len(whole.within(part).with_n_steps(2))
    np.testing.assert_array_equal(
        [some.times(index) for index in range(len(some))], [alone.times(index) for index in range(len(alone))]
    )
    np.testing.assert_array_equal(some[1].state, alone[1].state)
    with pytest.raises(UserError, match="a period without data holds no 3 consecutive times"):
        some.within(("1999", "1999"))


@pytest.mark.parametrize("memory", [HELD, READ])
def test_missing_values_where_statistics_had_data_are_refused(dataset, normalizer, forcings, memory):
    broken = dataset.compute()
    broken["2m_temperature"][14, 3, 4] = np.nan
    with pytest.raises(UserError, match="2m_temperature has missing values at 2001-01-07T12"):
        Samples(broken, normalizer, forcings, 1, PERIOD, memory).gather(range(19))


@pytest.mark.parametrize("memory", [HELD, READ])
def test_cells_without_data_are_zero(dataset, normalizer, forcings, memory):
    holed = dataset.compute()
    holed["2m_temperature"][:, 3, 4] = np.nan
    plain = Normalizer(compute_statistics(holed, normalizer.spec, PERIOD))
    state = Samples(holed, plain, forcings, 1, PERIOD, memory).gather([2, 7]).state
    assert not state[:, :, 0, 3, 4].any()
    assert state[:, :, 1, 3, 4].all()


def test_data_of_another_grid_are_refused(dataset, normalizer, forcings):
    with pytest.raises(UserError, match=r"lie on a grid of 6 x 12, the statistics on one of 7 x 12"):
        Samples(dataset.isel(latitude=slice(6)), normalizer, forcings, 1, PERIOD)


def test_data_without_a_channel_of_the_statistics_are_refused(dataset, normalizer, forcings):
    with pytest.raises(UserError, match="geopotential has no level 850"):
        Samples(dataset.sel(level=[500]), normalizer, forcings, 1, PERIOD)


def test_statistics_of_a_store_that_has_grown_since_are_refused(dataset, normalizer, forcings):
    older = Normalizer(replace(normalizer.statistics, n_times=17), normalizer.climatology)
    with pytest.raises(UserError, match=r"hold 21 times in 2001 \.\. 2001, of which the statistics knew 17: .* again"):
        Samples(dataset, older, forcings, 1, PERIOD)
    assert len(Samples(dataset, older, forcings, 1, ("2001-01-01", "2001-01-02"))) == 7


@pytest.fixture(scope="module")
def long_store(tmp_path_factory):
    store = tmp_path_factory.mktemp("growth") / "store.zarr"
    ingest(FakeSource(analyses(times=512, grid=LatLonGrid.regular(40, 60, poles=False))), store, shard_length=8)
    return open_store(store)


def test_memory_does_not_grow_with_the_period(long_store):
    statistics = compute_statistics(long_store.isel(time=slice(32)), spec_of(long_store), PERIOD)
    normalizer, times, memory = Normalizer(statistics), long_store["time"].values, 4 * 2**20
    forcings, peaks = Forcings(("season",), statistics.spec.grid, statistics.time_step), {}
    for length in (32, 32, 128, 512):  # what is imported at first is no part of it
        tracemalloc.start()
        samples = Samples(long_store, normalizer, forcings, 1, (str(times[0]), str(times[length - 1])), memory)
        loader = Loader(samples, Order(len(samples), 4, 0))
        assert all(np.isfinite(next(loader).state).all() for _ in range(12))
        loader.close()
        peaks[length] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert max(peaks.values()) < 1.1 * memory  # what threads have at hand at one moment differs from run to run
