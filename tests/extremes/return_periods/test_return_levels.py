"""Return levels, periods and their intervals: closed forms, scipy, and what they cover."""

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from weatherml.errors import UserError
from weatherml.extremes.return_periods import (
    block_maxima,
    fit_gev,
    fit_gpd,
    peaks_over_threshold,
    return_levels,
    return_periods,
)
from weatherml.extremes.return_periods.families import GEV


@pytest.fixture(scope="module")
def maxima():
    """Forty years at 2 x 3 places."""
    values = stats.genextreme.rvs(0.1, 300, 2, (40, 2, 3), random_state=0)
    return xr.DataArray(values, {"year": np.arange(40)}, ("year", "latitude", "longitude"), attrs={"units": "K"})


@pytest.fixture(scope="module")
def peaks():
    """Ten years of independent days, exponential above the threshold."""
    values = np.random.default_rng(1).exponential(2, (3653, 2))
    times = np.datetime64("2000-01-01", "ns") + np.arange(3653) * np.timedelta64(1, "D")
    return peaks_over_threshold(xr.DataArray(values, {"time": times}, ("time", "place")), 8.0, "1D")


def test_a_level_is_the_quantile_of_what_is_exceeded_once(maxima):
    fit = fit_gev(maxima)
    levels = return_levels(fit, [2, 20], draws=20)["level"]
    assert levels.dims == ("bound", "return_period", "latitude", "longitude") and levels.attrs == {"units": "K"}
    location, scale, shape = (fit.parameters[name].values for name in ("location", "scale", "shape"))
    expected = stats.genextreme.ppf(1 - 1 / 20, -shape, location, scale)
    np.testing.assert_allclose(levels.sel(bound="estimate", return_period=20), expected)


def test_a_period_is_how_often_the_level_is_exceeded(maxima, peaks):
    for fit in (fit_gev(maxima), fit_gpd(peaks), fit_gpd(peaks, "likelihood")):
        level = return_levels(fit, [17.0], draws=5)["level"].sel(bound="estimate", return_period=17.0, drop=True)
        found = return_periods(fit, level, draws=5)["return_period"]
        np.testing.assert_allclose(found.sel(bound="estimate"), 17, rtol=1e-6)


def test_levels_of_peaks_count_how_many_there_are_a_year(peaks):
    fit = fit_gpd(peaks)
    scale, shape, rate = (fit.parameters[name].values for name in ("scale", "shape", "rate"))
    np.testing.assert_allclose(rate, peaks.n_peaks / peaks.years)
    expected = 8 + stats.genpareto.ppf(1 - 1 / (rate * 50), shape, 0, scale)
    found = return_levels(fit, [50], draws=5)["level"].sel(bound="estimate", return_period=50)
    np.testing.assert_allclose(found, expected)
    assert np.isnan(return_periods(fit, 7.0, draws=5)["return_period"]).all()  # below the threshold nothing is known


@pytest.mark.parametrize("interval", ["delta", "profile", "bootstrap"])
def test_in_a_long_record_a_likelihood_knows_the_median_a_little_better_than_the_samples_own(interval):
    """Of 1,000 Gumbel values, whose median's error is told by drawing from them again."""
    values = stats.gumbel_r.rvs(size=1000, random_state=2)
    fit = fit_gev(xr.DataArray(values, dims="year"), "likelihood")
    levels = return_levels(fit, [2.0], interval, draws=60)["level"].sel(return_period=2.0)
    expected = 1.96 * stats.bootstrap((values,), np.median, n_resamples=300, random_state=0).standard_error
    half = float(levels.sel(bound="upper") - levels.sel(bound="lower")) / 2
    assert float(levels.sel(bound="lower")) < stats.gumbel_r.median() < float(levels.sel(bound="upper"))
    assert 0.6 * expected < half < 1.1 * expected  # the likelihood knows the family, the sample's median does not


