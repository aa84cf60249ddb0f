"""Where fields lie, told from what of the ground shows in them."""

import numpy as np
import pytest
import xarray as xr

from weatherml.data.quality.check import check_dataset
from weatherml.data.quality.gathering import gather
from weatherml.data.quality.place import earth
from weatherml.data.quality.rules.place import orientation
from weatherml.data.quality.rules.registry import RULES
from weatherml.data.reading.opening import open_files
from weatherml.data.regrid import regrid
from weatherml.grid import LatLonGrid
from weatherml.state import Channel

FILES = {
    "2m_temperature": "era5_t2m_0p25deg_20170101T12_south_first_lon180.nc",
    "mean_sea_level_pressure": "era5_msl_2025-2026_djf_2.5x2.5.zarr",
    "vorticity": "era5_vo850_2025-2026_djf_2.5x2.5.zarr",
    "sea_surface_temperature": "erainterim_sst_daily_2p5deg_2015.nc",
}
LEVELS = {"vorticity": 850}
RULE_IDS = ("latitude-flipped", "longitude-shifted", "longitude-mirrored", "rows-off")
assert orientation


def flipped(ds):
    return ds.isel(latitude=slice(None, None, -1)).assign_coords(latitude=ds["latitude"])


def mirrored(ds):
    return ds.isel(longitude=slice(None, None, -1)).assign_coords(longitude=ds["longitude"])


def turned(ds, degrees):
    return ds.roll(longitude=round(degrees * ds.sizes["longitude"] / 360))


PLANTED = {
    "flipped": (flipped, {"latitude-flipped"}),
    "turned by half": (lambda ds: turned(ds, 180), {"longitude-shifted"}),
    "turned by 10 degrees": (lambda ds: turned(ds, 10), {"longitude-shifted"}),
    "turned back by 10 degrees": (lambda ds: turned(ds, -10), {"longitude-shifted"}),
    "mirrored": (mirrored, {"longitude-mirrored"}),
    "a row south": (lambda ds: ds.roll(latitude=1), {"rows-off"}),
    "a row north": (lambda ds: ds.roll(latitude=-1), {"rows-off"}),
    "flipped and turned": (lambda ds: turned(flipped(ds), 180), {"latitude-flipped", "longitude-shifted"}),
}


def findings(dataset):
    evidence = gather(dataset)
    return [finding for rule in RULE_IDS for finding in RULES[rule](evidence)]


def weather(name, grid, seed=0, noise=1.5):
    """Two days of a field in which the ground of the Earth shows, beneath weather that does not know of it."""
    rng = np.random.default_rng(seed)
    channel = Channel(name, LEVELS.get(name))
    standing = earth.standing(channel, grid)
    zonal = 20 * np.cos(np.radians(grid.latitude))[:, None]
    fields = zonal + standing + noise * standing.std() * rng.normal(size=(2, *grid.shape))
    coords = {"time": np.array(["2001-07-01", "2001-07-02"], "datetime64[ns]")}
    coords |= {"latitude": np.asarray(grid.latitude), "longitude": np.asarray(grid.longitude)}
    field = xr.DataArray(fields.astype(np.float32), coords, ("time", "latitude", "longitude"))
    if channel.level is not None:
        field = field.expand_dims(level=np.array([channel.level], np.int32), axis=1)
    return field.to_dataset(name=name)


def real(shared, name):
    dataset = open_files(shared(f"reanalysis/{FILES[name]}"))
    dataset = dataset.sel(time="2026-02-11") if name in ("mean_sea_level_pressure", "vorticity") else dataset
    return dataset.isel(time=slice(0, 4)).load()


@pytest.mark.parametrize("name", ["2m_temperature", "mean_sea_level_pressure", "vorticity"])
@pytest.mark.parametrize("planted", PLANTED)
def test_a_field_that_lies_elsewhere_is_found_beneath_weather(name, planted):
    plant, expected = PLANTED[planted]
    dataset = weather(name, earth.GRID)
    assert findings(dataset) == []
    assert {finding.rule for finding in findings(plant(dataset))} == expected


