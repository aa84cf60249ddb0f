"""SEEPS: what makes it equitable, against loops, and the climates that it is compared with."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.verification import baselines, evaluate, evaluate_maps
from weatherml.verification.metrics.precipitation.statistics import SeepsError, seeps

RAIN = "total_precipitation_24hr"
DRY = 0.00025


def rain(dataset):
    """Noise made rain: none in half of the cases, some mm in the others."""
    return dataset.assign({RAIN: (dataset[RAIN] * np.float32(0.004)).clip(0)})


@pytest.fixture(scope="module")
def truth():
    return rain(analyses({RAIN: (), "2m_temperature": ()}, times=60))


@pytest.fixture(scope="module")
def forecast():
    return rain(forecasts({RAIN: (), "2m_temperature": ()}, n_init=3, start="2001-01-10"))


@pytest.fixture(scope="module")
def climate(truth):
    return baselines.seeps_climate(truth, ("2001-01-01", "2001-01-09"))


@pytest.mark.parametrize("dry", [0.15, 0.5, 0.8])
@pytest.mark.parametrize("always", [0, 1, 2])
def test_always_the_same_class_has_an_error_of_one_in_any_climate(dry, always):
    share = np.array([dry, 2 * (1 - dry) / 3, (1 - dry) / 3])
    errors = seeps(np.full(3, always), np.arange(3), np.full(3, dry))
    assert errors @ share == pytest.approx(1)
    assert errors[always] == 0


def test_a_climate_is_how_often_it_is_dry_and_where_the_heaviest_third_begins(truth, climate):
    own = truth[RAIN].sel(time=slice("2001-01-01", "2001-01-09")).values
    found = {name: dataset[RAIN].values for name, dataset in climate.items()}
    np.testing.assert_allclose(found["dry_probability"], (own <= np.float32(DRY)).mean(0), rtol=1e-6)
    wet = np.where(own > np.float32(DRY), own, np.nan)
    np.testing.assert_allclose(found["heavy_threshold"], np.nanquantile(wet, 2 / 3, axis=0), rtol=1e-5)


def test_a_climate_is_the_same_however_it_is_read(truth, climate, monkeypatch):
    monkeypatch.setattr("weatherml.verification.baselines.precipitation._BAND_BYTES", 1)
    again = baselines.seeps_climate(truth.chunk(time=7), ("2001-01-01", "2001-01-09"))
    for name, dataset in again.items():
        xr.testing.assert_identical(dataset, climate[name])


def test_a_climate_of_months_is_that_of_each_month_by_itself(truth, forecast):
    shifted = truth.assign_coords(time=truth["time"] + np.timedelta64(24, "D"))  # from 25 January into February
    whole = ("2001-01-25", "2001-02-20")
    by_month = baselines.seeps_climate(shifted, whole, by="month")
    for month, own in ((1, ("2001-01-25", "2001-01-31")), (2, ("2001-02-01", "2001-02-20"))):
        for name, alone in baselines.seeps_climate(shifted, own).items():
            xr.testing.assert_identical(by_month[name].sel(month=month, drop=True), alone)
    late = forecast.assign_coords(init_time=forecast["init_time"] + np.timedelta64(18, "D"))  # 28 January
    of_february = baselines.seeps_climate(shifted, ("2001-02-01", "2001-02-20"))
    told = evaluate(late, shifted, "seeps(lowest=0.3)", references=by_month, missing="count")["seeps(lowest=0.3)"]
    other = evaluate(late, shifted, "seeps(lowest=0.3)", references=of_february, missing="count")["seeps(lowest=0.3)"]
    assert not np.allclose(told.sel(bound="estimate", channel=RAIN), other.sel(bound="estimate", channel=RAIN))
    with pytest.raises(UserError, match=r"dry_probability has no month of 2001-01-.* only 2; make one of a period"):
        evaluate(late, shifted, "seeps", references={name: own.sel(month=[2]) for name, own in by_month.items()})


def test_each_valid_time_is_compared_with_its_own_month(truth, forecast, climate):
    """The same climate in all months is one of all times; another in months that are not judged changes nothing."""
    twelve = xr.DataArray(np.arange(1, 13), dims="month", coords={"month": np.arange(1, 13)})
    by_month = {name: (own * xr.ones_like(twelve, float)).astype(np.float32) for name, own in climate.items()}
    by_month["dry_probability"] = by_month["dry_probability"].where(twelve == 1, 0.5)
    found = evaluate(forecast, truth, "seeps", references=by_month)["seeps"]
    xr.testing.assert_allclose(found, evaluate(forecast, truth, "seeps", references=climate)["seeps"])


def looped(forecast, truth, climate):
    """Of the first init time at the second lead."""
    made = forecast[RAIN].values[0, 1]
    true = as_forecast(truth, forecast)[RAIN].values[0, 1]
    dry, heavy = (climate[name][RAIN].values for name in ("dry_probability", "heavy_threshold"))
    areas, total, weight = LatLonGrid.from_dataset(truth).cell_areas(), 0.0, 0.0
    for (i, j), p in np.ndenumerate(dry.astype(float)):
        f, t = (0 if x[i, j] <= np.float32(DRY) else 1 if x[i, j] < heavy[i, j] else 2 for x in (made, true))
        if 0.4 <= p <= 0.6:
            costs = [
                [0, 1 / (1 - p), 4 / (1 - p)],
                [1 / p, 0, 3 / (1 - p)],
                [1 / p + 3 / (2 + p), 3 / (2 + p), 0],
            ]
            total, weight = total + areas[i] * costs[f][t] / 2, weight + areas[i]
    return total / weight


def test_seeps_is_a_mean_over_places_where_the_climate_lets_it_be_told(forecast, truth, climate):
    name = "seeps(lowest=0.4, highest=0.6)"
    scores = evaluate(forecast.isel(init_time=[0]), truth, [name, "rmse"], references=climate)
    found = scores[name].sel(bound="estimate", channel=RAIN).isel(lead_time=1)
    assert found == pytest.approx(looped(forecast, truth, climate), rel=1e-6)
    assert scores[name].sel(channel="2m_temperature").isnull().all()
    assert scores["rmse"].sel(bound="estimate").notnull().all()
    shares = climate["dry_probability"][RAIN]
    assert 0 < ((shares < 0.4) | (shares > 0.6)).mean() < 1


def test_what_equals_a_threshold_is_dry_and_is_heavy():
    dry, heavy = np.float32(DRY), np.float32(0.004)
    amounts = [dry, np.nextafter(dry, heavy), np.nextafter(heavy, dry), heavy]
    np.testing.assert_array_equal(SeepsError()._class(np.array(amounts), heavy), [0, 1, 1, 2])


def test_the_truth_has_no_error(truth, forecast, climate):
    perfect = as_forecast(truth, forecast)[[RAIN]]
    assert (evaluate(perfect, truth, "seeps", references=climate)["seeps"].sel(bound="estimate") == 0).all()


def test_where_it_never_rains_nothing_is_told(truth, forecast):
    desert = truth.copy(deep=True)
    desert[RAIN][:, 2, 3] = 0
    climate = baselines.seeps_climate(desert, ("2001-01-01", "2001-01-09"))
    maps = evaluate_maps(forecast, desert, "seeps", references=climate)["seeps"].sel(channel=RAIN)
    assert maps[:, 2, 3].isnull().all()
    assert maps[:, 2, 4].notnull().all()


def test_a_climatology_of_weatherbench_knows_days_and_hours(truth, forecast, climate):
    shape = xr.DataArray(np.ones((4, 366)), {"hour": [0, 6, 12, 18], "dayofyear": np.arange(1, 367)})
    dated = xr.Dataset(
        {
            f"{RAIN}_seeps_dry_fraction": climate["dry_probability"][RAIN] * shape,
            f"{RAIN}_seeps_threshold": climate["heavy_threshold"][RAIN] * shape,
        }
    )
    references = baselines.seeps_of_weatherbench(dated)
    found = evaluate(forecast, truth, "seeps", references=references)["seeps"]
    xr.testing.assert_allclose(found, evaluate(forecast, truth, "seeps", references=climate)["seeps"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda f, t, c: evaluate(f, t, "seeps"),
            "metric 'seeps' needs a reference 'dry_probability'; pass references=",
        ),
        (
            lambda f, t, c: evaluate(f[["2m_temperature"]], t, "seeps", references=c),
            "metric 'seeps' needs total_precipitation_24hr or .* the forecast has 2m_temperature: leave it out",
        ),
        (lambda f, t, c: baselines.seeps_climate(t, ("1999", "2000")), "no precipitation from 1999.* choose a period"),
        (
            lambda f, t, c: baselines.seeps_climate(t, ("2001", "2001"), "rain"),
            "there is no rain, but .*pass a dataset",
        ),
        (
            lambda f, t, c: baselines.seeps_climate(t, ("2001", "2001"), by="season"),
            "by month or of all times, not by 'season'; leave by out",
        ),
    ],
)
def test_what_seeps_lacks_is_said_in_one_line(forecast, truth, climate, call, message):
    with pytest.raises(UserError, match=message):
        call(forecast, truth, climate)
