"""Heavy precipitation: amounts, thresholds, objects, SAL and matches of planted rain."""

from dataclasses import replace

import fake_data
import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes import verdict
from weatherml.extremes.hazards import rain
from weatherml.extremes.hazards.registry import find
from weatherml.extremes.objects import sal
from weatherml.grid import LatLonGrid
from weatherml.verification import evaluate

GRID = LatLonGrid(tuple(np.arange(60.0, 40, -2)), tuple(np.arange(0.0, 30, 2)))
SIX_HOURLY = {"total_precipitation_6hr": ()}
HEAVY = rain.Definition(percentile=None)


def wet(dataset, scale=0.004):
    return np.abs(dataset) * scale


ANALYSES = wet(fake_data.analyses(SIX_HOURLY, 33, grid=GRID))
FORECAST = wet(fake_data.forecasts(SIX_HOURLY, 3, 6, 2, grid=GRID))
TRUTH = wet(fake_data.analyses(SIX_HOURLY, 40, grid=GRID, seed=4))


def test_amounts_are_sums_of_the_hours_up_to_each_time():
    found = rain.amounts(ANALYSES, HEAVY)["total_precipitation_24hr"]
    own = ANALYSES["total_precipitation_6hr"].values
    expected = np.stack([own[number - 3 : number + 1].sum(axis=0) for number in range(3, 33)])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found["time"].values[0] == ANALYSES["time"].values[3] and "24 h up to" in found.attrs["long_name"]


def test_amounts_of_forecasts_are_along_their_leads():
    found = rain.amounts(FORECAST, replace(HEAVY, hours=12))["total_precipitation_12hr"]
    own = FORECAST["total_precipitation_6hr"]
    assert found.dims == own.dims and found["lead_time"].equals(own["lead_time"][1:])
    np.testing.assert_allclose(found.values, own.values[:, 1:] + own.values[:, :-1], rtol=1e-6)


def test_what_is_of_so_many_hours_already_is_taken_as_it_is():
    own = rain.amounts(ANALYSES, replace(HEAVY, hours=6))
    assert own["total_precipitation_6hr"].values is ANALYSES["total_precipitation_6hr"].values


def test_heavy_is_more_than_the_percentile_and_than_the_amount():
    definition = replace(HEAVY, percentile=75.0, amount=0.012)
    threshold = rain.threshold(ANALYSES, definition, ("2001", "2001"))
    amounts = rain.amounts(ANALYSES, definition)["total_precipitation_24hr"].values
    expected = np.maximum(np.quantile(amounts, 0.75, axis=0), 0.012)
    np.testing.assert_allclose(threshold["total_precipitation_24hr"], expected, rtol=1e-5)
    event = rain.event(TRUTH, definition, threshold)
    came = rain.amounts(TRUTH, definition)["total_precipitation_24hr"].values
    np.testing.assert_array_equal(event, came > threshold["total_precipitation_24hr"].values)
    np.testing.assert_array_equal(rain.event(TRUTH, replace(definition, percentile=None)), came > 0.012)


def test_a_perfect_forecast_is_all_hits_at_no_distance():
    perfect = fake_data.as_forecast(TRUTH, FORECAST.isel(number=0, drop=True))
    found = rain.compare(perfect, TRUTH, replace(HEAVY, amount=0.016))
    assert found["hits"].dims == ("init_time", "lead_time") and found.sizes == {"init_time": 3, "lead_time": 3}
    assert found["hits"].sum() > 0 and not found[["misses", "false_alarms"]].to_array().any()
    for name in ("structure", "amplitude", "location"):
        np.testing.assert_allclose(found[name], 0, atol=1e-6)
    np.testing.assert_allclose(found["centroid_distance"].where(found["hits"] > 0, 0), 0, atol=1e-4)


def test_each_member_is_compared_with_the_truth_of_its_valid_time():
    found = rain.compare(FORECAST.isel(init_time=[2]), TRUTH, HEAVY)
    own = rain.amounts(FORECAST, HEAVY)["total_precipitation_24hr"][2, 1, 1]
    came = rain.amounts(TRUTH, HEAVY)["total_precipitation_24hr"].sel(time=own["init_time"] + own["lead_time"])
    expected = sal(own.values, came.values, GRID)
    assert found["structure"].values[0, 1, 1] == pytest.approx(expected.structure)
    assert found["location"].values[0, 1, 1] == pytest.approx(expected.location)


def test_fractions_and_probabilities_are_judged_by_verification():
    threshold = rain.threshold(ANALYSES, replace(HEAVY, percentile=75.0), ("2001", "2001"))
    amounts = rain.amounts(FORECAST, HEAVY), rain.amounts(TRUTH, HEAVY)
    scores = evaluate(*amounts, ["fss(radius=300)", "fss(radius=2000)"], references={"threshold": threshold})
    assert (scores["fss(radius=2000)"] > scores["fss(radius=300)"]).sel(bound="estimate").all()
    assert 0 < verdict(*amounts, threshold, base_rate=0.25)["brier"].sel(bound="estimate").max() < 1


