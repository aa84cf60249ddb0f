"""A value that is possible, but stands alone in time, is found; extremes that come and go with the weather are not."""

import numpy as np
import pytest
from red_weather import red_weather

from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.time.spikes import spike
from weatherml.data.reading.opening import open_files

WEATHER = red_weather({"temperature": (500, 850), "10m_u_component_of_wind": (), "sea_surface_temperature": ()}, 60)


def found(dataset):
    return list(spike(gather(dataset)))


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", 348), ("temperature", 152), ("10m_u_component_of_wind", 60)]
)
def test_one_value_that_stands_alone_is_named_with_its_time(name, value):
    wrong = WEATHER.copy(deep=True)
    wrong[name].values[30, ..., 7, 11] = value
    warnings = found(wrong)
    assert {(f.severity, f.rule) for f in warnings} == {("warning", "spike")}
    assert all("2001-01-08T12" in f.message and f.subject.startswith(name) for f in warnings)


def test_a_storm_that_deepens_over_days_is_weather():
    storm = WEATHER[["10m_u_component_of_wind"]].copy(deep=True)
    course = 45 * np.exp(-(((np.arange(60) - 30) / 4) ** 2))
    storm["10m_u_component_of_wind"].values[:, 7, 11] += course
    assert found(WEATHER) == [] and found(storm) == []


def test_real_extremes_are_weather_until_one_is_put_in(shared):
    dataset = open_files(shared("reanalysis/era5_msl_2025-2026_djf_2.5x2.5.zarr")).isel(time=slice(0, 120)).load()
    assert found(dataset) == []
    dataset["mean_sea_level_pressure"].values[50, 30, 40] = 8.8e4
    assert "a value of 88000" in found(dataset)[0].message
