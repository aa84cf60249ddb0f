"""Baselines against their definitions."""

from functools import partial

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.data.statistics.climatology import Climatology
from weatherml.errors import UserError
from weatherml.state import spec_of
from weatherml.verification import baselines, evaluate
from weatherml.verification.baselines.named import baseline

LEADS = np.array([6, 18, 30], "timedelta64[h]").astype("timedelta64[ns]")
INITS = np.array(["2001-01-01T06", "2001-01-03T00"], "datetime64[ns]")


@pytest.fixture(scope="module")
def truth():
    return analyses()


@pytest.fixture(scope="module")
def climatology():
    return analyses(seed=4) * np.float32(0.2)


def test_persistence_is_the_analysis_of_the_init_time_at_every_lead(truth):
    forecast = baselines.persistence(truth, INITS, LEADS)
    for lead in range(3):
        np.testing.assert_array_equal(
            forecast["geopotential"].isel(lead_time=lead), truth["geopotential"].sel(time=INITS)
        )


def test_init_times_are_read_as_people_write_them(truth, climatology):
    for build, source in ((baselines.persistence, truth), (baselines.climatology, climatology)):
        written = build(source, ["2001-01-01T08:00+02:00", 20010103], LEADS)
        np.testing.assert_array_equal(written["geopotential"], build(source, INITS, LEADS)["geopotential"])
        assert (written["init_time"] == INITS).all()


def test_persistence_holds_each_analysis_once(truth):
    assert baselines.persistence(truth, INITS, LEADS)["geopotential"].values.strides[1] == 0


def test_climatology_is_that_of_the_valid_time(climatology):
    forecast = baselines.climatology(climatology, INITS, LEADS)
    for i, lead in np.ndindex(2, 3):
        expected = climatology["2m_temperature"].sel(time=INITS[i] + LEADS[lead])
        np.testing.assert_array_equal(forecast["2m_temperature"][i, lead], expected)


def test_damped_persistence_keeps_a_part_of_the_anomaly(truth, climatology):
    damping = baselines.fit_damping(truth, climatology, LEADS) * 0 + 0.25
    forecast = baselines.damped_persistence(truth, climatology, damping, INITS, LEADS)
    start = (truth - climatology).sel(time=INITS[1])
    expected = climatology.sel(time=INITS[1] + LEADS[2]) + 0.25 * start
    for name in ("geopotential", "2m_temperature"):
        np.testing.assert_allclose(forecast[name][1, 2], expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lazily", [False, True])
def test_baselines_are_forecasts_that_evaluate(truth, climatology, lazily):
    if lazily:
        truth, climatology = truth.chunk(time=3), climatology.chunk(time=2)
    damping = baselines.fit_damping(truth, climatology, LEADS)
    for forecast in (
        baselines.persistence(truth, INITS, LEADS),
        baselines.climatology(climatology, INITS, LEADS),
        baselines.damped_persistence(truth, climatology, damping, INITS, LEADS),
    ):
        assert forecast["geopotential"].dims == ("init_time", "lead_time", "level", "latitude", "longitude")
        assert forecast["geopotential"].dtype == np.float32
        assert bool(forecast.chunks) == lazily
        assert (evaluate(forecast, truth, ["rmse"])["rmse"].sel(bound="estimate") > 0).all()


def _autoregressive(memory, times=2000):
    noise = analyses({"2m_temperature": ()}, times=times)
    field = noise["2m_temperature"].values
    for time in range(1, times):
        field[time] = memory * field[time - 1] + np.sqrt(1 - memory**2) * field[time]
    return noise


def test_damping_of_a_first_order_process_is_its_memory_to_the_power_of_the_lead():
    truth = _autoregressive(0.9)
    damping = baselines.fit_damping(truth, truth * 0, LEADS)
    np.testing.assert_allclose(damping["2m_temperature"], 0.9 ** np.array([1, 3, 5]), atol=0.02)


def test_fitted_damping_has_the_least_squared_error(truth, climatology):
    inits = truth.time.values[:-5]  # every one with a truth five steps later
    fitted = baselines.fit_damping(truth, climatology, LEADS[2:])

    def error(damping):
        forecast = baselines.damped_persistence(truth, climatology, damping, inits, LEADS[2:])
        return evaluate(forecast, truth, ["mse"])["mse"].sel(bound="estimate").values

    for change in (-0.05, 0.05):
        assert (error(fitted) < error(fitted + change)).all()


def test_damping_weights_by_area_and_passes_over_masked_points():
    truth = _autoregressive(0.8, times=400)
    wild = truth.where(truth.latitude < 60, 100 * truth)
    masked = wild.where(wild.latitude < 60)
    expected = baselines.fit_damping(
        truth.isel(latitude=slice(2, None)), truth.isel(latitude=slice(2, None)) * 0, LEADS
    )
    fitted = baselines.fit_damping(masked, masked * 0, LEADS)
    np.testing.assert_allclose(fitted["2m_temperature"], expected["2m_temperature"], atol=0.02)


def test_gaps_in_time_make_no_false_pairs():
    truth = _autoregressive(0.9).isel(time=np.flatnonzero(np.arange(2000) % 7))
    damping = baselines.fit_damping(truth, truth * 0, LEADS[:1])
    np.testing.assert_allclose(damping["2m_temperature"], 0.9, atol=0.02)


def _damped_without_fit(truth):
    damping = baselines.fit_damping(truth, truth * 0, LEADS[:1])
    return baselines.damped_persistence(truth, truth, damping, INITS, LEADS)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda t: baselines.persistence(t, INITS + LEADS[-1] * 9, LEADS), "the truth has no time"),
        (lambda t: baselines.climatology(t, INITS, LEADS * 9), r"climatology has no time .* \.\. 2001-01-08T00:00"),
        (
            lambda t: baselines.fit_damping(t, t, LEADS // 2),
            "of 29 times that damping is fitted on no two lie 3h apart",
        ),
        (_damped_without_fit, "not fitted for lead time"),
    ],
)
def test_what_is_missing_is_named(truth, build, message):
    with pytest.raises(UserError, match=message):
        build(truth)


