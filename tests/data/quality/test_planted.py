"""Errors planted in good data are found, and nothing is said against the good data (benchmarks/planted_errors.py: all).

Sizes are small: four weeks of real fields, and a made-up planet of few cells.
"""

import numpy as np
import pytest
import source_layouts as layouts
from planted import ERRORS, plantings

from weatherml.data.quality.check import check_dataset
from weatherml.data.reading.opening import open_files

MSL, T2M = "mean_sea_level_pressure", "2m_temperature"


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
    return {(f.subject, f.message) for f in check_dataset(dataset) if f.severity != "note"}


def noticed(dataset, name, variables):
    """Return what is said against a dataset for an error that is planted in it."""
    return complaints(ERRORS[name].plant(dataset, variables)) - complaints(dataset)


FOUND_IN_PRESSURE = (
    "latitude flipped",
    "hPa",
    "units change in the middle",
    "zero",
    "no value at a time",
    "four times are zero",
    "a hole at some times",
    "one absurd value",
)
FOUND_IN_TEMPERATURE = (
    "longitude shifted by 180 degrees",
    "mirrored east to west",
    "Celsius",
    "units change in the middle",
    "zero",
    "no value at a time",
    "four times are zero",
    "a hole at some times",
    "one absurd value",
)


def test_good_weeks_are_good(winter, summer):
    assert {text for _, text in complaints(winter) if "preliminary" not in text} == set()
    assert complaints(summer) == set()


@pytest.mark.parametrize("name", FOUND_IN_PRESSURE)
def test_an_error_in_pressure_is_found(winter, name):
    assert noticed(winter, name, [MSL])


@pytest.mark.parametrize("name", FOUND_IN_TEMPERATURE)
def test_an_error_in_temperature_is_found(summer, name):
    assert noticed(summer, name, [T2M])


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
