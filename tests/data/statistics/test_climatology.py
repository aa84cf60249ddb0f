import numpy as np
import pytest
import xarray as xr
from fake_data import analyses

from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.engine import streaming
from weatherml.errors import UserError
from weatherml.state import spec_of, to_array

DAY, YEAR = 86_400e9, 365.2425 * 86_400e9


def brute_force_basis(times, n_annual, n_diurnal):
    """Columns in any order: least squares does not mind."""
    t = (times - np.datetime64("2000-01-01", "ns")).astype(float)
    annual = [np.exp(2j * np.pi * k * t / YEAR) for k in range(n_annual + 1)]
    diurnal = [np.exp(2j * np.pi * m * t / DAY) for m in range(n_diurnal + 1)]
    products = [a * d for a in annual for b in diurnal for d in (b, b.conj())]
    columns = np.array([part for p in products for part in (p.real, p.imag)]).T
    left, values, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, values > 1e-9 * values[0]]


@pytest.mark.parametrize(
    ("n_annual", "n_diurnal", "n_times", "step"),
    [
        (2, 1, 1460, "6h"),
        (1, 0, 182, "24h"),
        (0, 1, 40, "6h"),
        (0, 0, 13, "6h"),
        (1, 2, 2920, "3h"),
        (0, 2, 41, "6h"),  # the second is at the Nyquist frequency: four hours have four means
        (1, 1, 730, "12h"),
    ],
)
def test_the_fit_is_that_of_least_squares(n_annual, n_diurnal, n_times, step):
    dataset = analyses(times=n_times, step=step)
    spec = spec_of(dataset)
    fitted = Climatology.fit(dataset, spec, ("2001", "2001"), n_annual, n_diurnal)
    times, array = dataset["time"].values, to_array(dataset, spec).astype(float)
    basis = brute_force_basis(times, n_annual, n_diurnal)
    expected = basis @ (basis.T @ array.reshape(len(times), -1))
    np.testing.assert_allclose(fitted.array_at(times).reshape(len(times), -1), expected, atol=2e-6)


def test_times_are_read_as_people_write_them():
    dataset = analyses(times=60)
    fitted = Climatology.fit(dataset, spec_of(dataset), (20010101, 2001), 1, 1)
    assert fitted.period == ("2001-01-01", "2001")
    xr.testing.assert_identical(fitted.at([2021070306]), fitted.at(np.array(["2021-07-03T06"], "datetime64[ns]")))
    with pytest.raises(UserError, match="time '1500' lies outside the years"):
        fitted.at(["1500"])


def test_blocks_and_groups_of_channels_change_nothing(monkeypatch):
    dataset = analyses(times=60)
    spec = spec_of(dataset)
    whole = Climatology.fit(dataset, spec, ("2001", "2001"), 0, 1)
    monkeypatch.setattr(streaming, "_BLOCK_TIMES", 7)
    monkeypatch.setattr(streaming, "_BLOCK_BYTES", 1)
    memory = 2 * 84 * (8 * 3 + 40 + 3 * 4 * 7)  # two channels at a time
    parts = Climatology.fit(dataset, spec, ("2001", "2001"), 0, 1, memory=memory)
    np.testing.assert_allclose(parts.coefficients, whole.coefficients, rtol=1e-6, atol=1e-7)


def seasonal(times):
    """Amplitude 10 K, maximum in July, and weather of 3 K with a memory of days."""
    dataset = analyses({"2m_temperature": ()}, times=times, step="24h")
    noise = dataset["2m_temperature"]
    for day in range(1, times):
        noise[day] = 0.8 * noise[day - 1] + 0.6 * noise[day]
    angle = 2 * np.pi * (dataset["time"] - np.datetime64("2001-01-01", "ns")).astype(float) / YEAR
    truth = (280 - 10 * np.cos(angle)).astype(np.float32)
    dataset["2m_temperature"] = (truth + 3 * noise).transpose(*noise.dims)
    return dataset, truth.values


def test_half_a_year_is_enough_for_one_harmonic():
    dataset, truth = seasonal(182)
    fitted = Climatology.fit(dataset, spec_of(dataset), ("2001", "2001"), 1, 0)
    error = fitted.array_at(dataset["time"].values)[:, 0] - truth[:, None, None]
    assert np.sqrt((error**2).mean()) < 1.2  # sampling: 3 K, some 20 independent values for 3 terms


def test_a_month_does_not_make_up_a_season():
    dataset, _ = seasonal(30)
    fitted = Climatology.fit(dataset, spec_of(dataset), ("2001", "2001"), 2, 0)
    july = fitted.array_at(np.array(["2001-07-15"], "datetime64[ns]"))
    assert np.abs(july - 270).max() < 30
    january = fitted.array_at(dataset["time"].values).mean(axis=0)
    np.testing.assert_allclose(january[0], dataset["2m_temperature"].mean("time"), atol=0.5)


