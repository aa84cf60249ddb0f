"""Yearly maxima and peaks of clusters against loops over one place at a time."""

import logging

import numpy as np
import pytest
import xarray as xr

import weatherml
from weatherml.errors import UserError
from weatherml.extremes.return_periods import block_maxima, peaks_over_threshold


@pytest.fixture(scope="module")
def record():
    """Three years of daily values that remember the day before, at 2 x 3 places."""
    values = np.random.default_rng(0).normal(size=(1096, 2, 3)).astype(np.float32)
    for day in range(1, len(values)):
        values[day] += 0.7 * values[day - 1]
    times = np.datetime64("2000-01-01", "ns") + np.arange(len(values)) * np.timedelta64(1, "D")
    return xr.DataArray(values, {"time": times}, ("time", "latitude", "longitude"), attrs={"units": "K"})


def clusters(values, threshold, gap):
    """Peaks of one place: days above no more than `gap` apart belong together."""
    days = np.flatnonzero(values > threshold)
    parts = np.split(days, np.flatnonzero(np.diff(days) > gap) + 1)
    return np.array([values[own].max() - threshold for own in parts if len(own)])


@pytest.mark.parametrize("gap", [1, 4])
@pytest.mark.parametrize("lazily", [False, True])
def test_peaks_are_those_of_clusters_at_each_place(record, gap, lazily, monkeypatch):
    monkeypatch.setattr("weatherml.extremes.return_periods.peaks._READ_BYTES", 4 * 6 * 100)
    threshold = record.quantile(0.9, "time", keep_attrs=False).drop_vars("quantile")
    peaks = peaks_over_threshold(record.chunk(time=90) if lazily else record, threshold, f"{gap}D")
    for at in np.ndindex(2, 3):
        expected = clusters(record.values[:, *at], np.float32(threshold.values[at]), gap)
        found = peaks.excess.values[:, *at]
        np.testing.assert_allclose(found[np.isfinite(found)], expected, rtol=1e-5)
        assert peaks.n_peaks.values[at] == len(expected)
        assert peaks.exceedances.values[at] == (record.values[:, *at] > threshold.values[at]).sum()
        assert peaks.runs_index.values[at] == pytest.approx(len(expected) / peaks.exceedances.values[at])
    assert peaks.years == pytest.approx(3, abs=0.01)


def test_the_extremal_index_by_intervals_is_the_formula_and_tells_independence(record):
    threshold = 2.0
    peaks = peaks_over_threshold(record, threshold)
    between = np.diff(np.flatnonzero(record.values[:, 1, 2] > threshold))
    n = len(between)
    expected = 2 * (between - 1).sum() ** 2 / (n * ((between - 1) * (between - 2)).sum())
    assert peaks.intervals_index.values[1, 2] == pytest.approx(min(1, expected))
    shuffled = record.copy(data=np.random.default_rng(1).permutation(record.values))
    assert peaks_over_threshold(shuffled, threshold).intervals_index.mean() > 0.9 > peaks.intervals_index.mean()


def test_a_season_between_ends_clusters_and_is_no_interval(record):
    seasons = record.sel(time=record["time"].dt.month.isin([6, 7]))
    with pytest.raises(UserError, match=r"the record has gaps: 183 times are 23 % .*; pass years=2.0 for two seasons"):
        peaks_over_threshold(seasons, 2.0)
    peaks = peaks_over_threshold(seasons, 2.0, "3D", years=3)
    one = [peaks_over_threshold(own, 2.0, "3D", years=1) for _, own in seasons.groupby("time.year")]
    np.testing.assert_array_equal(peaks.n_peaks, sum(own.n_peaks for own in one))
    np.testing.assert_array_equal(peaks.exceedances, sum(own.exceedances for own in one))


def test_peaks_of_two_real_summers_are_those_of_each(shared):
    """Of Europe, daily maxima of 2012 and 2015."""
    names = [shared(f"reanalysis/erainterim_t2m_dailymax_2p5deg_{year}.nc") for year in (2012, 2015)]
    record = xr.concat([weatherml.open_files([name])["2m_temperature"] for name in names], "time")
    europe = record.sel(latitude=slice(50, 45), longitude=slice(0, 15)).load()
    threshold = europe.quantile(0.95, "time").drop_vars("quantile")
    peaks = peaks_over_threshold(europe, threshold, "3D", years=2)
    for at in np.ndindex(threshold.shape):
        expected = [
            clusters(own.values[:, *at], np.float32(threshold.values[at]), 3) for _, own in europe.groupby("time.year")
        ]
        found = peaks.excess.values[:, *at]
        np.testing.assert_allclose(found[np.isfinite(found)], np.concatenate(expected), atol=1e-3)
    assert (peaks.runs_index < 0.7).all()  # heat comes in spells


def test_a_place_that_is_missing_once_has_no_peaks(record):
    holed = record.copy()
    holed[5, 0, 1] = np.nan
    assert peaks_over_threshold(holed, 1.0).n_peaks.values.astype(bool).tolist() == [[True, False, True], [True] * 3]


@pytest.mark.parametrize("first_month", [1, 7])
def test_maxima_are_of_whole_years(record, first_month, caplog):
    with caplog.at_level(logging.WARNING):
        maxima = block_maxima(record.chunk(time=100), first_month)
    shifted = record["time"].dt.year - (record["time"].dt.month < first_month)
    expected = record.groupby(shifted.rename("year")).max()
    whole = [2000, 2001, 2002] if first_month == 1 else [2000, 2001]
    np.testing.assert_array_equal(maxima["year"], whole)
    np.testing.assert_array_equal(maxima, expected.sel(year=whole))
    assert ("left out: 1999, 2002" in caplog.text) == (first_month == 7)


def test_what_is_no_record_is_refused_in_one_line(record):
    with pytest.raises(UserError, match="a record has a dimension 'time'"):
        block_maxima(record[0])
    with pytest.raises(UserError, match="first_month is a month from 1 to 12, not 0"):
        block_maxima(record, 0)
    with pytest.raises(UserError, match=r"do not rise; sort them, field.sortby\('time'\)"):
        peaks_over_threshold(record[::-1], 1.0)


def test_the_time_between_two_seasons_is_no_interval_of_the_extremal_index(record):
    parts = [slice(0, 200), slice(700, 900)]
    seasons = xr.concat([record[own] for own in parts], "time")
    peaks = peaks_over_threshold(seasons, 1.0, years=2.0)
    between = np.concatenate([np.diff(np.flatnonzero(record.values[own, 1, 2] > 1)) for own in parts])
    expected = 2 * (between - 1).sum() ** 2 / (len(between) * ((between - 1) * (between - 2)).sum())
    assert peaks.intervals_index.values[1, 2] == pytest.approx(min(1, expected))
