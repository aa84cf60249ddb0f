"""Evaluation against loops over numpy fields, and its laws."""

import numpy as np
import pytest
import scoringrules
import xarray as xr
from fake_data import analyses, as_forecast, forecasts
from hypothesis import given, settings
from hypothesis import strategies as st

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.verification import accumulate, evaluate, summarize
from weatherml.verification.metrics.registry import find, plain

CHANNELS = ["geopotential_500", "geopotential_850", "2m_temperature"]
METRICS = ["rmse", "mae", "bias", "mse"]


@pytest.fixture(scope="module")
def truth():
    return analyses()


@pytest.fixture(scope="module")
def climatology():
    return analyses(seed=5) * np.float32(0.3)


@pytest.fixture(scope="module")
def ensemble():
    return forecasts(n_members=5)


def of_any_variable():
    """Metrics that need no parameters, no variables but those that there are, and no reference but a climatology."""
    found = {name: find(name) for name in plain()}
    needy = {name for name, own in found.items() if own.references - {"climatology"}}
    return [name for name, own in found.items() if name not in needy and not any(s.inputs for s in own.statistics)]


def estimate(dataset):
    return dataset.sel(bound="estimate")


def fields(dataset, channel):
    name, _, level = channel.rpartition("_")
    return dataset[name].sel(level=int(level)) if level.isdigit() else dataset[channel]


def truth_at(truth, forecast, init, lead):
    return truth.sel(time=forecast.init_time[init].values + forecast.lead_time[lead].values)


def area_mean(field):
    """Average over the sphere by the share of each row's zone in it."""
    latitude = np.radians(field.latitude.values)
    edges = np.concatenate([[np.pi / 2], (latitude[1:] + latitude[:-1]) / 2, [-np.pi / 2]])
    zone = np.sin(edges[:-1]) - np.sin(edges[1:])
    return (field.mean("longitude").values * zone).sum() / 2


def looped(forecast, truth, channel, lead, score):
    """Area means of score(forecast, truth) for each init time."""
    times = range(forecast.sizes["init_time"])
    pairs = [(forecast.isel(init_time=i, lead_time=lead), truth_at(truth, forecast, i, lead)) for i in times]
    return np.array([area_mean(score(fields(f, channel), fields(t, channel))) for f, t in pairs])


def test_evaluation_has_a_score_for_each_bound_channel_and_lead_time(truth, ensemble):
    scores = evaluate(ensemble, truth, METRICS)
    assert list(scores.data_vars) == METRICS
    assert scores["rmse"].dims == ("bound", "channel", "lead_time")
    assert list(scores.channel.values) == CHANNELS
    assert list(scores.bound.values) == ["estimate", "lower", "upper"]
    np.testing.assert_array_equal(scores.lead_time, ensemble.lead_time)


def test_rmse_averages_before_taking_the_root(truth):
    forecast = forecasts().drop_vars("valid_time")
    forecast = forecast * forecast["init_time"].copy(data=np.array([1, 2, 5, 9], np.float32))
    squared = looped(forecast, truth, "geopotential_850", 1, lambda f, t: (f - t) ** 2)
    rmse = estimate(evaluate(forecast, truth, ["rmse"]))["rmse"].sel(channel="geopotential_850")[1]
    assert rmse == pytest.approx(np.sqrt(squared.mean()), rel=1e-5)
    assert rmse > 1.05 * np.sqrt(squared).mean()


