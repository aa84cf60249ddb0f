"""References give the fields of the times that they are asked for, and judge alike however they are kept."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

from weatherml.cli.paths import climatology_at
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.data.statistics.windowed_climatology import WindowedClimatology
from weatherml.errors import UserError
from weatherml.extremes import verdict
from weatherml.grid import LatLonGrid
from weatherml.references import Reference, as_reference, narrowed
from weatherml.state import spec_of
from weatherml.verification import evaluate


@pytest.fixture(scope="module")
def truth():
    return analyses(times=40)


@pytest.fixture(scope="module")
def climatology(truth):
    return Climatology.fit(truth, spec_of(truth), ("2001-01-01", "2001-01-08"), 0, 1)


@pytest.fixture(scope="module")
def by_hour():
    """Return a climatology as WeatherBench 2 keeps it, of which no two times of a leap year are alike."""
    dated = analyses(times=4 * 366, start="2004-01-01", seed=8)
    times = dated.indexes["time"]
    parts = {"hour": times.hour, "dayofyear": times.day_of_year}
    return (
        dated.drop_vars("time")
        .assign_coords({n: ("time", v) for n, v in parts.items()})
        .set_index(time=["hour", "dayofyear"])
        .unstack("time")
    )


class Counting:
    """A reference that remembers how many times it was asked for at once."""

    def __init__(self, reference):
        self.reference, self.asked = reference, []

    def at(self, times):
        self.asked.append(len(times))
        return self.reference.at(times)


def test_a_climatology_is_judged_as_its_fields_at_the_valid_times_are(truth, climatology):
    forecast, metrics = forecasts(), ["acc", "activity"]
    assert isinstance(climatology, Reference)
    fields = climatology.at(truth["time"].values)
    expected = evaluate(forecast, truth, metrics, fields)
    xr.testing.assert_allclose(evaluate(forecast, truth, metrics, climatology), expected, rtol=1e-5)


def test_a_reference_is_never_asked_for_more_than_a_block(truth, climatology):
    counting = Counting(climatology)
    evaluate(forecasts(n_init=4, n_lead=3), truth, ["activity"], counting)
    assert max(counting.asked) == 3


def test_only_some_channels_of_a_climatology_are_those_channels(truth, climatology):
    times = truth["time"].values[:5]
    kept = narrowed(climatology, {"geopotential": (850,)}).at(times)
    assert list(kept.data_vars) == ["geopotential"]
    xr.testing.assert_allclose(kept["geopotential"], climatology.at(times)["geopotential"].sel(level=[850]), rtol=1e-6)


def test_channels_that_are_left_are_not_copied(climatology):
    assert np.shares_memory(climatology.only({"geopotential": (500, 850)}).coefficients, climatology.coefficients)


def test_a_climatology_by_hour_and_day_of_the_year_is_that_of_the_calendar_day(by_hour):
    times = np.array(["2003-02-28T06", "2003-03-01T18", "2004-02-29T00", "2001-12-31T12"], "datetime64[ns]")
    fields = as_reference(by_hour).at(times)["geopotential"]
    for position, (hour, day) in enumerate([(6, 59), (18, 60), (0, 60), (12, 365)]):
        np.testing.assert_array_equal(
            fields[position].transpose("level", "latitude", "longitude"),
            by_hour["geopotential"].sel(hour=hour, dayofyear=day).transpose("level", "latitude", "longitude"),
        )


def test_a_climatology_by_hour_judges(truth, by_hour):
    forecast = forecasts()
    valid = np.unique(forecast["valid_time"].values)
    dated = as_reference(by_hour).at(valid)
    judged = evaluate(forecast, truth, ["acc"], by_hour.rename(hour="hourofday"))
    xr.testing.assert_allclose(judged, evaluate(forecast, truth, ["acc"], dated))


def test_an_hour_that_a_climatology_lacks_is_named(by_hour):
    with pytest.raises(UserError, match=r"no hour of 2003-02-28T03:00, only 0 .. 18 in 4 steps"):
        as_reference(by_hour).at(np.array(["2003-02-28T03"], "datetime64[ns]"))


def test_a_valid_time_that_a_climatology_lacks_is_named_before_anything_is_judged(truth):
    told = []
    short = analyses(times=8, seed=3)
    with pytest.raises(UserError, match="the climatology has no time 2001-01-03T06:00"):
        evaluate(forecasts(), truth, ["acc"], short, lambda *done: told.append(done))
    assert not told


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a year and a half of small fields, and the folder with what was fitted on them."""
    folder = tmp_path_factory.mktemp("run")
    data = analyses({"2m_temperature": ()}, times=2 * 550, step="12h", grid=LatLonGrid.regular(2, 3, poles=False))
    fit(data, Fit(spec_of(data), ("2001", "2002"), Harmonics(1, 0), window_days=61), folder)
    return data, folder


@pytest.mark.parametrize("name", ["climatology.nc", "windowed_climatology.nc"])
def test_each_climatology_of_a_run_is_judged_against(run, name):
    data, folder = run
    reference = climatology_at(folder / name)
    assert isinstance(reference, WindowedClimatology) == name.startswith("windowed")
    forecast = as_forecast(data, forecasts({"2m_temperature": ()}, step="12h", grid=LatLonGrid.from_dataset(data)))
    fields = reference.at(data["time"].values)
    judged = evaluate(forecast, data, ["activity"], reference)
    xr.testing.assert_allclose(judged, evaluate(forecast, data, ["activity"], fields), rtol=1e-5)


def test_an_event_may_have_a_threshold_of_its_own_at_every_time(truth):
    like = forecasts(n_members=3)
    rising = (0 * truth + xr.DataArray(np.linspace(-9, 9, 40), dims="time")).astype(np.float32)
    at_valid = as_forecast(rising, like)
    zero = 0 * truth.isel(time=0, drop=True)
    judged = verdict(like + at_valid, truth + rising, Counting(as_reference(rising)), base_rate=0.5)
    constant = verdict(like, truth, zero, base_rate=0.5)
    np.testing.assert_allclose(judged["brier"], constant["brier"], atol=1e-3)