@pytest.mark.parametrize("name", FILES)
def test_a_real_field_of_other_times_than_the_pattern_lies_where_its_labels_say(shared, name):
    assert findings(real(shared, name)) == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("planted", PLANTED)
def test_a_real_field_that_lies_elsewhere_is_found(shared, name, planted):
    plant, expected = PLANTED[planted]
    dataset = real(shared, name)
    if dataset.sizes["latitude"] > 73 and "a row" in planted:
        pytest.skip("a row of 0.25 degrees is narrower than what the pattern shows")
    assert {finding.rule for finding in findings(plant(dataset))} == expected


def test_the_remedy_puts_the_field_back(shared):
    dataset = real(shared, "2m_temperature")
    (finding,) = findings(turned(dataset, 10))
    assert "10 degrees too far east" in finding.message and finding.subject == "2m_temperature"
    columns = int(finding.message.split("ds.roll(longitude=")[1].split(")")[0])
    assert turned(dataset, 10).roll(longitude=columns).identical(dataset)


@pytest.mark.parametrize("grid", [LatLonGrid.gaussian(32, 64), LatLonGrid.regular(91, 180), LatLonGrid.regular(45, 90)])
def test_other_grids_are_no_mistake_and_show_one(grid):
    dataset = regrid(weather("2m_temperature", earth.GRID, noise=0.3), grid)
    assert findings(dataset) == []
    assert {finding.rule for finding in findings(turned(flipped(dataset), 180))} == PLANTED["flipped and turned"][1]


@pytest.mark.parametrize("seed", range(8))
def test_weather_on_another_planet_lies_nowhere_else(seed):
    rng = np.random.default_rng(seed)
    waves = np.fft.rfft(rng.normal(size=(2, 32, 64)), axis=-1) / (1 + np.arange(33))
    dataset = regrid(weather("mean_sea_level_pressure", earth.GRID), "gaussian 32x64")
    dataset["mean_sea_level_pressure"][:] = np.fft.irfft(waves, axis=-1)
    assert findings(dataset) == []


def test_a_dataset_with_other_mountains_is_not_held_against_those_of_the_earth():
    dataset = turned(weather("2m_temperature", earth.GRID), 90)
    height = 1e4 * np.random.default_rng(1).normal(size=earth.GRID.shape)
    other = dataset.assign(geopotential_at_surface=(("latitude", "longitude"), height.astype(np.float32)))
    assert len(findings(dataset)) == 1 and findings(other) == []


def test_orography_and_land_that_lie_elsewhere_are_found():
    places = {"latitude": np.asarray(earth.GRID.latitude), "longitude": np.asarray(earth.GRID.longitude)}
    dataset = xr.Dataset(coords=places)
    fields = {"geopotential_at_surface": 9.8 * earth.orography(earth.GRID), "land_sea_mask": earth.land(earth.GRID)}
    for name, field in fields.items():
        dataset[name] = (("latitude", "longitude"), field.astype(np.float32))
    assert findings(dataset) == []
    assert {(f.subject, f.rule) for f in findings(turned(flipped(dataset), 180))} == {
        (name, rule) for name in fields for rule in PLANTED["flipped and turned"][1]
    }


def test_ground_that_is_flipped_is_found_beside_a_field_with_time():
    dataset = weather("mean_sea_level_pressure", earth.GRID)
    ground = flipped(dataset.isel(time=0).copy(data={"mean_sea_level_pressure": 9.8 * earth.orography(earth.GRID)}))
    whole = dataset.assign(geopotential_at_surface=ground["mean_sea_level_pressure"].astype(np.float32).variable)
    assert {f.subject for f in check_dataset(whole) if f.severity == "error"} >= {"geopotential_at_surface"}


def test_a_region_is_not_held_against_the_globe():
    dataset = turned(weather("2m_temperature", earth.GRID), 90)
    assert findings(dataset.sel(latitude=slice(80, 0))) == []