@pytest.mark.parametrize(
    ("metric", "score"),
    [
        ("mae", lambda f, t: abs(f.mean("number") - t)),
        ("bias", lambda f, t: f.mean("number") - t),
        ("mse", lambda f, t: (f.mean("number") - t) ** 2),
        ("crps", lambda f, t: t.copy(data=scoringrules.crps_ensemble(t.values, f.values, m_axis=0, estimator="nrg"))),
        (
            "crps_fair",
            lambda f, t: t.copy(data=scoringrules.crps_ensemble(t.values, f.values, m_axis=0, estimator="fair")),
        ),
    ],
)
@pytest.mark.parametrize("channel", CHANNELS[1:])
def test_score_is_the_mean_over_areas_and_init_times(truth, ensemble, metric, score, channel):
    expected = looped(ensemble, truth, channel, 2, score).mean()
    assert estimate(evaluate(ensemble, truth, [metric]))[metric].sel(channel=channel)[2] == pytest.approx(
        expected, rel=1e-5
    )


def test_acc_correlates_anomalies_over_all_init_times(truth, ensemble, climatology):
    mean = ensemble.mean("number")
    means = []
    for product in ("fo", "ff", "oo"):
        parts = []
        for i in range(4):
            expected = fields(truth_at(climatology, ensemble, i, 0), CHANNELS[0])
            anomaly = {
                "f": fields(mean.isel(init_time=i, lead_time=0), CHANNELS[0]) - expected,
                "o": fields(truth_at(truth, ensemble, i, 0), CHANNELS[0]) - expected,
            }
            parts.append(area_mean(anomaly[product[0]] * anomaly[product[1]]))
        means.append(np.mean(parts))
    acc = estimate(evaluate(ensemble, truth, ["acc"], climatology))["acc"].sel(channel=CHANNELS[0])[0]
    assert acc == pytest.approx(means[0] / np.sqrt(means[1] * means[2]), rel=1e-5)


def test_acc_of_the_truth_itself_is_one(truth, climatology):
    perfect = as_forecast(truth, forecasts())
    np.testing.assert_allclose(estimate(evaluate(perfect, truth, ["acc"], climatology))["acc"], 1, rtol=1e-12)


def test_activity_of_the_truth_is_the_rmse_of_the_climatology(truth, climatology):
    like = forecasts()
    activity = evaluate(as_forecast(truth, like), truth, ["activity"], climatology)["activity"]
    np.testing.assert_allclose(activity, evaluate(as_forecast(climatology, like), truth, ["rmse"])["rmse"], rtol=1e-6)


def test_spread_is_the_root_of_the_mean_unbiased_variance(truth, ensemble):
    variance = looped(ensemble, truth, CHANNELS[0], 1, lambda f, t: f.var("number", ddof=1)).mean()
    scores = estimate(evaluate(ensemble, truth, ["spread"]))
    assert scores["spread"].sel(channel=CHANNELS[0])[1] == pytest.approx(np.sqrt(variance), rel=1e-5)


def test_spread_skill_of_a_reliable_ensemble_is_one():
    grid = LatLonGrid.regular(30, 61)
    truth, ensemble = analyses(grid=grid), forecasts(n_members=3, grid=grid, n_lead=2)
    np.testing.assert_allclose(estimate(evaluate(ensemble, truth, ["spread_skill"]))["spread_skill"], 1, atol=0.03)


def test_crps_of_a_deterministic_forecast_is_its_mae(truth):
    scores = evaluate(forecasts(), truth, ["mae", "crps_fair", "crps"])
    np.testing.assert_allclose(scores["crps_fair"], scores["mae"], rtol=1e-6)
    np.testing.assert_allclose(scores["crps"], scores["mae"], rtol=1e-6)


