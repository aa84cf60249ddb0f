"""Climatology and statistics of one pass, whoever makes it."""

from collections import Counter

import dask
import numpy as np
import pytest
import xarray as xr
from dask import array as lazy
from fake_data import analyses

from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.channel_statistics import Statistics, compute_statistics, require_disjoint
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.errors import UserError
from weatherml.state import spec_of

PERIOD = ("2001-01-01", "2001-01-20")
HARMONICS = Harmonics(0, 1)
MOMENTS = ("mean", "std", "difference_std", "valid")


def record():
    dataset = analyses(times=100).isel(time=np.r_[0:37, 43:100])
    dataset["geopotential"] = dataset["geopotential"] * 1e3 + 5e5
    return dataset.assign_attrs(digest="abc")


def counting(dataset, reads):
    """Return the dataset with variables that count how often each of their times is read."""

    def read(name, time):
        reads[name, time] += 1
        return dataset[name].values[time][None]

    def array(name, field):
        parts = [
            lazy.from_delayed(dask.delayed(read)(name, time), (1, *field.shape[1:]), field.dtype)
            for time in range(len(field))
        ]
        return field.copy(data=lazy.concatenate(parts))

    return xr.Dataset({name: array(name, field) for name, field in dataset.items()}, attrs=dataset.attrs)


@pytest.mark.parametrize("of_anomalies", [False, True])
def test_one_pass_finds_what_two_find(tmp_path, of_anomalies):
    dataset = record()
    spec = spec_of(dataset)
    found = fit(dataset, Fit(spec, PERIOD, HARMONICS, of_anomalies=of_anomalies), tmp_path)
    climatology = Climatology.fit(dataset, spec, PERIOD, 0, 1)
    expected = compute_statistics(dataset, spec, PERIOD, climatology if of_anomalies else None)
    written, kept = Climatology.load(tmp_path / "climatology.nc"), Statistics.load(tmp_path / "statistics.nc")
    np.testing.assert_array_equal(written.coefficients, climatology.coefficients)
    for name in MOMENTS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(getattr(kept, name), getattr(found, name))
    np.testing.assert_array_equal(kept.values.quantiles, found.values.quantiles)
    assert kept.values.rank_error == found.values.rank_error
    assert (kept.store, written.store, kept.n_times, kept.period) == ("abc", "abc", 74, PERIOD)


def test_every_value_is_read_once_and_the_first_time_twice(tmp_path):
    reads = Counter()
    dataset = counting(record(), reads)
    fit(dataset, Fit(spec_of(dataset), PERIOD, HARMONICS, of_anomalies=True), tmp_path)
    assert {time: n for (name, time), n in reads.items() if name == "geopotential"} == {
        time: 1 + (time == 0) for time in range(74)
    }


def test_groups_of_channels_change_nothing_but_the_memory(tmp_path):
    dataset, cells = record(), 7 * 12
    wanted = Fit(spec_of(dataset), PERIOD, HARMONICS)
    one_channel = cells * (32 + 8 * 3 * 2 + 8 + 4 * 3 * 32)
    for folder, memory in (("whole", 2**30), ("by_channel", one_channel)):
        fit(dataset, wanted, tmp_path / folder, memory=memory)
    gathering = wanted.gathering(dataset, one_channel)
    assert [group.n_channels for group in gathering.groups(dataset)[0]] == [1, 1, 1]
    files = [xr.load_dataset(tmp_path / folder / "climatology.nc") for folder in ("whole", "by_channel")]
    np.testing.assert_allclose(*[file["coefficients"] for file in files], rtol=1e-6, atol=1e-6)
    whole, by_channel = (Statistics.load(tmp_path / folder / "statistics.nc") for folder in ("whole", "by_channel"))
    np.testing.assert_allclose(by_channel.std, whole.std, rtol=1e-6)


def test_a_memory_that_does_not_hold_one_channel_is_refused(tmp_path):
    dataset = record()
    with pytest.raises(UserError, match="memory of 0 MiB is less than the 1 MiB that one channel needs"):
        fit(dataset, Fit(spec_of(dataset), PERIOD, HARMONICS), tmp_path, memory=1000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_tasks_of_dask_find_the_same(tmp_path, scheduler):
    dataset = record()
    wanted = Fit(spec_of(dataset), PERIOD, HARMONICS, of_anomalies=True)
    here = fit(dataset, wanted, tmp_path / "here")
    with dask.config.set(scheduler=scheduler):
        there = fit(dataset, wanted, tmp_path / "there", n_tasks=5)
    for name in MOMENTS:
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-6, atol=1e-9)
    files = [xr.load_dataset(tmp_path / folder / "climatology.nc") for folder in ("here", "there")]
    np.testing.assert_allclose(*[file["coefficients"] for file in files], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n_tasks", [1, 3])
def test_each_task_of_dask_reads_its_own_times_of_what_is_asked_for(tmp_path, n_tasks):
    reads = Counter()
    dataset = counting(record(), reads)
    wanted = Fit(spec_of(dataset, ["t2m"]), PERIOD, HARMONICS)
    fit(dataset, wanted, tmp_path, n_tasks=n_tasks)
    assert reads == {("2m_temperature", time): 1 + n_tasks * (time == 0) for time in range(74)}


@pytest.mark.parametrize("asked", [{"window_days": 61}, {"quantiles": (0.9,)}])
def test_a_period_that_lacks_part_of_the_year_is_refused_before_it_is_read(tmp_path, asked):
    reads = Counter()
    dataset = counting(record(), reads)
    with pytest.raises(UserError, match="lies within 30 days of day"):
        fit(dataset, Fit(spec_of(dataset), PERIOD, HARMONICS, **asked), tmp_path)
    assert not reads


def test_years_are_left_out(tmp_path):
    dataset = record()
    periods = [("2001-01-01", "2001-01-05"), ("2001-01-14", "2001-01-20")]
    kept = dataset.sel(time=[day < 6 or 14 <= day <= 20 for day in dataset["time"].dt.day.values])
    wanted = Fit(spec_of(dataset), periods, HARMONICS, of_anomalies=True)
    found = fit(dataset, wanted, tmp_path / "some")
    expected = fit(kept, Fit(spec_of(dataset), PERIOD, HARMONICS, of_anomalies=True), tmp_path / "kept")
    for name in MOMENTS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.n_times == 48
    assert Statistics.load(tmp_path / "some/statistics.nc").period == tuple(periods)
    assert Climatology.load(tmp_path / "some/climatology.nc").period == tuple(periods)
    require_disjoint(found, ("2001-01-06", "2001-01-13"))
    with pytest.raises(
        UserError, match=r"overlaps the training period 2001-01-01 \.\. 2001-01-05 and 2001-01-14 \.\. 2001-01-20"
    ):
        require_disjoint(found, ("2001-01-06", "2001-01-14"))