def test_objects_go_on_through_time():
    amount = np.zeros((5, *GRID.shape), np.float32)
    for number in range(4):
        amount[number, 3:6, number : number + 3] = 0.02
    coords = {"time": TRUTH["time"][:5], "latitude": TRUTH["latitude"], "longitude": TRUTH["longitude"]}
    fields = xr.Dataset({"total_precipitation_24hr": (tuple(coords), amount)}, coords)
    found = rain.objects(fields, HEAVY)
    assert found["n_times"].values.tolist() == [4] and found["maximum"].item() == pytest.approx(0.02)
    assert found["last_time"].item() == fields["time"].values[3].astype(int)
    assert rain.objects(fields, replace(HEAVY, minimum_area=1e8)).sizes["object"] == 0


def test_cases_find_it_by_name():
    hazard = find("heavy_precipitation")
    definition = hazard.define({"hours": 12, "percentile": 75})
    threshold = hazard.threshold(ANALYSES, definition, ANALYSES["time"].values)
    event, index = hazard.event(ANALYSES, definition, threshold), hazard.index(ANALYSES, definition, threshold)
    assert event.dtype == np.float32 and event.shape == index.shape and index.attrs["units"] == "m"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rain.event(TRUTH, rain.Definition()), "above the 99th percentile, and no threshold is given"),
        (lambda: rain.Definition(hours=0), "is no heavy precipitation"),
        (lambda: rain.Definition(percentile=0), "a percentile lies between 0 and 100, got 0"),
        (
            lambda: rain.amounts(ANALYSES, rain.Definition(hours=9)),
            "no precipitation that makes 9 h .* pass total_precip",
        ),
        (
            lambda: rain.amounts(ANALYSES.isel(time=slice(None, None, 2)), HEAVY),
            "take 4 or more times that are 6 h apart",
        ),
        (lambda: rain.event(TRUTH, HEAVY, xr.Dataset({"t": 1.0})), "the threshold has no total_precipitation_24hr"),
        (lambda: rain.compare(FORECAST, TRUTH.isel(time=slice(6)), HEAVY), "the truth has no time 2001-01-02T"),
        (lambda: rain.compare(FORECAST, TRUTH.isel(latitude=slice(5)), HEAVY), "are on other grids"),
    ],
)
def test_what_is_no_rain_of_so_many_hours_is_one_line(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_amounts_are_of_what_fits_where_there_are_several():
    both = ANALYSES.assign(total_precipitation_24hr=ANALYSES["total_precipitation_6hr"] * 4)
    two_days = replace(HEAVY, hours=48)
    xr.testing.assert_equal(rain.amounts(both, two_days), rain.amounts(ANALYSES, two_days))


def test_rain_that_says_it_is_in_millimetres_is_refused():
    fields = 1000 * ANALYSES
    fields["total_precipitation_6hr"].attrs["units"] = "mm"
    with pytest.raises(UserError, match="total_precipitation_6hr is in 'mm', and thresholds are in 'm'"):
        rain.event(fields, HEAVY)


def test_a_threshold_of_the_times_that_are_compared_is_told(caplog):
    class Known:
        period = ("2001", "2001")

        def at(self, times):
            return rain.threshold(ANALYSES, HEAVY, ("2001", "2001"))

    rain.compare(FORECAST.isel(init_time=[0], number=[0]), TRUTH, HEAVY, Known())
    assert "of 2001 .. 2001 knows" in caplog.text


def test_a_threshold_that_is_missing_is_no_threshold_that_is_not_exceeded():
    """What lies below the least amount is known all the same."""
    truth = rain.amounts(TRUTH, HEAVY).isel(time=[3])
    forecast = truth.assign_coords(time=[np.timedelta64(1, "D")]).rename(time="lead_time")
    forecast = forecast.expand_dims(init_time=truth["time"].values - np.timedelta64(1, "D"))
    amounts = truth["total_precipitation_24hr"]
    definition = replace(HEAVY, amount=float(np.median(amounts)))
    given = xr.full_like(truth.isel(time=0, drop=True), definition.amount)
    whole = rain.event(truth, definition, given)
    given["total_precipitation_24hr"][0] = np.nan
    expected = whole.where((whole == 0) | (whole["latitude"] < 60))
    np.testing.assert_array_equal(rain.event(truth, definition, given), expected)
    n_missing = int(expected.isnull().sum())
    assert n_missing > 0
    for call in (rain.compare, lambda _, *given: rain.objects(*given)):
        with pytest.raises(UserError, match=f"missing at {n_missing} of 150 cells"):
            call(forecast, truth, definition, given)