def test_at_the_ends_of_a_profile_the_likelihood_has_fallen_by_what_chance_has(maxima):
    """Of a Gumbel level by a search over a fine net of the other two parameters."""
    values = maxima.values[:, 1, 2]
    fit = fit_gev(maxima[:, 1:, 2:], "likelihood")
    bounds = return_levels(fit, [50], "profile")["level"].values[1:, 0, 0, 0]
    most = GEV.log_density(values, fit.array[:, 0, 0]).sum()
    scale, shape = (own[..., None] for own in np.meshgrid(np.linspace(1, 4, 150), np.linspace(-0.5, 0.9, 151)))
    for bound in bounds:
        location = bound - GEV.quantile(np.asarray(1 - 1 / 50), np.stack([0 * scale, scale, shape]))
        likeliest = GEV.log_density(values, np.stack([location, scale, shape])).sum(axis=-1).max()
        assert 2 * (most - likeliest) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=0.05)


def test_the_profile_leans_to_the_side_where_levels_are_less_known(maxima):
    fit = fit_gev(maxima[:, :1, :1], "likelihood")
    estimate, lower, upper = return_levels(fit, [200], "profile")["level"].values.ravel()
    assert upper - estimate > 1.3 * (estimate - lower)


def test_intervals_by_bootstrap_cover_the_truth_about_as_often_as_they_say():
    """Of 400 records of 40 years the 20-year level; too narrow by little, as percentiles of short records are."""
    values = stats.genextreme.rvs(0.1, 300, 2, (40, 400), random_state=5)
    fit = fit_gev(xr.DataArray(values, dims=("year", "record")))
    levels = return_levels(fit, [20], draws=100)["level"].sel(return_period=20)
    truth = stats.genextreme.ppf(1 - 1 / 20, 0.1, 300, 2)
    covered = (levels.sel(bound="lower") <= truth) & (truth <= levels.sel(bound="upper"))
    assert 0.88 < float(covered.mean()) < 0.98


def test_the_same_record_has_the_same_bounds_wherever_it_lies(maxima):
    twice = xr.concat([maxima[:, 0, 1], maxima[:, 1, 0], maxima[:, 0, 1]], "place")
    levels = return_levels(fit_gev(twice.transpose("year", "place")), [30], draws=30)["level"]
    np.testing.assert_allclose(levels[..., 0], levels[..., 2], rtol=1e-12)


def test_places_that_lack_a_year_or_have_few_peaks_are_left_out(maxima, peaks, caplog):
    holed = maxima.copy()
    holed[3, 1, 1] = np.nan
    missing = np.isnan(return_levels(fit_gev(holed), [10], draws=5)["level"]).values
    assert missing[:, 0, 1, 1].all() and missing.sum() == 3
    higher = peaks_over_threshold(
        xr.DataArray(
            np.eye(2)[np.arange(40) % 2] * [5.0, 1.0] + np.random.default_rng(0).random((40, 2)),
            {"time": np.datetime64("2000-01-01", "ns") + np.arange(40) * np.timedelta64(1, "D")},
            ("time", "place"),
        ),
        4.0,
        "1D",
    )
    with caplog.at_level(logging.WARNING):
        assert np.isnan(fit_gpd(higher).array).all(axis=0).tolist() == [False, True]
    assert "1 place of 2 have fewer than 5 peaks and are left out" in caplog.text


def test_a_period_longer_than_the_record_is_warned_of_with_its_interval(maxima, caplog):
    with caplog.at_level(logging.WARNING):
        levels = return_levels(fit_gev(maxima[:, 0, 0]), [10, 100], draws=50)
    lower, upper = (float(levels["level"].sel(return_period=100, bound=own)) for own in ("lower", "upper"))
    told = (
        f"longer than the record of 40: its level is extrapolated, its 95 % interval from {lower:.4g} to {upper:.4g} K"
    )
    assert told in caplog.text
    assert levels.attrs["trends"].startswith("not modelled")
    caplog.clear()
    return_levels(fit_gev(maxima), [10], draws=5)
    assert not caplog.text


