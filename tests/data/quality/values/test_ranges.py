"""Impossible values: where they are, in which units they would be possible, and nothing else is said of them."""

import numpy as np
import pytest
from red_weather import red_weather

from weatherml.data.quality.check import check_dataset

WEATHER = red_weather({"u_component_of_wind": (300, 500, 850)})
PRESSURE = WEATHER[["u_component_of_wind"]].sel(level=500, drop=True) * 60 + 100_000
PRESSURE = PRESSURE.rename(u_component_of_wind="mean_sea_level_pressure").drop_attrs()
AT = np.arange(80)[:, None, None]


def errors(dataset):
    return [finding for finding in check_dataset(dataset) if finding.severity != "note"]


def with_value(value, times):
    corrupt = PRESSURE.copy(deep=True)
    corrupt["mean_sea_level_pressure"].values[times, 3, 5] = value
    return corrupt


def test_levels_are_told_in_one_line():
    (finding,) = [f for f in errors(WEATHER * 60) if f.rule == "range"]
    assert finding.subject == "u_component_of_wind" and "at 3 levels (300 to 850 hPa)" in finding.message


def test_one_impossible_value_is_one_finding():
    (finding,) = errors(with_value(150_000, [40]))
    assert finding.rule == "range" and " at 2" in finding.message and "150000" in finding.message


@pytest.mark.parametrize("value", [-9999, -32767, 1e20])
def test_a_stand_in_for_what_is_missing_is_named(value):
    (finding,) = errors(with_value(value, [40, 41]))
    assert f"{value:g} looks like a missing value" in finding.message and "_FillValue" in finding.message


def test_a_part_of_the_period_in_hpa_is_one_finding_that_says_so():
    (finding,) = errors(PRESSURE * np.where(AT < 50, 1, 0.01))
    assert finding.rule == "unit-change" and finding.message.find("looks like hPa") > 0
