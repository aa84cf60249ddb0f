"""Times off by hours are found by what follows the sun; nothing is said where nothing does."""

import numpy as np
import pytest
from fake_data import analyses

from weatherml.data.derived import DERIVATIONS
from weatherml.data.derived.derivation import Request
from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.time.sun import hour_of_day
from weatherml.data.reading.opening import open_files
from weatherml.grid import LatLonGrid

GERMANY = LatLonGrid(tuple(55 - 0.5 * np.arange(15)), tuple(6 + 0.5 * np.arange(18)))
LIGHT = ("cosine_of_solar_zenith_angle", "toa_incident_solar_radiation", "toa_incident_solar_radiation_6hr")


def shifted(dataset, hours):
    return dataset.assign_coords(time=dataset["time"] + np.timedelta64(hours, "h"))


def found(dataset):
    return [finding for finding in hour_of_day(gather(dataset)) if finding.severity != "note"]


def is_undecided(dataset):
    """Return whether it is said that nothing here tells the hour."""
    return [finding.rule for finding in hour_of_day(gather(dataset)) if "hours" in finding.subject] == ["undecidable"]


def warm_days(step="6h", times=120, grid=None):
    """Return 2 m temperature that is highest at 14.5 h of local time, by 6 K on land and hardly at sea."""
    grid = grid or LatLonGrid.regular(19, 36)
    dataset = analyses({"2m_temperature": ()}, times, step, grid=grid)
    hour = (dataset["time"].values - np.datetime64("2001-01-01", "ns")) / np.timedelta64(1, "h")
    local = hour[:, None, None] + np.asarray(grid.longitude) / 15
    land = np.random.default_rng(1).random(grid.shape) < 0.3
    values = dataset["2m_temperature"].values
    values[:] = 285 + 3 * values + 6 * land * np.cos(2 * np.pi * (local - 14.5) / 24)
    return dataset


@pytest.mark.parametrize("step", ["1h", "3h", "6h", "12h"])
@pytest.mark.parametrize("hours", [12, -6, 9])
def test_warmth_tells_the_hour(step, hours):
    dataset = warm_days(step)
    assert found(dataset) == []
    (finding,) = found(shifted(dataset, hours))
    assert (finding.severity, finding.subject, finding.rule) == ("error", "2m_temperature", "hour-of-day")
    assert f"about {abs(hours)} h" in finding.message and (hours == 12 or ("late" in finding.message) == (hours > 0))


def test_warmth_of_a_region_tells_the_hour():
    dataset = warm_days("6h", 100, GERMANY)
    assert found(dataset) == []
    assert "12 h" in found(shifted(dataset, 12))[0].message


def test_days_and_weather_without_a_sun_tell_nothing():
    noise = analyses({"2m_temperature": (), "mean_sea_level_pressure": ()}, 120)
    assert found(noise) == [] and found(shifted(warm_days("24h", 40), 12)) == []
    assert found(shifted(warm_days("6h", 8), 12)) == []
    assert is_undecided(noise) and is_undecided(warm_days("24h", 40)) and not is_undecided(warm_days())


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize("n_times", [1, 30])
def test_sunlight_tells_the_hour_at_once(name, n_times):
    times = np.datetime64("2001-04-10", "ns") + np.arange(n_times) * np.timedelta64(6, "h")
    light = (
        DERIVATIONS[name][-1].derive(None, Request(times, LatLonGrid.regular(19, 36), "hourly")).to_dataset(name=name)
    )
    assert found(light) == []
    (finding,) = found(shifted(light, -5))
    assert finding.subject == name and "about 5 h early (or longitudes 75 degrees off)" in finding.message
    assert finding.message.endswith("ds.assign_coords(time=ds.time + np.timedelta64(5, 'h'))")


@pytest.mark.parametrize("lost", [{"time": 0, "drop": True}, {"time": [0, 1]}], ids=["no time", "a time unknown"])
def test_sunlight_that_does_not_say_when_tells_no_hour(lost):
    times = np.datetime64("2001-04-10", "ns") + np.arange(2) * np.timedelta64(6, "h")
    name = "toa_incident_solar_radiation"
    light = DERIVATIONS[name][-1].derive(None, Request(times, LatLonGrid.regular(19, 36), "hourly"))
    light = light.to_dataset(name=name).isel(**lost)
    if "time" in light.dims:
        light = light.assign_coords(time=[times[0], np.datetime64("NaT", "ns")])
    assert list(hour_of_day(gather(light))) == []


@pytest.mark.parametrize("hours", [12, 6, -7])
def test_the_daily_tide_of_real_pressure_tells_the_hour(shared, hours):
    dataset = open_files(shared("reanalysis/era5_msl_2025-2026_djf_2.5x2.5.zarr")).isel(time=slice(0, 80)).load()
    assert found(dataset) == []
    assert f"about {abs(hours)} h" in found(shifted(dataset, hours))[0].message


@pytest.mark.parametrize("seed", [22, 30])
def test_few_fields_of_pressure_do_not_tell_tide_from_weather(seed):
    """A wave that lies anywhere once a day is left over in the means of six fields."""
    few = analyses({"mean_sea_level_pressure": ()}, 24, "30h", grid=LatLonGrid.regular(19, 36), seed=seed)
    where = np.random.default_rng(seed).uniform(0, 2 * np.pi, (24, 1, 1))
    few["mean_sea_level_pressure"].values[:] += 1e5 + 300 * np.cos(np.radians(few["longitude"].values) - where)
    assert found(few) == []
