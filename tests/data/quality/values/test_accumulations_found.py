"""Sums since midnight that pass for sums of single hours are found by their values."""

import numpy as np
import pytest
from fake_data import analyses

from weatherml.data.quality.check import check_dataset

HOURLY = analyses({"total_precipitation": ()}, times=48, step="1h", start="2001-01-01T01")
HOURLY["total_precipitation"] = abs(HOURLY["total_precipitation"]) * 1e-3


def found(dataset):
    return [f for f in check_dataset(dataset) if f.rule == "accumulated"]


@pytest.mark.parametrize(
    ("hours", "step", "words"), [(24, 1, "since 00 UTC"), (24, 3, "since 00 UTC"), (12, 3, "since 00 and 12 UTC")]
)
def test_sums_since_a_reset_are_found(hours, step, words):
    rain = HOURLY["total_precipitation"].values.reshape(-1, hours, 7, 12)
    sums = HOURLY.assign(total_precipitation=HOURLY["total_precipitation"].copy(data=rain.cumsum(1).reshape(48, 7, 12)))
    (finding,) = found(sums.isel(time=slice(step - 1, None, step)))
    assert finding.severity == "warning" and f"accumulated: {words} in source" in finding.message


@pytest.mark.parametrize("factor", [1, 0])
def test_rain_of_single_hours_and_no_rain_are_as_they_should_be(factor):
    assert found(HOURLY.assign(total_precipitation=factor * HOURLY["total_precipitation"])) == []


def test_rain_that_grows_for_half_a_day_is_rain():
    part = HOURLY.isel(time=slice(0, 12))
    growing = part.assign(total_precipitation=part["total_precipitation"].cumsum("time").assign_coords(time=part.time))
    assert found(growing) == []


def test_sums_of_days_are_not_judged():
    daily = analyses({"total_precipitation": ()}, times=40, step="24h")
    daily["total_precipitation"] = abs(daily["total_precipitation"]) * 1e-3 * np.arange(40)[:, None, None] / 40
    assert found(daily) == []
