"""The climatology of WeatherBench 2, against its definition taken literally."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses

from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.data.statistics.windowed_climatology import WindowedClimatology, window_weights
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.state import spec_of

GRID = LatLonGrid.regular(2, 3, poles=False)
PERIOD = ("1999", "2001")


def record(variables=None):
    """Three years of 12-hourly data, the second of them a leap year."""
    dataset = analyses(variables or {"geopotential": (500,)}, times=2 * 1096, step="12h", start="1999", grid=GRID)
    season = np.cos(2 * np.pi * (dataset["time"].dt.dayofyear - 200) / 366) + dataset["time"].dt.hour / 24
    for name, field in dataset.items():
        dataset[name] = (field + 5e4 + 300 * season).astype(np.float32).transpose(*field.dims)
    return dataset


def literally(field, hour, day, width):
    """Weighted mean over years stacked by day of the year, day 366 of common years filled from 365, days wrapped."""
    half, chosen = width // 2, field.isel(time=field["time"].dt.hour == hour).astype(float)
    total, weights = 0, 0
    for year in (1999, 2000, 2001):
        own = chosen.sel(time=str(year)).values
        days = np.concatenate([own, own[-1:]]) if len(own) == 365 else own
        for shift in range(-half, half + 1):
            weight = np.concatenate([np.linspace(0, 1, half + 1), np.linspace(1, 0, half + 1)[1:]])[shift + half]
            total, weights = total + weight * days[(day - 1 + shift) % 366], weights + weight
    return total / weights


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    dataset, folder = record({"geopotential": (500, 850), "2m_temperature": ()}), tmp_path_factory.mktemp("windowed")
    fit(dataset, Fit(spec_of(dataset), PERIOD, Harmonics(1, 0), window_days=61), folder)
    return dataset, WindowedClimatology.load(folder / "windowed_climatology.nc")


@pytest.mark.parametrize(("hour", "day"), [(0, 1), (12, 60), (0, 200), (12, 365), (0, 366)])
def test_means_are_those_of_the_definition(fitted, hour, day):
    dataset, climatology = fitted
    found = climatology.dataset.sel(hour=hour, dayofyear=day)
    for name in ("geopotential", "2m_temperature"):
        np.testing.assert_allclose(found[name], literally(dataset[name], hour, day, 61), rtol=2e-7)


def test_it_is_asked_by_time(fitted):
    _, climatology = fitted
    times = np.array(["2010-03-01T12", "2012-03-01T12"], "datetime64[ns]")
    at = climatology.at(times)
    assert at["geopotential"].dims == ("time", "level", "latitude", "longitude")
    for time, day in zip(times, (60, 61), strict=True):
        expected = climatology.dataset["2m_temperature"].sel(hour=12, dayofyear=day)
        np.testing.assert_array_equal(at["2m_temperature"].sel(time=time), expected)
    array = climatology.array_at(times[None])
    assert array.shape == (1, 2, 3, 2, 3)
    np.testing.assert_array_equal(array[0, :, climatology.spec.index("t2m")], at["2m_temperature"])
    only = climatology.only({"geopotential": (850,)})
    np.testing.assert_array_equal(only.array_at(times)[:, 0], at["geopotential"].sel(level=850))
    with pytest.raises(UserError, match="has no hour of 2010-03-01T06:00"):
        climatology.at(["2010-03-01T06"])


def test_sums_that_do_not_fit_in_memory_lie_on_disk(tmp_path):
    dataset = record()
    wanted = Fit(spec_of(dataset), PERIOD, Harmonics(1, 0), window_days=31)
    held = wanted.others(tmp_path)[0].cell_bytes(dataset["time"].values) * 6
    for name, memory in (("held", 2**28), ("mapped", held)):
        fit(dataset, wanted, tmp_path / name, memory=memory)
    files = [xr.load_dataset(tmp_path / name / "windowed_climatology.nc") for name in ("held", "mapped")]
    xr.testing.assert_identical(*files)
    assert sorted(path.name for path in (tmp_path / "mapped").iterdir()) == [
        "climatology.nc",
        "statistics.nc",
        "windowed_climatology.nc",
    ]


def test_tasks_of_dask_find_the_same(tmp_path):
    dataset = record()
    wanted = Fit(spec_of(dataset), PERIOD, Harmonics(1, 0), window_days=61, quantiles=(0.5,))
    for name, n_tasks in (("here", 1), ("there", 3)):
        fit(dataset, wanted, tmp_path / name, n_tasks=n_tasks)
    files = [xr.load_dataset(tmp_path / name / "windowed_climatology.nc") for name in ("here", "there")]
    xr.testing.assert_allclose(*files, rtol=1e-6)


@pytest.mark.parametrize("days", [60, 1, 0, 367])
def test_a_window_without_a_middle_is_refused(days):
    with pytest.raises(UserError, match=f"a window of {days} days has no middle"):
        window_weights(days)


def test_a_period_that_leaves_days_out_is_refused(tmp_path):
    dataset = record().sel(time="1999-01")
    with pytest.raises(UserError, match="no time at 0 UTC lies within 30 days of day 61 of the year"):
        fit(dataset, Fit(spec_of(dataset), PERIOD, Harmonics(0, 0), window_days=61), tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_file_is_refused(tmp_path):
    record().isel(time=slice(2)).to_netcdf(tmp_path / "analyses.nc")
    with pytest.raises(UserError, match=r"analyses\.nc is no climatology by hour and day of the year"):
        WindowedClimatology.load(tmp_path / "analyses.nc")