def test_what_cannot_be_fitted_is_refused_in_one_line(maxima, peaks):
    with pytest.raises(UserError, match=r"4 yearly maxima are too few .* or peaks_over_threshold of this one"):
        fit_gev(maxima[:4])
    with pytest.raises(UserError, match="a fit is by 'lmoments' or by 'likelihood', not 'mle'"):
        fit_gev(maxima, "mle")
    with pytest.raises(UserError, match=r"a profile interval follows from a likelihood.*pass interval='bootstrap'"):
        return_levels(fit_gev(maxima), [10], "profile")
    with pytest.raises(UserError, match=r"return periods are years above 1, .* got \[0.5\]"):
        return_levels(fit_gev(maxima), [0.5])
    with pytest.raises(UserError, match=r"a confidence lies between 0 and 1, not 95; write 0\.95"):
        return_periods(fit_gpd(peaks), 9.0, confidence=95)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_the_delta_method_has_no_interval_where_estimates_are_not_normal(caplog):
    values = stats.genextreme.rvs([0.7, 0.0], 300, 2, (60, 2), random_state=1)
    fit = fit_gev(xr.DataArray(values, dims=("year", "place")), "likelihood")
    assert -1 < fit.array[2, 0] < -0.5 < fit.array[2, 1]
    level = return_levels(fit, [10.0, 100.0], "delta")["level"]
    assert level.isnull().any("return_period").values.tolist() == [[False, False], [True, False], [True, False]]
    assert caplog.text.count("1 place of 2 have no interval by the delta method: their shape is at most -0.5") == 1


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("interval", ["bootstrap", "delta", "profile"])
def test_a_place_without_a_likeliest_fit_has_no_level_and_one_warning(interval, caplog):
    values = xr.DataArray([281.2, 283.5, 279.9, 285.1, 284.8, 282.7, 284.4, 285.0], dims="year")
    assert np.isnan(return_levels(fit_gev(values, "likelihood"), [100], interval, draws=3)["level"]).all()
    assert len(caplog.records) == 1 and "rises up to a shape of -1 or 1" in caplog.text


@pytest.mark.parametrize("interval", ["bootstrap", "delta", "profile"])
def test_extremes_of_which_many_are_equal_have_no_likelihood(interval, caplog):
    values = np.zeros((20, 2))
    values[:, 1], values[:4, 0] = np.random.default_rng(0).gumbel(10, 1, 20), [1, 2, 3, 4]
    fit = fit_gev(xr.DataArray(values, dims=("year", "place")), "likelihood")
    assert np.isnan(fit.array).all(axis=0).tolist() == [True, False]
    assert "1 place of 2 have a value more than a quarter" in caplog.text
    level = return_levels(fit, [10.0], interval, draws=3)["level"]
    assert level.isnull().all("bound").squeeze().values.tolist() == [True, False]


def test_how_many_peaks_there_are_is_drawn_as_of_a_poisson_process(peaks):
    """The period of the threshold itself is one over the rate, whose bounds are those of a Poisson count."""
    period = return_periods(fit_gpd(peaks), 8.0, draws=500)["return_period"]
    expected = peaks.years / stats.poisson.ppf([0.975, 0.025], peaks.n_peaks.values[:, None]).T
    np.testing.assert_allclose(period.sel(bound=["lower", "upper"]), expected, rtol=0.06)


def test_periods_say_that_their_bounds_are_by_bootstrap(maxima):
    fit = fit_gev(maxima[:, :1, :1], "likelihood")
    with pytest.raises(UserError, match=r"alone, not 'profile'; .* return_levels\(fit, .*interval='profile'\)"):
        return_periods(fit, 20.0, interval="profile")


def test_records_are_of_one_variable_or_a_series():
    days = pd.date_range("2000-01-01", "2002-12-31", name="day")
    series = pd.Series(np.arange(len(days), dtype=float), days)
    record = xr.DataArray(series.to_numpy(), {"time": days.rename("time")}, ("time",))
    xr.testing.assert_identical(block_maxima(series), block_maxima(record))
    assert block_maxima(series).values.tolist() == [365, 730, 1095]
    np.testing.assert_array_equal(peaks_over_threshold(series, 1094.5).excess, [0.5])
    for function in (block_maxima, lambda own: peaks_over_threshold(own, 3.0)):
        with pytest.raises(UserError, match=r"got a dataset of 2m_temperature; pass record\['2m_temperature'\]"):
            function(record.to_dataset(name="2m_temperature"))