def test_an_ensemble_of_one_scores_as_the_deterministic_forecast(truth):
    one = forecasts(n_members=1)
    assert evaluate(one, truth, METRICS).equals(evaluate(one.isel(number=0, drop=True), truth, METRICS))


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 11))
def test_scores_do_not_change_when_the_planet_turns(shift):
    truth, ensemble, climatology = analyses(), forecasts(n_members=2, n_init=2), analyses(seed=3)
    turned = [dataset.roll(longitude=shift) for dataset in (ensemble, truth, climatology)]
    names = of_any_variable()
    still, moved = evaluate(ensemble, truth, names, climatology), evaluate(*turned[:2], names, turned[2])
    for name in names:
        np.testing.assert_allclose(moved[name], still[name], rtol=1e-6, atol=1e-6)


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(4)), st.integers(1, 2))
def test_parts_fold_in_any_order(order, cut):
    truth, ensemble = analyses(), forecasts(n_members=2)
    names = ["rmse", "crps_fair"]
    parts = [
        ensemble.isel(init_time=[i], lead_time=leads) for i in order for leads in (slice(0, cut), slice(cut, None))
    ]
    total = accumulate(parts[0], truth, names)
    for part in parts[1:]:
        total = total + accumulate(part, truth, names)
    folded, whole = summarize(total, names), evaluate(ensemble, truth, names)
    for name in names:
        np.testing.assert_allclose(folded[name].sel(channel=CHANNELS), whole[name], rtol=1e-12)


def test_a_hole_between_parts_is_an_error(truth):
    forecast = forecasts()
    parts = accumulate(forecast.isel(init_time=[0]), truth, METRICS) + accumulate(
        forecast.isel(init_time=[1], lead_time=[0]), truth, METRICS
    )
    with pytest.raises(UserError, match=r"nothing was evaluated at .*2001-01-02.*12:00"):
        summarize(parts, METRICS)


def test_dask_and_numpy_give_the_same(truth, ensemble, climatology):
    lazy = [dataset.chunk() for dataset in (ensemble, truth, climatology)]
    names = of_any_variable()
    assert evaluate(*lazy[:2], names, lazy[2]).identical(evaluate(ensemble, truth, names, climatology))


def test_blocks_of_lead_times_give_the_same(truth, ensemble, monkeypatch):
    whole = evaluate(ensemble, truth, METRICS)
    monkeypatch.setattr("weatherml.verification.pairing.matched.BLOCK_BYTES", 1)
    assert evaluate(ensemble, truth, METRICS).identical(whole)


