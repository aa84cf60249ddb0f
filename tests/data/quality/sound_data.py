"""Good data of many kinds, which a check must say nothing against: real, simulated and made up.

Real files lie in a folder of reanalyses beside the checkout; the planet is simulated once and kept. Made-up weather has
seasons, days, land and red noise that travels; nothing of the check was made with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from made_earth import Earth, canonical, red_noise

from weatherml.data.derived import DERIVATIONS
from weatherml.data.derived.air import specific_humidity
from weatherml.data.derived.derivation import Request
from weatherml.data.reading.opening import open_files
from weatherml.data.regrid import regrid
from weatherml.data.sources.files import FilesConfig
from weatherml.data.sources.simulated import PlanetConfig
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
from weatherml.grid import LatLonGrid


@dataclass(frozen=True)
class Places:
    """Where data lie.

    Attributes:
        shared: Real files, below `reanalysis` and `reference`.
        cache: What takes long to make.
    """

    shared: Path
    cache: Path


SOUND: dict[str, Callable[[Places], xr.Dataset]] = {}
"""Good data by what they are."""


VARIANTS: set[str] = set()
"""Those that are others in another form; what is planted in one need not be planted in both."""


def sound(name, is_variant=False):
    """Return a decorator that enters what opens or makes a dataset."""

    def enter(build):
        SOUND[name] = build
        VARIANTS.update([name] * is_variant)
        return build

    return enter


# ---- Real files, as they come


def _files(name, *paths, is_variant=False):
    sound(name, is_variant)(lambda places: open_files([places.shared / path for path in paths]).load())


_WINTER = {name: f"reanalysis/era5_{name}_2025-2026_djf_2.5x2.5.zarr" for name in ("msl", "vo850")}
_COLUMN = {name: f"reanalysis/erainterim_{name}_37levels_1p5deg_20050123_old_cds_layout.nc" for name in "tuv"}
_files("ERA5 msl, 0.25 degrees, one time", "reanalysis/era5_msl_0p25deg_20251201.nc")
_files("ERA5 vorticity 850, 0.25 degrees, one time", "reanalysis/era5_vo850_0p25deg_20251201.nc")
_files("ERA5 t2m, 0.25 degrees, January", "reanalysis/era5_t2m_0p25deg_20170101T12_south_first_lon180.nc")
_files("ERA5 t2m, 0.25 degrees, October", "reanalysis/era5_t2m_0p25deg_20221001.grib")
_files("ERA5 msl, a winter", _WINTER["msl"])
_files("ERA5 vorticity 850, a winter", _WINTER["vo850"])
_files("ERA5 msl + vorticity 850, a winter", *_WINTER.values(), is_variant=True)
_files("ERA-Interim t2m, days of 2012", "reanalysis/erainterim_t2m_dailymax_2p5deg_2012.nc")
_files("ERA-Interim t2m, days of 2015", "reanalysis/erainterim_t2m_dailymax_2p5deg_2015.nc")
_files("ERA-Interim sst, days of 2012", "reanalysis/erainterim_sst_daily_2p5deg_2012.nc")
_files("ERA-Interim sst, days of 2015", "reanalysis/erainterim_sst_daily_2p5deg_2015.nc", is_variant=True)
_files("ERA-Interim t, 37 levels, one time", _COLUMN["t"])
_files("ERA-Interim u, 37 levels, one time", _COLUMN["u"])
_files("ERA-Interim v, 37 levels, one time", _COLUMN["v"])
_files("ERA-Interim u + v + t, 37 levels, one time", *_COLUMN.values(), is_variant=True)
_files("ERA t + z, 1 degree, one time, NetCDF", "reanalysis/era_tz_850_500_1deg_20070101.nc")
_files("ERA t + z, 1 degree, one time, GRIB", "reanalysis/era_tz_850_500_1deg_20070101.grib", is_variant=True)
_files("ERA5 z + t, 10 members, 3 degrees", "reanalysis/era5_eda_zt_850_500_3deg_20170101.grib")
_files("ERA5 10 m wind, Germany, hourly", "reanalysis/era5t_u10v10_regional_20251104_new_cds_layout.nc")


@sound("ERA5 msl + vorticity 850, February alone")
def february(places):
    return SOUND["ERA5 msl + vorticity 850, a winter"](places).sel(time="2026-02")


@sound("ERA-Interim t2m, two springs and summers")
def t2m_of_two_years(places):
    return xr.concat([SOUND[f"ERA-Interim t2m, days of {year}"](places) for year in (2012, 2015)], "time")


def _wind_of_reference(places):
    """Return ERA5's wind at 850 hPa and 2.5 degrees as its file has it: from south to north under other labels."""
    wind = xr.load_dataset(places.shared / "reference/sphere/era5_uv850_2025120100_2.5x2.5.nc")
    names = {"u": "u_component_of_wind", "v": "v_component_of_wind"}
    fields = {names[name]: wind[name].expand_dims(level=np.array([850], np.int32)) for name in "uv"}
    return xr.Dataset(fields).expand_dims(time=[np.datetime64("2025-12-01", "ns")])


