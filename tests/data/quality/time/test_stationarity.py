"""Steps within the period are found, whatever their time; seasons, drifts and gaps are none."""

import numpy as np
import pytest
from red_weather import red_weather

from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.time.cadence import exchanged
from weatherml.data.quality.rules.time.stationarity import unit_change, version_change
from weatherml.grid import LatLonGrid

WEATHER = red_weather({"temperature": (500, 850), "10m_u_component_of_wind": (), "mean_sea_level_pressure": ()}, 120)
WIND, PRESSURE = "10m_u_component_of_wind", "mean_sea_level_pressure"
COARSE = LatLonGrid.regular(7, 12)


def found(dataset, *rules):
    return [finding for finding in told(dataset, *rules) if finding.severity != "note"]


def told(dataset, *rules):
    evidence = gather(dataset)
    return [finding for rule in rules or (unit_change, version_change) for finding in rule(evidence)]


def late(dataset, name, change, start=70):
    wrong = dataset[[name]].copy(deep=True)
    wrong[name].values[start:] = change(wrong[name].values[start:])
    return wrong


def seasons(n_years=8, drift=0.0):
    """Return daily temperature with a year in it that is far larger than what is looked for."""
    dataset = red_weather({"2m_temperature": ()}, 365 * n_years, "24h", COARSE, persistence=0.8)
    day = np.arange(365 * n_years)[:, None, None]
    dataset["2m_temperature"].values[:] += 8 * np.cos(2 * np.pi * day / 365) + drift * day / 365
    return dataset


def test_nothing_is_said_of_weather():
    assert found(WEATHER) == []


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("temperature", lambda x: x - 273.15, "as between K and degrees Celsius"),
        (PRESSURE, lambda x: x / 100, "as of a factor of 100"),
        (WIND, lambda x: x * 1.943844, "as of knots"),
    ],
)
def test_a_unit_that_changes_is_named_with_its_time(name, change, words):
    (finding,) = found(late(WEATHER, name, change))
    assert (finding.severity, finding.subject, finding.rule) == ("error", name, "unit-change")
    assert "at 2001-01-18T12" in finding.message and words in finding.message


def test_of_several_levels_those_that_change_are_named():
    wrong = WEATHER[["temperature"]].copy(deep=True)
    wrong["temperature"].values[70:, 1] -= 273.15
    assert found(wrong)[0].subject == "temperature_850"


@pytest.mark.parametrize(("name", "change"), [(PRESSURE, lambda x: x + 400), (WIND, lambda x: x * 1.25)])
def test_a_version_that_changes_is_a_warning_with_its_time(name, change):
    (finding,) = found(late(WEATHER, name, change))
    assert (finding.severity, finding.confidence, finding.rule) == ("warning", "likely", "version-change")
    assert "at 2001-01-18T12" in finding.message


def test_a_jump_of_all_places_alike_is_a_change_of_version_and_no_exchange():
    other = red_weather({WIND: ()}, 120, seed=5)
    wrong = late(WEATHER, WIND, lambda x: other[WIND].values[70:])
    (finding,) = found(wrong, unit_change, version_change, exchanged)
    assert finding.rule == "version-change" and "jumps at 2001-01-18T12" in finding.message


def test_a_step_between_years_is_found_under_seasons_that_are_larger():
    dataset = seasons()
    assert found(dataset) == []
    (finding,) = found(late(dataset, "2m_temperature", lambda x: x + 3, 365 * 4))
    assert finding.rule == "version-change" and ("at 2004-12" in finding.message or "at 2005-01" in finding.message)


def test_a_drift_is_no_step():
    assert found(seasons(drift=0.3)) == []


def test_a_gap_is_no_step():
    part = np.r_[0:1000, 1180:2920]
    assert found(seasons().isel(time=part)) == []


def test_the_spread_over_a_small_region_may_treble():
    region = red_weather({PRESSURE: ()}, 8, grid=LatLonGrid(tuple(55 - 0.5 * np.arange(6)), (6.0, 6.5, 7.0)))
    region[PRESSURE].values[4:] = 1e5 + 3 * (region[PRESSURE].values[4:] - 1e5)
    assert found(region, unit_change) == []


def test_what_no_model_would_learn_of_is_no_version():
    """The sea of one region cools by a hundredth of its spread from one day to the next."""
    sea = red_weather({"sea_surface_temperature": ()}, times=100, step="24h", persistence=0.9999)
    colder = late(sea, "sea_surface_temperature", lambda x: x - 0.05, 50)
    assert found(late(sea, "sea_surface_temperature", lambda x: x - 0.5, 50)) != [] and found(colder) == []


@pytest.mark.parametrize("seed", [0, 1, 29])
def test_hours_of_rain_are_unlike_each_other(seed):
    rain = red_weather({"total_precipitation": ()}, times=35, step="7h", persistence=0.8, seed=seed, grid=COARSE)
    values = rain["total_precipitation"].values
    values[:] = (values - 5e-4).clip(0) ** 1.5
    assert found(rain) == []


def test_the_sea_of_a_region_may_freeze():
    sea = red_weather({"sea_surface_temperature": ()}, times=100, step="6h", persistence=0.99)
    sea = late(sea, "sea_surface_temperature", lambda x: x - 2, 50)
    assert found(sea) != [] and found(sea.isel(latitude=slice(1, 4), longitude=slice(2, 8))) == []


@pytest.mark.parametrize(("n_times", "is_said"), [(1, False), (20, True), (39, True), (40, False)])
def test_times_too_few_to_tell_a_version_are_said(n_times, is_said):
    few = late(WEATHER, PRESSURE, lambda x: x + 30, 20).isel(time=slice(0, n_times))
    assert [finding.subject for finding in told(few)] == ["versions that change"] * is_said