def test_a_climatology_whose_coordinates_differ_in_the_last_digits_loses_no_row(truth, climatology):
    moved = climatology.assign_coords(latitude=climatology["latitude"] + 1e-4 * (climatology["latitude"] < 0))
    damping = baselines.fit_damping(truth, climatology, LEADS)
    xr.testing.assert_equal(baselines.fit_damping(truth, moved, LEADS), damping)
    own, other = (baselines.damped_persistence(truth, c, damping, INITS, LEADS) for c in (climatology, moved))
    xr.testing.assert_equal(other, own)


class Recorded:
    """A climatology that remembers for which channels and how many times it was asked."""

    def __init__(self, climatology, asked):
        self.climatology, self.asked = climatology, asked

    def only(self, variables):
        return Recorded(self.climatology.only(variables), self.asked)

    def at(self, times):
        self.asked.append((self.climatology.spec.n_channels, len(times)))
        return self.climatology.at(times)


def test_baselines_of_a_store_and_a_climatology_are_computed_as_they_are_read(truth, tmp_path):
    truth.to_zarr(tmp_path / "truth.zarr", consolidated=False)
    stored = xr.open_zarr(tmp_path / "truth.zarr", chunks=None, consolidated=False)
    climatology, asked = Climatology.fit(truth, spec_of(truth, ["z500", "t2m"]), ("2001", "2001"), 0, 1), []
    own = truth.sel(level=[500])
    normal, damping = climatology.at(truth["time"].values), baselines.fit_damping(own, climatology, LEADS)
    lazy = Recorded(climatology, asked)
    for build in (
        lambda truth, normal: baselines.persistence(truth, INITS, LEADS),
        lambda truth, normal: baselines.climatology(normal, INITS, LEADS),
        lambda truth, normal: baselines.damped_persistence(truth, normal, damping, INITS, LEADS),
    ):
        whole, made = build(own, normal), build(stored.sel(level=[500]), lazy)
        assert not made["geopotential"].variable._in_memory
        asked.clear()
        part = {"init_time": 1, "lead_time": slice(1, 3), "latitude": slice(2, 5), "longitude": [3, 8]}
        xr.testing.assert_allclose(made["geopotential"].isel(part), whole["geopotential"].isel(part), rtol=1e-5)
        assert all(n_channels == 1 and n_times <= 2 for n_channels, n_times in asked)
        xr.testing.assert_allclose(made, whole, rtol=1e-5, atol=1e-6)