@sound("ERA5 u + v + msl, one time")
def wind_and_pressure(places):
    """Put the rows of wind right, and leave out the poles, where the file has zeros."""
    wind = _wind_of_reference(places).isel(latitude=slice(None, None, -1))
    pressure = xr.load_dataset(places.shared / "reference/sphere/era5_msl_2025120100_2.5x2.5.nc")["msl"]
    wind = wind.assign_coords(latitude=pressure["latitude"])
    together = wind.assign(mean_sea_level_pressure=pressure.expand_dims(time=wind["time"]))
    return canonical(together.transpose("time", "level", "latitude", "longitude").isel(latitude=slice(1, -1)))


def as_spread(places):
    """Return data with a real error of its file: nobody planted it."""
    return canonical(_wind_of_reference(places))


@sound("ERA5 orography + land-sea mask")
def statics(places):
    ground, land = _ground(places)
    return canonical(xr.Dataset({"geopotential_at_surface": ground, "land_sea_mask": land}))


def _ground(places):
    """Return surface geopotential and land-sea mask of ERA5 at 0.25 degrees."""
    folder = places.shared / "reference/statics"
    land = open_files(folder / "era5_land_sea_mask_0p25deg.nc").load()["land_sea_mask"].squeeze(drop=True)
    return land.copy(data=np.load(folder / "era5_surface_geopotential_0p25deg_721x1440.npy")), land


# ---- Real fields as others have them


@sound("the winter on 5.625 degrees")
def coarse_winter(places):
    return _regridded("ERA5 msl + vorticity 850, a winter", LatLonGrid.regular(32, 64, poles=False), places)


@sound("the winter on a Gaussian grid", is_variant=True)
def gaussian_winter(places):
    return _regridded("ERA5 msl + vorticity 850, a winter", LatLonGrid.gaussian(48, 96), places)


@sound("t2m of 2015 on 5.625 degrees", is_variant=True)
def coarse_t2m(places):
    return _regridded("ERA-Interim t2m, days of 2015", LatLonGrid.regular(32, 64, poles=False), places)


@sound("t2m of January on 1.5 degrees")
def january_t2m(places):
    return _regridded("ERA5 t2m, 0.25 degrees, January", LatLonGrid.regular(121, 240), places)


@sound("u + v + t on a Gaussian grid, 13 levels")
def gaussian_column(places):
    levels = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
    grid = LatLonGrid.gaussian(64, 128)
    return regrid(SOUND["ERA-Interim u + v + t, 37 levels, one time"](places).sel(level=levels), grid).load()


@sound("the winter of the southern hemisphere alone")
def southern_winter(places):
    return SOUND["ERA5 msl + vorticity 850, a winter"](places).sel(latitude=slice(0, -90))


@sound("t2m of Asia")
def asia(places):
    box = {"latitude": slice(70, 10), "longitude": slice(40, 150)}
    return SOUND["ERA-Interim t2m, days of 2012"](places).sel(box)


@sound("the winter every third day", is_variant=True)
def every_third_day(places):
    return SOUND["ERA5 msl + vorticity 850, a winter"](places).isel(time=slice(0, None, 12))


@sound("the winter without a week", is_variant=True)
def winter_with_a_gap(places):
    winter = SOUND["ERA5 msl + vorticity 850, a winter"](places)
    return winter.isel(time=np.r_[0:200, 228:360])


@sound("sst of days, four times a day")
def sst_four_times_a_day(places):
    days = SOUND["ERA-Interim sst, days of 2012"](places).isel(time=slice(0, 40))
    times = np.datetime64("2012-03-03", "ns") + np.arange(160) * np.timedelta64(6, "h")
    return days.isel(time=np.repeat(np.arange(40), 4)).assign_coords(time=times)


@sound("the winter rounded as int16 packs it", is_variant=True)
def packed_winter(places):
    winter = SOUND["ERA5 msl + vorticity 850, a winter"](places)

    def packed(field):
        low, step = float(field.min()), float(field.max() - field.min()) / 65000
        return (np.round((field - low) / step) * step + low).astype(np.float32)

    return winter.map(packed, keep_attrs=True)


