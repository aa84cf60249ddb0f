"""The simulated planet as a source: canonical, repeatable, resumable."""

import subprocess
import sys

import numpy as np
import pytest

from weatherml.config import from_mapping
from weatherml.data.source import Source
from weatherml.data.sources.simulated import PlanetConfig, SimulatedSource
from weatherml.data.sources.water import saturation
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

CONFIG = PlanetConfig(truncation=7, n_levels=5, levels=(300, 500, 850), spin_up_days=25, days=40, water=True)
TIMES = np.datetime64("2000-01-01", "ns") + np.arange(160) * np.timedelta64(6, "h")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    source = SimulatedSource(CONFIG, tmp_path_factory.mktemp("cache"))
    return source, source.read(source.times(), source.variables())


def test_the_planet_is_a_source(tmp_path):
    assert isinstance(SimulatedSource(CONFIG, tmp_path), Source)


def test_fields_are_canonical(uninterrupted):
    source, dataset = uninterrupted
    assert dataset["temperature"].dims == ("time", "level", "latitude", "longitude")
    assert dataset["mean_sea_level_pressure"].dims == ("time", "latitude", "longitude")
    assert dict(dataset.sizes) == {"time": 160, "level": 3, "latitude": 12, "longitude": 24}
    assert {field.dtype for field in dataset.values()} == {np.dtype("float32")}
    assert LatLonGrid.from_dataset(dataset) == source.grid
    assert dataset["geopotential"].attrs["units"] == "m2 s-2"


def test_warm_air_is_at_the_equator_and_low_levels(uninterrupted):
    temperature = uninterrupted[1]["temperature"].isel(time=-1).mean("longitude")
    assert temperature.sel(level=850).isel(latitude=6) > temperature.sel(level=850).isel(latitude=0) + 10
    assert (temperature.diff("level") > 0).all()


def test_mountains_stand_where_surface_pressure_is_low(uninterrupted):
    _, dataset = uninterrupted
    lack = dataset["mean_sea_level_pressure"] - dataset["surface_pressure"]
    highest = lack.mean("time").argmax(("latitude", "longitude"))
    place = lack.isel(highest)
    assert abs(float(place["latitude"]) - 38) < 15 and abs(float(place["longitude"]) - 90) < 15


def test_the_ground_is_high_where_the_air_above_is_thin(uninterrupted):
    _, dataset = uninterrupted
    ground = dataset["geopotential_at_surface"]
    assert ground.dims == ("latitude", "longitude")
    lack = np.log(dataset["mean_sea_level_pressure"] / dataset["surface_pressure"]).mean("time")
    assert np.corrcoef(ground.values.ravel(), lack.values.ravel())[0, 1] > 0.99


def test_it_rains_from_moist_air_and_never_less_than_nothing(uninterrupted):
    _, dataset = uninterrupted
    rain, humidity = dataset["total_precipitation_6hr"].isel(time=slice(120, None)), dataset["specific_humidity"]
    assert float(rain.min()) == 0 and float(rain.max()) > 1e-3
    wet = rain > 1e-4
    assert 0.02 < float(wet.mean()) < 0.6
    below = dataset[["specific_humidity", "temperature"]].sel(level=850).isel(time=slice(120, None))
    relative = below["specific_humidity"] / saturation(below["temperature"].values, 85_000.0)
    assert float(relative.where(wet).mean()) > float(relative.where(~wet).mean())
    assert float(humidity.min()) >= 0


def test_precipitation_is_named_by_the_hours_between_fields(tmp_path):
    hourly = CONFIG.model_copy(update={"time_step_hours": 1})
    assert "total_precipitation" in SimulatedSource(hourly, tmp_path).variables()
    dry = SimulatedSource(CONFIG.model_copy(update={"water": False}), tmp_path).variables()
    assert not any("precipitation" in name or "humidity" in name for name in dry)
    with pytest.raises(UserError, match="precipitation over 3 hours has no name; set time_step_hours to 1, 6 or 12"):
        PlanetConfig(time_step_hours=3, water=True)


def test_same_seed_gives_the_same_planet(uninterrupted, tmp_path):
    source = SimulatedSource(CONFIG, tmp_path)
    times = source.times()[100:110]
    again = source.read(times, ["temperature"])
    np.testing.assert_array_equal(again["temperature"], uninterrupted[1]["temperature"].sel(time=times))