def test_a_level_that_one_initial_time_lacks_is_lost_at_that_time_alone(truth, tmp_path):
    holed = truth.copy(deep=True)
    first = int(np.flatnonzero(holed["time"].values == INITS[0])[0])
    holed["geopotential"][{"time": first, "level": 0}] = np.nan
    holed.to_netcdf(tmp_path / "truth.nc")
    climatology = Climatology.fit(truth, spec_of(truth), ("2001", "2001"), 0, 1)
    damping = baselines.fit_damping(truth, climatology, LEADS)
    with xr.open_dataset(tmp_path / "truth.nc") as lazy:
        for made in (
            baselines.persistence(lazy, INITS, LEADS),
            baselines.damped_persistence(lazy, climatology, damping, INITS, LEADS),
        ):
            is_missing = made["geopotential"].isel(level=0).isnull().all(["lead_time", "latitude", "longitude"])
            assert is_missing.values.tolist() == [True] + [False] * (len(INITS) - 1)


@pytest.mark.parametrize("build", [baselines.persistence, partial(baselines.persistence_ensemble, members=2)])
@pytest.mark.parametrize("lazily", [False, True])
def test_what_does_not_change_is_no_forecast(truth, tmp_path, build, lazily):
    ground = truth["geopotential"].isel(time=0, level=0, drop=True)
    truth.assign(geopotential_at_surface=ground).to_netcdf(tmp_path / "truth.nc")
    with xr.open_dataset(tmp_path / "truth.nc") as opened:
        made = build(opened if lazily else opened.load(), INITS[1:], LEADS)
        assert set(made.data_vars) == {"geopotential", "2m_temperature"}
        assert (evaluate(made, truth, "mae")["mae"].sel(bound="estimate") > 0).all()


def test_a_climatology_that_knows_what_is_judged_says_so(truth, caplog):
    def fitted(first, last):
        return Climatology.fit(truth, spec_of(truth), (first, last), 0, 1)

    honest, knowing = fitted("2001-01-05", "2001-01-08"), fitted("2001-01-02", "2001-01-04T09")
    made = baselines.climatology(honest, INITS, LEADS)
    evaluate(made, truth, "acc", honest)
    assert not [own for own in caplog.messages if "knows" in own]
    said = "the climatology of 2001-01-02 .. 2001-01-04T09 knows 5 of 6 valid times that are judged"
    baselines.climatology(knowing, INITS, LEADS)
    assert [own.partition(":")[0] for own in caplog.messages if "knows" in own] == [said]
    evaluate(made, truth, "acc", knowing)
    assert [own.partition(":")[0] for own in caplog.messages if "knows" in own] == [said, said]


def test_damped_persistence_by_name_is_fitted_before_the_first_init_time(truth, climatology):
    like = forecasts(n_init=2, start="2001-01-04")
    init_times, leads = like["init_time"].values, like["lead_time"].values
    made = baseline("damped_persistence", truth, climatology, like)
    damping = baselines.fit_damping(truth.sel(time=slice(None, "2001-01-03")), climatology, leads)
    expected = baselines.damped_persistence(truth, climatology, damping, init_times, leads)
    np.testing.assert_allclose(made["2m_temperature"], expected["2m_temperature"], rtol=1e-6)
    assert made.attrs["fitted_on"] == "2001-01-01T00:00 .. 2001-01-03T18:00"
    with pytest.raises(UserError, match="the truth has no time before the first init time, 2001-01-04T00:00, to fit"):
        baseline("damped_persistence", truth.sel(time=slice("2001-01-04", None)), climatology, like)