def _regridded(name, grid, places):
    return regrid(SOUND[name](places), grid).load()


@sound("t2m of March alone", is_variant=True)
def t2m_of_march(places):
    return SOUND["ERA-Interim t2m, days of 2012"](places).sel(time="2012-03")


@sound("t2m of July alone, every fifth day", is_variant=True)
def t2m_of_july(places):
    return SOUND["ERA-Interim t2m, days of 2015"](places).sel(time="2015-07").isel(time=slice(0, None, 5))


@sound("t2m of land alone", is_variant=True)
def t2m_of_land(places):
    days = SOUND["ERA-Interim t2m, days of 2012"](places)
    land = regrid(_ground(places)[1].to_dataset(), LatLonGrid.from_dataset(days)).load()["land_sea_mask"]
    return days.where(land > 0.5)


@sound("t2m of the tropics", is_variant=True)
def t2m_of_the_tropics(places):
    return SOUND["ERA-Interim t2m, days of 2015"](places).sel(latitude=slice(20, -20))


@sound("t2m of the Arctic", is_variant=True)
def t2m_of_the_arctic(places):
    return SOUND["ERA-Interim t2m, days of 2015"](places).sel(latitude=slice(90, 60))


@sound("the winter of the Atlantic", is_variant=True)
def winter_of_the_atlantic(places):
    return SOUND["ERA5 msl + vorticity 850, a winter"](places).isel(
        latitude=slice(4, 28), longitude=np.r_[0:8, 112:144]
    )


@sound("five times of the winter", is_variant=True)
def five_times(places):
    return SOUND["ERA5 msl + vorticity 850, a winter"](places).isel(time=slice(100, 105))


@sound("days of the winter, means", is_variant=True)
def means_of_days(places):
    days = SOUND["ERA5 msl + vorticity 850, a winter"](places).coarsen(time=4).mean()
    return canonical(days.assign_coords(time=days["time"].dt.floor("D")))


@sound("the winter to three digits", is_variant=True)
def rounded_winter(places):
    winter = SOUND["ERA5 msl + vorticity 850, a winter"](places)
    steps = {"mean_sea_level_pressure": 100.0, "vorticity": 1e-5}
    return winter.map(
        lambda field: np.round(field / steps[field.name]) * np.float32(steps[field.name]), keep_attrs=True
    )


@sound("the winter as ingest stores it", is_variant=True)
def ingested_winter(places):
    store = places.cache / "winter.zarr"
    ingest(FilesConfig(paths=tuple(str(places.shared / path) for path in _WINTER.values())).source(places.cache), store)
    return open_store(store)


@sound("the winter on 5 degrees, regridded by ingest", is_variant=True)
def ingested_coarse_winter(places):
    files = FilesConfig(paths=(str(places.shared / _WINTER["msl"]),), regrid={"grid": "5deg"})
    ingest(files.source(places.cache), places.cache / "coarse.zarr")
    return open_store(places.cache / "coarse.zarr")


@sound("sea ice of spring and summer")
def sea_ice(places):
    days = SOUND["ERA-Interim sst, days of 2012"](places)
    ice = ((272.0 - days["sea_surface_temperature"]) / 0.5).clip(0, 1)
    return canonical(ice.to_dataset(name="sea_ice_cover"))


@sound("no sea ice in the tropics", is_variant=True)
def no_sea_ice(places):
    return sea_ice(places).sel(latitude=slice(20, -20))


# ---- The simulated planet: no land, no seasons, no days, another climate than Earth's


def _planet(places, hours, variables):
    source = PlanetConfig(days=5 * hours, time_step_hours=hours).open(places.cache)
    return source.read(source.times()[:120], variables).load()


_MOTION = ("geopotential", "temperature", "u_component_of_wind", "v_component_of_wind", "mean_sea_level_pressure")


@sound("planet, 30 days")
def planet(places):
    return _planet(places, 6, _MOTION)


@sound("planet with its ground, hourly")
def hourly_planet(places):
    return _planet(places, 1, ("temperature", "u_component_of_wind", "surface_pressure", "geopotential_at_surface"))