def test_another_seed_gives_other_weather(uninterrupted, tmp_path):
    source = SimulatedSource(CONFIG.model_copy(update={"seed": 1}), tmp_path)
    times = source.times()[150:151]
    other = source.read(times, ["v_component_of_wind"])["v_component_of_wind"]
    difference = other - uninterrupted[1]["v_component_of_wind"].sel(time=times)
    assert float(abs(difference).max()) > 0.01


def test_an_interrupted_simulation_goes_on_bit_for_bit(uninterrupted, tmp_path):
    first = SimulatedSource(CONFIG, tmp_path)
    first.read(first.times()[:30], ["temperature"])
    second = SimulatedSource(CONFIG, tmp_path)
    rest = second.read(second.times()[30:], second.variables())
    for name, field in rest.items():
        np.testing.assert_array_equal(
            field, uninterrupted[1][name].isel({"time": slice(30, None)}, missing_dims="ignore")
        )


def test_what_was_simulated_before_is_not_simulated_again(uninterrupted, tmp_path, monkeypatch):
    SimulatedSource(CONFIG, tmp_path).read(TIMES[-1:], ["temperature"])
    source, segments = SimulatedSource(CONFIG, tmp_path), []
    simulate = SimulatedSource._simulate
    monkeypatch.setattr(SimulatedSource, "_simulate", lambda self, i: (segments.append(i), simulate(self, i)))
    source.read(TIMES[-1:], ["temperature"])
    assert segments == [2]


def test_order_of_reading_does_not_matter(uninterrupted, tmp_path):
    source = SimulatedSource(CONFIG, tmp_path)
    times = TIMES[[150, 3, 77]]
    found = source.read(times, ["surface_pressure"])
    np.testing.assert_array_equal(found["time"], times)
    expected = uninterrupted[1]["surface_pressure"].sel(time=times)
    np.testing.assert_array_equal(found["surface_pressure"], expected)


def test_longer_planets_go_on_from_shorter_ones(uninterrupted, tmp_path):
    SimulatedSource(CONFIG, tmp_path).read(TIMES[:1], ["temperature"])
    longer = SimulatedSource(CONFIG.model_copy(update={"days": 60}), tmp_path)
    longer.read(longer.times()[:1], ["temperature"])
    assert len(list(tmp_path.iterdir())) == 1


def test_digest_changes_with_the_weather(tmp_path):
    configs = [CONFIG, *(CONFIG.model_copy(update=change) for change in ({"seed": 3}, {"days": 41}))]
    assert len({SimulatedSource(config, tmp_path).digest() for config in configs}) == 3


def test_unknown_time_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UserError, match=r"no time 1999-12-31.* 2000-01-01.* every 6 h"):
        SimulatedSource(CONFIG, tmp_path).read(np.array(["1999-12-31"], "datetime64[ns]"), ["temperature"])


def test_unknown_variable_is_refused_with_the_near_one(tmp_path):
    with pytest.raises(UserError, match="did you mean 'temperature'"):
        SimulatedSource(CONFIG, tmp_path).read(TIMES[:1], ["temprature"])


def test_an_unstable_simulation_stops_with_a_remedy_and_leaves_no_state(tmp_path, monkeypatch):
    def blow_up(planet, state, n_times):
        return state, {"temperature": np.full((n_times, 3, 12, 24), np.nan, np.float32)}

    monkeypatch.setattr("weatherml.data.sources.planet.Planet.run", blow_up)
    with pytest.raises(UserError, match="unstable after step 0; lower mountain_height"):
        SimulatedSource(CONFIG, tmp_path).read(TIMES[-1:], ["temperature"])
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.parametrize("levels", [(500, 300), (50, 500), (500, 1050), ()])
def test_levels_outside_the_air_or_out_of_order_are_refused(levels):
    with pytest.raises(UserError):
        PlanetConfig(levels=levels)


def test_configuration_reads_from_plain_values():
    config = from_mapping(PlanetConfig, {"name": "simulated", "start": "2001-02-03", "levels": [500]})
    assert str(SimulatedSource(config, "unused").times()[0]).startswith("2001-02-03T00")


def test_describing_the_planet_does_not_import_jax():
    code = "import sys; import weatherml.data.sources.simulated; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