def test_large_means_keep_the_digits_of_small_cycles():
    dataset = analyses({"geopotential": (500,)}, times=400)
    hour = dataset["time"].dt.hour
    dataset["geopotential"] = (dataset["geopotential"] * 0 + 5e5 + np.cos(2 * np.pi * hour / 24)).astype(np.float32)
    fitted = Climatology.fit(dataset, spec_of(dataset), ("2001", "2001"), 0, 1)
    np.testing.assert_allclose(fitted.array_at(dataset["time"].values)[:4, 0, 0, 0] - 5e5, [1, 0, -1, 0], atol=0.04)


@pytest.mark.parametrize(("step", "n_diurnal"), [("1h", 3), ("6h", 2), ("12h", 1), ("24h", 0)])
def test_harmonics_that_the_step_cannot_resolve_are_left_out(step, n_diurnal):
    dataset = analyses(times=60, step=step)
    assert Climatology.fit(dataset, spec_of(dataset), ("2001", "2001"), 0, 3).n_diurnal == n_diurnal


def test_masks_stay_masks():
    dataset = analyses(times=20)
    dataset["2m_temperature"][:, 2, 3] = np.nan
    values = Climatology.fit(dataset, spec_of(dataset), ("2001", "2001"), 0, 1).array_at(dataset["time"].values)
    assert np.argwhere(np.isnan(values[7])).tolist() == [[2, 2, 3]]


def test_only_the_period_is_looked_at():
    dataset = analyses(times=60)
    later = dataset.copy(deep=True)
    later["geopotential"][30:] += 1e3
    period = ("2001-01-01", "2001-01-07")
    fits = [Climatology.fit(d, spec_of(d), period, 0, 1).coefficients for d in (dataset, later)]
    np.testing.assert_array_equal(*fits)


def test_a_dataset_at_times_is_canonical():
    dataset = analyses(times=20)
    at = Climatology.fit(dataset, spec_of(dataset), ("2001", "2001"), 0, 0).at(dataset["time"].values[3:5])
    assert at["geopotential"].dims == ("time", "level", "latitude", "longitude")
    xr.testing.assert_allclose(at.isel(time=0, drop=True), dataset.mean("time"), atol=1e-6)


def test_times_of_any_shape_are_answered():
    dataset = analyses(times=24)
    spec = spec_of(dataset)
    fitted = Climatology.fit(dataset, spec, ("2001", "2001"), 0, 1)
    times = dataset["time"].values.reshape(2, 3, 4)
    np.testing.assert_array_equal(fitted.array_at(times)[1, 2, 3], fitted.array_at(times[1, 2, 3:])[0])


def test_what_is_saved_is_loaded(tmp_path):
    dataset = analyses(times=20)
    fitted = Climatology.fit(dataset, spec_of(dataset, ["t2m", "z850"]), ("2001", "2001-06"), 0, 1)
    fitted.save(tmp_path / "climatology.nc")
    loaded = Climatology.load(tmp_path / "climatology.nc")
    assert (loaded.spec, loaded.period) == (fitted.spec, fitted.period)
    np.testing.assert_array_equal(loaded.array_at(dataset["time"].values), fitted.array_at(dataset["time"].values))


def test_a_file_of_something_else_is_refused(tmp_path):
    analyses(times=2).to_netcdf(tmp_path / "analyses.nc")
    (tmp_path / "text.nc").write_text("text")
    for name in ("analyses.nc", "text.nc", "absent.nc"):
        with pytest.raises(UserError, match=f"{name} is no climatology"):
            Climatology.load(tmp_path / name)


@pytest.mark.parametrize(("n_days", "n_annual"), [(2, 0), (67, 0), (163, 1), (200, 1), (270, 2), (1200, 2)])
def test_harmonics_of_the_year_are_those_that_the_period_tells(n_days, n_annual):
    dataset = analyses(times=n_days, step="24h")
    fitted = Climatology.fit(dataset, spec_of(dataset, ["t2m"]), ("2001", "2004"), 2, 0)
    assert fitted.n_annual == n_annual
    year = np.arange("2010-01-01", "2011-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
    assert np.abs(fitted.array_at(year)).max() < 8  # of noise whose spread is one


@pytest.mark.parametrize(
    ("axis", "change"),
    [
        ("latitude", lambda file: file.isel(latitude=slice(1, None))),
        ("latitude", lambda file: file.isel(latitude=slice(None, None, -1))),
        ("channel", lambda file: file.isel(channel=slice(None, None, -1))),
    ],
)
def test_a_file_that_is_of_something_else_than_it_says_is_refused(tmp_path, axis, change):
    dataset = analyses(times=20)
    Climatology.fit(dataset, spec_of(dataset, ["t2m", "z850"]), ("2001", "2001-06"), 0, 1).save(tmp_path / "whole.nc")
    with xr.open_dataset(tmp_path / "whole.nc") as whole:
        change(whole).to_netcdf(tmp_path / "changed.nc")
    with pytest.raises(UserError, match=f"changed.nc has another {axis} axis"):
        Climatology.load(tmp_path / "changed.nc")
