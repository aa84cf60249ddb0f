"""Errors planted in good data are found, and nothing is said against the good data (benchmarks/planted_errors.py: all).

Sizes are small: four weeks of real fields, and a made-up planet of few cells.
"""

import numpy as np
import pytest
import source_layouts as layouts
from planted import plantings

from weatherml.data.quality.check import check_dataset
from weatherml.data.reading.opening import open_files


@pytest.fixture(scope="module")
def winter(shared):
    """Four weeks of six-hourly pressure."""
    opened = open_files(shared("reanalysis/era5_msl_2025-2026_djf_2.5x2.5.zarr"))
    return opened.isel(time=slice(0, 112)).load()


@pytest.fixture(scope="module")
def summer(shared):
    """Four weeks of the warmest temperature of the day."""
    opened = open_files(shared("reanalysis/erainterim_t2m_dailymax_2p5deg_2012.nc"))
    return opened.isel(time=slice(0, 28)).load()


def complaints(dataset):
    return {(f.subject, f.message, f.rule) for f in check_dataset(dataset) if f.severity != "note"}


def not_found(dataset):
    """Return the errors that no rule of their own finds when they are planted in a dataset."""
    known = complaints(dataset)
    found = {error: complaints(error.plant(dataset, names)) - known for error, names in plantings(dataset)}
    return {error.name for error, said in found.items() if not error.rules & {rule for *_, rule in said}}


def test_good_weeks_are_good(winter, summer):
    assert complaints(winter) == complaints(summer) == set()


def test_all_errors_in_six_hourly_pressure_are_found(winter):
    assert not_found(winter) == set()


def test_all_errors_in_daily_temperature_are_found_but_those_that_four_weeks_of_days_do_not_tell(summer):
    assert not_found(summer) <= {"times off by 12 h", "version changes in the middle"}


def test_an_error_changes_what_it_is_planted_in_and_nothing_else():
    """Else a table of what is found would count what was never planted."""
    truth = layouts.truth(n_times=48)
    planted = plantings(truth)
    assert len({error.name for error, _ in planted}) == 25
    for error, names in planted:
        bad = error.plant(truth, names)
        changed = {name for name in truth.data_vars if not np.array_equal(bad[name], truth[name], equal_nan=True)}
        assert changed == (set() if error.needs_all else set(names)), error.name
        assert bad.sizes == truth.sizes and bad.identical(truth) is False, error.name
