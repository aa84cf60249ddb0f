"""Amounts that the Earth does not have are found over the globe, and not judged over a region."""

import numpy as np
import pytest
from fake_data import analyses

from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.time.cadence import time_step
from weatherml.data.quality.rules.values.amount import amount
from weatherml.data.reading.opening import open_files
from weatherml.grid import LatLonGrid

LEVELS = (250, 500, 850, 1000)
WINDOWS = {"": 1, "_6hr": 6, "_12hr": 12, "_24hr": 24}
GERMANY = LatLonGrid(tuple(55 - 0.5 * np.arange(15)), tuple(6 + 0.5 * np.arange(18)))


def found(dataset, rule=amount):
    return [finding for finding in rule(gather(dataset)) if finding.severity != "note"]


def undecided(dataset, rule=amount):
    return [finding.subject for finding in rule(gather(dataset)) if finding.rule == "undecidable"]


def rain(window, grid=None):
    name = f"total_precipitation{window}"
    dataset = analyses({name: ()}, 8, grid=grid)
    return name, dataset.map(lambda x: abs(x) * 1.25 * 2.9e-3 * WINDOWS[window] / 24)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("factor", "words"), [(1 / 6, "about 1/"), (6, "times"), (1e-3, "about 1/"), (24, "times")])
def test_rain_of_another_window_or_unit_is_found(window, factor, words):
    name, dataset = rain(window)
    assert found(dataset) == []
    (finding,) = found(factor * dataset)
    assert (finding.severity, finding.subject, finding.rule) == ("error", name, "amount")
    assert words in finding.message and "2.9 mm a day" in finding.message


def test_a_region_may_be_dry():
    dry = 1e-3 * rain("", GERMANY)[1]
    assert found(dry) == [] and undecided(dry) == ["rain or wind by a factor as of knots"]
    assert undecided(rain("")[1]) == []


def wind():
    dataset = analyses({"u_component_of_wind": LEVELS, "v_component_of_wind": LEVELS, "10m_u_component_of_wind": ()}, 8)
    spread = np.array([16.0, 11.0, 7.5, 5.6])[:, None, None]
    spreads = {"u_component_of_wind": spread, "v_component_of_wind": 0.75 * spread, "10m_u_component_of_wind": 5}
    return dataset.assign({name: dataset[name] * spread for name, spread in spreads.items()})


@pytest.mark.parametrize(("factor", "unit"), [(1.943844, "knots"), (3.6, "km/h")])
@pytest.mark.parametrize("name", ["u_component_of_wind", "v_component_of_wind", "10m_u_component_of_wind"])
def test_wind_in_other_units_is_found(name, factor, unit):
    assert found(wind()) == []
    wrong = wind().assign({name: factor * wind()[name]})
    (finding,) = found(wrong)
    assert finding.subject == name and f"looks like {unit}" in finding.message


@pytest.mark.parametrize(
    ("name", "sound", "factor"),
    [
        ("relative_humidity", 50.0, 0.01),
        ("total_column_water_vapour", 24.0, 0.1),
        ("toa_incident_solar_radiation", 340 * 3600.0, 1 / 3600),
        ("toa_incident_solar_radiation_6hr", 6 * 340 * 3600.0, 1 / 6),
    ],
)
def test_other_amounts_in_other_units_are_found(name, sound, factor):
    levels = (500,) if name == "relative_humidity" else ()
    dataset = analyses({name: levels}, 8).map(lambda x: sound * (1 + 0.1 * x))
    assert found(dataset) == []
    assert [finding.subject for finding in found(factor * dataset)] == [name]


@pytest.mark.parametrize("name", "uv")
def test_real_wind_is_in_metres_a_second_until_it_is_in_knots(shared, name):
    dataset = open_files(shared(f"reanalysis/erainterim_{name}_37levels_1p5deg_20050123_old_cds_layout.nc")).load()
    assert found(dataset) == []
    assert "looks like knots" in found(1.943844 * dataset)[0].message


def hourly_as_six_hourly(dataset):
    times = dataset["time"].values
    return dataset.assign_coords(time=times[0] + 6 * (times - times[0]))


def waves():
    """Return hourly pressure of waves that travel at 8 m/s around a middle latitude, faster nearer the poles."""
    dataset = analyses({"mean_sea_level_pressure": ()}, 120, "1h", grid=LatLonGrid.regular(37, 72))
    hours = np.arange(120)[:, None, None]
    longitude, phases = np.radians(dataset["longitude"].values), np.random.default_rng(0).uniform(0, 6, (8, 37, 1))
    eastward = 8 * 3.6 / (6371 * np.cos(np.radians(45)))
    fields = (np.cos(k * (longitude - eastward * hours) + phases[k - 3]) for k in range(3, 9))
    return dataset.assign(mean_sea_level_pressure=dataset["mean_sea_level_pressure"].copy(data=1e5 + 400 * sum(fields)))


def test_hourly_fields_taken_as_six_hourly_are_found_by_their_pace():
    hourly = waves()
    assert found(hourly, time_step) == []
    assert found(hourly.isel(time=slice(0, None, 6)), time_step) == []
    assert undecided(hourly, time_step) == [] and len(undecided(hourly.isel(time=slice(0, 9)), time_step)) == 1
    (finding,) = found(hourly_as_six_hourly(hourly), time_step)
    assert (finding.severity, finding.subject, finding.rule) == ("error", "time", "time-step")


def test_real_pressure_and_vorticity_move_as_weather_does(shared):
    paths = [shared(f"reanalysis/era5_{name}_2025-2026_djf_2.5x2.5.zarr") for name in ("msl", "vo850")]
    part = open_files(paths).isel(time=slice(0, 60)).load()
    assert found(part, time_step) == []


def test_warmth_that_takes_a_week_for_a_day_is_of_another_step():
    hour = np.arange(24 * 8)[:, None, None]
    hourly = analyses({"2m_temperature": ()}, 24 * 8, "1h")
    local = hour + hourly["longitude"].values / 15
    hourly["2m_temperature"].values[:] = (
        285 + 4 * np.cos(2 * np.pi * (local - 14.5) / 24) + 0.1 * hourly["2m_temperature"].values
    )
    assert found(hourly.isel(time=slice(0, None, 6)), time_step) == []
    assert [finding.subject for finding in found(hourly_as_six_hourly(hourly), time_step)] == ["time"]