@sound("planet with synthetic moisture")
def moist_planet(places):
    dry = _planet(places, 6, ("temperature", "v_component_of_wind"))
    rng = np.random.default_rng(5)
    relative = 100 / (1 + np.exp(-red_noise(rng, dry["temperature"].shape, 0.9) - 0.3))
    humidity = specific_humidity(dry["temperature"], dry["temperature"].copy(data=relative.astype(np.float32)))
    wet = np.clip(relative[:, -1] - 75, 0, None) * np.cos(np.radians(dry["latitude"].values))[:, None]
    rain = dry["temperature"].isel(level=-1, drop=True).copy(data=7.2e-4 * wet / wet.mean())
    return canonical(xr.Dataset({"specific_humidity": humidity, "total_precipitation_6hr": rain}))


# ---- A made-up Earth


def earth(places, first, n_times, hours, shape, seed=0):
    """Return a made-up Earth on a grid of `shape` rows and columns."""
    ground, land = _ground(places)
    grid = LatLonGrid.regular(*shape, poles=shape[0] % 2 == 1)
    statics = regrid(xr.Dataset({"geopotential_at_surface": ground, "land_sea_mask": land}), grid).load()
    times = np.datetime64(first, "ns") + np.arange(n_times) * np.timedelta64(hours, "h")
    return Earth(times, statics["geopotential_at_surface"], statics["land_sea_mask"], seed)


@sound("made-up Earth, 24 years of days")
def decades(places):
    made = earth(places, "1985-01-01T12", 24 * 365, 24, (13, 24))
    return xr.merge([made.temperature(), made.pressure(), made.rain("total_precipitation_24hr", 24)])


@sound("made-up Earth, 430 days, six-hourly")
def many_days(places):
    made = earth(places, "2003-01-01", 1720, 6, (19, 36), seed=1)
    pressure = made.pressure()
    wind = made.wind(pressure["mean_sea_level_pressure"].values)
    return xr.merge([made.temperature(), pressure, wind, made.rain("total_precipitation_6hr", 6)])


@sound("made-up Earth, 10 days, hourly")
def hourly(places):
    made = earth(places, "2010-07-01", 240, 1, (37, 72), seed=2)
    return xr.merge([made.temperature(), made.rain("total_precipitation", 1)])


@sound("sunlight of a month")
def sunlight(places):
    names = ("cosine_of_solar_zenith_angle", "toa_incident_solar_radiation_6hr")
    times = np.datetime64("2001-06-10", "ns") + np.arange(120) * np.timedelta64(6, "h")
    request = Request(times, LatLonGrid.regular(31, 60), "hourly")
    return canonical(xr.Dataset({name: DERIVATIONS[name][-1].derive(None, request) for name in names}).load())


@sound("made-up Earth, no rain over the Sahara", is_variant=True)
def dry_region(places):
    made = earth(places, "2010-07-01", 60, 24, (37, 72), seed=3).rain("total_precipitation_24hr", 24)
    return made.isel(latitude=slice(11, 15), longitude=slice(0, 6)) * 0


@sound("made-up Earth, a January of hours on a Gaussian grid", is_variant=True)
def gaussian_hours(places):
    made = earth(places, "1999-01-01", 744, 1, (36, 72), seed=4)
    return regrid(xr.merge([made.temperature(), made.pressure()]), LatLonGrid.gaussian(24, 48)).load()


# ---- Pieces of good data, which are good as well


def pieces(dataset, seed=0):
    """Yield what people cut out of data: single times, periods, every k-th time, regions, belts; each with a name."""
    rng = np.random.default_rng(seed)
    n_times = dataset.sizes.get("time", 0)
    if n_times > 1:
        yield from ((f"time {i}", dataset.isel(time=[i])) for i in range(0, n_times, -(-n_times // 8)))
    if n_times >= 20:
        yield from ((f"times {own}", dataset.isel(time=own)) for own in (_period(rng, n_times) for _ in range(4)))
        yield from ((f"every {k}th time", dataset.isel(time=slice(0, None, k))) for k in (2, 3, 5, 8))
    short = dataset.isel(time=slice(0, 40)) if n_times > 40 else dataset
    for rows, columns in (_box(rng, dataset) for _ in range(8)):
        yield f"rows {rows}, columns {columns}", short.isel(latitude=rows, longitude=columns)
        yield f"rows {rows}", short.isel(latitude=rows)


def _period(rng, n_times):
    start = int(rng.integers(0, n_times - 10))
    return slice(start, start + int(rng.integers(5, 60)))


def _box(rng, dataset):
    spans = [np.sort(rng.choice(dataset.sizes[dim], 2, replace=False)) for dim in ("latitude", "longitude")]
    return [slice(int(first), int(max(last, first + 3))) for first, last in spans]