def test_progress_counts_init_times(truth):
    seen = []
    evaluate(forecasts(), truth, METRICS, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_forecast_without_the_south_pole_is_judged_by_the_rows_it_has(truth, ensemble):
    northern, cut = ensemble.isel(latitude=slice(0, -1)), truth.isel(latitude=slice(0, -1))
    xr.testing.assert_equal(evaluate(northern, truth, ["rmse"]), evaluate(northern, cut, ["rmse"]))


def test_points_where_the_truth_is_masked_do_not_count():
    truth, forecast = analyses({"sea_surface_temperature": ()}), forecasts({"sea_surface_temperature": ()})
    sea = truth.latitude < 40
    masked = evaluate(forecast.where(sea), truth.where(sea), ["mse"])
    error = looped(forecast, truth, "sea_surface_temperature", 1, lambda f, t: (f - t).where(sea, 0) ** 2).mean()
    share = area_mean((sea & (truth.longitude >= 0)).astype(float))
    assert estimate(masked)["mse"][0, 1] == pytest.approx(error / share, rel=1e-5)


def _spoiled(dataset, **where):
    spoiled = dataset.copy(deep=True)
    spoiled["2m_temperature"][where] = np.nan
    return spoiled


def test_nan_in_a_forecast_where_the_truth_is_defined_is_an_error(truth, ensemble):
    spoiled = _spoiled(ensemble, init_time=2, lead_time=1, number=3, latitude=0, longitude=4)
    with pytest.raises(
        UserError,
        match="the forecast of 2m_temperature valid at 2001-01-03T12:00 is not finite at 1 point where the truth is;",
    ):
        evaluate(spoiled, truth, ["rmse"])


def test_nan_in_the_truth_that_comes_and_goes_is_an_error(truth):
    at = r"valid at 2001-01-01T12:00 is {} at 12 points where it is{} at 2001-01-01T06:00; all times must lack the same"
    with pytest.raises(UserError, match="the truth of 2m_temperature " + at.format("not finite", "")):
        evaluate(forecasts(), _spoiled(truth, time=2, latitude=0), ["rmse"])
    with pytest.raises(UserError, match="the truth of 2m_temperature " + at.format("finite", " not")):
        evaluate(forecasts(), _spoiled(truth, time=1, latitude=0), ["rmse"])


def test_nan_in_the_climatology_is_an_error(truth, climatology):
    with pytest.raises(UserError, match="the climatology of 2m_temperature valid at 2001-01-01T12:00"):
        evaluate(forecasts(), truth, ["acc"], _spoiled(climatology, time=2, latitude=0))


def test_a_level_that_a_variable_lacks_is_no_channel():
    levels = {"geopotential": (500, 850), "temperature": (500, 850)}
    forecast = forecasts(levels)
    forecast["temperature"] = forecast["temperature"].where(forecast.level == 850)
    scores = evaluate(forecast, analyses(levels), ["rmse"])
    assert list(scores.channel.values) == ["geopotential_500", "geopotential_850", "temperature_850"]


def _too_late(forecast, truth):
    return forecast.assign_coords(lead_time=forecast.lead_time + np.timedelta64(5, "D")), truth


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_too_late, r"the truth has no time 2001-01-.*; it covers 2001-01-01T00:00 \.\. 2001-01-08T00:00"),
        (lambda f, t: (f.isel(init_time=0), t), "no dimension 'init_time'"),
        (lambda f, t: (f, t.drop_vars("2m_temperature")), "the truth lacks what the forecast has: .*2m_temperature"),
        (lambda f, t: (f, t.sel(level=[850])), "the truth lacks what the forecast has: .*500 hPa"),
        (lambda f, t: (f, t.isel(latitude=slice(1, None))), "another grid than the forecast, 6 x 12"),
    ],
)
def test_what_does_not_fit_together_is_said_in_one_line(truth, change, message):
    with pytest.raises(UserError, match=message) as caught:
        evaluate(*change(forecasts(), truth), ["rmse"])
    assert "\n" not in str(caught.value)


def test_an_unknown_metric_suggests_the_near_one(truth):
    with pytest.raises(UserError, match="did you mean 'crps_fair'"):
        evaluate(forecasts(), truth, ["crps_fare"])


@pytest.mark.parametrize(("metric", "need"), [("acc", "climatology"), ("spread_skill", "two members")])
def test_a_metric_says_what_it_needs(truth, metric, need):
    with pytest.raises(UserError, match=f"metric {metric!r} needs .*{need}"):
        evaluate(forecasts(), truth, [metric])


def test_close_init_times_are_resampled_together():
    truth = analyses(times=90)
    close, apart = forecasts(n_init=12, init_step="1D"), forecasts(n_init=4, init_step="5D")
    assert [evaluate(f, truth, ["rmse"])["rmse"].notnull().all() for f in (close, apart)] == [True, True]
    assert evaluate(close.isel(init_time=slice(0, 9)), truth, ["rmse"])["rmse"].sel(bound="lower").isnull().all()


def test_one_metric_may_be_given_by_its_name_alone(ensemble, truth):
    xr.testing.assert_identical(evaluate(ensemble, truth, "rmse"), evaluate(ensemble, truth, ["rmse"]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metrics": []}, "^metrics are empty; pass at least one of acc, "),
        ({"truth": "data.zarr"}, "^truth must be Dataset, got 'data.zarr'; open it with"),
        ({"forecast": None}, "^forecast must be Dataset, got None; open it with"),
        ({"climatology": "c.nc"}, "^climatology must be Dataset, got 'c.nc'; open it with"),
    ],
)
def test_an_argument_of_another_kind_is_refused(ensemble, truth, given, message):
    with pytest.raises(UserError, match=message):
        evaluate(**{"forecast": ensemble, "truth": truth} | given)
