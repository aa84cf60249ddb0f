"""Layouts that people have: each writes one small truth as an archive or a program would, and says what reading gives.

A layout is read (its values are the truth), refused (in these words), or read with what `check` then finds.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import source_layouts as layouts
import xarray as xr

TRUTH = layouts.truth(n_times=3, n_lat=5, n_lon=8)
RAW = layouts.raw(TRUTH)
GRIB_STEP = 2.0**-22


@dataclass(frozen=True)
class Layout:
    """One way to write the truth.

    Attributes:
        write: Writes to a path.
        expected: What reading gives; None where it is refused.
        says: What the message, the notes or the findings must say, each a regular expression.
        relative: Largest error, of the range of a field.
        is_forecast: Whether it is one, which `info` and `plot` read.
        is_found: Whether only ingestion refuses it, and `check` finds what is wrong.
        is_damaged: Whether only its values cannot be read, for which `info` does not ask.
    """

    write: Callable[[Path], None]
    expected: xr.Dataset | None = None
    says: tuple[str, ...] = ()
    relative: float = 0.0
    is_forecast: bool = False
    is_damaged: bool = False
    is_found: bool = False


def read(write, names=("2m_temperature",), *says, relative=0.0, expected=None):
    """A layout that is read."""
    expected = TRUTH[list(names)] if expected is None else expected
    return Layout(write, expected, says, relative)


def found_by_check(write, *says):
    """A layout that is read, of which `check` and `ingest` say what is wrong."""
    return Layout(write, None, says, is_found=True)


def refused(write, *says, **kind):
    """A layout that is refused."""
    return Layout(write, None, says, **kind)


def netcdf(dataset, **options):
    """Return what writes a dataset as NetCDF."""
    return lambda path: dataset.to_netcdf(path, **options)


def zarr(dataset, **options):
    """Return what writes a dataset as zarr."""
    return lambda path: dataset.to_zarr(path, **options)


def zarr_2_with_fill_0(dataset):
    """Return what writes zarr 2 as zarr itself does, with 0 for what was never set."""

    def write(path):
        dataset.drop_attrs().to_zarr(path, zarr_format=2, consolidated=False)
        for file in path.glob("*/.zarray"):
            file.write_text(re.sub(r'"fill_value": [^,]*', '"fill_value": 0', file.read_text()))

    return write


def grib(messages, edition=2):
    """Return what writes messages as GRIB."""
    return lambda path: layouts.write_messages(path, messages, edition)


def _each_time(*kinds):
    """Return messages of every time, from pairs of a field over time and its keys."""
    return [(field.isel(time=i), keys) for i in range(TRUTH.sizes["time"]) for field, keys in kinds]


T, T2M, MSL = RAW["t"], RAW["t2m"], RAW["msl"]
TIMES = TRUTH["time"].values
HOURS_6 = np.timedelta64(6, "h")
RAIN = TRUTH[["2m_temperature"]].rename({"2m_temperature": "total_precipitation"}) * np.float32(1e-5)

_LEVELS = [
    (T.sel(level=level), {"typeOfLevel": "isobaricInhPa", "level": level, "shortName": "t"}) for level in layouts.LEVELS
]
_GFS = [
    (T.sel(level=300), {"typeOfLevel": "isobaricInPa", "level": 40, "shortName": "t"}),
    *((T2M, {"typeOfLevel": kind, "level": 0, "shortName": "t"}) for kind in ("surface", "tropopause")),
    (T2M, {"typeOfLevel": "heightAboveGround", "level": 2, "shortName": "2t"}),
    (T2M, {"typeOfLevel": "heightAboveGround", "level": 80, "shortName": "u"}),
    (MSL, {"typeOfLevel": "meanSea", "level": 0, "shortName": "prmsl"}),
]
_STEPS = [(T2M.isel(time=0), {"shortName": "2t", "dataType": "fc", "step": step}) for step in (0, 6, 18)]


def _rain(local, windows=("5-6", "5-6", "5-6")):
    """Return sums as archives have them: forecasts of some hours, each with the steps over which it is taken."""
    fields = [RAIN["total_precipitation"].isel(time=i) for i in range(len(TIMES))]
    keys = [{**local, "dataType": "fc", "shortName": "tp", "stepType": "accum", "stepRange": w} for w in windows]
    hours = [np.timedelta64(int(window.split("-")[1]), "h") for window in windows]
    return [(f.assign_coords(time=f["time"] - h), k) for f, h, k in zip(fields, hours, keys, strict=True)]


_KINDS = {"GRIB_stepType": "accum", "GRIB_dataType": "fc", "units": "m"}
_PLACES = {name: TRUTH[name] for name in ("latitude", "longitude")}
_SUMS = xr.Dataset(
    {"tp": (("time", "step", "latitude", "longitude"), RAIN["total_precipitation"].values[None], _KINDS)},
    {"time": TIMES[:1] - HOURS_6, "step": HOURS_6 * np.arange(1, 4), **_PLACES},
    {"GRIB_centre": "ecmf"},
)
ARCHIVED = {"setLocalDefinition": 1, "marsClass": "ei"}
ERA5 = {"setLocalDefinition": 1, "marsClass": "ea"}


ONE = RAW[["t2m"]]
ONE_LEAD = ONE.isel(time=0, drop=True).assign_coords(init_time=TIMES[0], lead_time=HOURS_6)
FORECASTS = {
    "our NetCDF": netcdf(ONE_LEAD.assign_coords(valid_time=TIMES[1])),
    "our NetCDF, a dimension": netcdf(ONE_LEAD.expand_dims(["init_time", "lead_time"])),
    "WeatherBench 2": netcdf(ONE.assign_coords(prediction_timedelta=HOURS_6)),
    "WeatherBench 2, a dimension": zarr(ONE.expand_dims(prediction_timedelta=[HOURS_6]), zarr_format=2),
    "earth2studio": netcdf(ONE.expand_dims(lead_time=[HOURS_6]).rename(latitude="lat", longitude="lon")),
    "cfgrib": netcdf(ONE.assign_coords(step=HOURS_6, valid_time=("time", TIMES + HOURS_6))),
    "CF": netcdf(ONE.assign_coords(forecast_reference_time=TIMES[0], forecast_period=("time", TIMES - TIMES[0]))),
    "CF without a lead": netcdf(ONE.assign_coords(forecast_reference_time=TIMES[0])),
    "GRIB": grib(_STEPS),
    "GRIB of another centre's sums": grib(_rain({})),
}


def timed(values, units="", dtype="f8", calendar="standard"):
    """Return what writes a field at times that a file counts so."""
    values = np.asarray(values, dtype)
    attributes = {"units": units, "calendar": calendar} if units else {}
    field = ONE.isel(time=[0] * len(values)).assign_coords(time=("time", values, attributes))
    return netcdf(field)


def at_times(times):
    """Return what such a field reads as."""
    times = np.array(times, "datetime64[ns]")
    return TRUTH[["2m_temperature"]].isel(time=[0] * len(times)).assign_coords(time=times)


def on_levels(values, name="level", **attributes):
    """Return what writes temperature on levels that a file calls so."""
    dataset = RAW[["t"]].rename(level=name) if name != "level" else RAW[["t"]]
    return netcdf(dataset.assign_coords({name: (name, values, attributes)}))


def damaged(write, where):
    """Return what writes a file and spoils bytes of values in it."""

    def spoil(path):
        write(path)
        file = next(iter(sorted(path.glob(where)))) if path.is_dir() else path
        content = bytearray(file.read_bytes())
        start = len(content) // 2 if path.is_dir() else content.rindex(where) + 8
        content[start : start + 60] = bytes(byte ^ 255 for byte in content[start : start + 60])
        file.write_bytes(bytes(content[: start + 60]) if path.is_dir() else bytes(content))

    return spoil


def with_units(dataset):
    """Return raw fields with the units that arithmetic takes off."""
    for name in dataset.data_vars:
        dataset[name].attrs = {"units": layouts.UNITS[name]}
    return dataset


def _in_versions(versions):
    """Final data for two times and other, preliminary ones for all three, along a dimension of old CDS files."""
    final, preliminary = ONE.where(ONE["time"] < TIMES[2]), ONE + 1
    order = [final if float(version) == 1 else preliminary for version in versions]
    return netcdf(with_units(xr.concat(order, "expver").assign_coords(expver=versions)))


_MASK = (RAW[["t2m"]] * 0 + 0.5).rename(t2m="lsm")
_MASK["lsm"].attrs["units"] = "(0 - 1)"
_DRY = RAIN * (RAIN > 0.0028)
_HEIGHT_2 = ((), 2.0, {"standard_name": "height", "units": "m"})
_TAS = ONE.rename(t2m="tas")
_TAS["tas"].attrs["standard_name"] = "air_temperature"
_TA = RAW[["t"]].rename(t="ta")
_TA["ta"].attrs["standard_name"] = "air_temperature"
_COMPRESSED = {"t2m": {"zlib": True, "chunksizes": (3, 5, 8)}}
_VERSIONED = [*TRUTH["2m_temperature"][:2].values, TRUTH["2m_temperature"][2].values + 1]
_FOLDED = TRUTH[["2m_temperature"]].copy(data={"2m_temperature": np.array(_VERSIONED, np.float32)})
_DAYS_SINCE_1900 = 42734
_MONTHS = ["2017-01-01", "2017-02-01", "2017-03-01"]
_PLEV = {"units": "Pa", "standard_name": "air_pressure"}
_MASKED = TRUTH[["2m_temperature"]].assign(land_sea_mask=_MASK["lsm"][0].drop_vars("time"))
_SPREAD = ONE.assign_coords(longitude=np.linspace(0, 360, 8))
_HOURLY = np.datetime64("2017-01-01") + np.arange(23) * np.timedelta64(1, "h")

LAYOUTS: dict[str, Layout] = {
    "GRIB with a parameter nobody knows": read(
        grib(_each_time((T2M, {"shortName": "2t"}), (T2M * 0, {"shortName": "tcc"})), edition=1),
        ("2m_temperature",), "variables passed over: tcc", relative=GRIB_STEP,
    ),
    "GRIB of a parameter nobody knows alone": refused(
        grib(_each_time((T2M * 0, {"shortName": "tcc"})), edition=1),
        r"no variable that weatherml knows; it has tcc; ",
    ),
    "GRIB of every kind of level": read(
        grib(_each_time(*_LEVELS, *_GFS)), ("temperature", "2m_temperature", "mean_sea_level_pressure"),
        r"levels must be whole hPa, got \[0.4\]: temperature passed over", r"t \(on surface\)", r"t \(on tropopause\)",
        r"u \(at 80 m\)", relative=GRIB_STEP,
    ),
    **{f"forecast, {kind}": refused(write, "forecasts?", is_forecast=True) for kind, write in FORECASTS.items()},
    "a lead of zero": read(netcdf(ONE.expand_dims(prediction_timedelta=[0 * HOURS_6]))),
    "cfgrib's NetCDF of analyses": read(netcdf(ONE.assign_coords(step=0 * HOURS_6, valid_time=("time", TIMES)))),
    "cfgrib's NetCDF of ERA5's sums": read(netcdf(_SUMS), expected=RAIN),
    "cfgrib's NetCDF of another centre's sums": refused(
        netcdf(_SUMS.assign_attrs(GRIB_centre="kwbc")), "forecasts?",
        is_forecast=True,
    ),
    "GRIB of ERA5's sums": read(grib(_rain(ERA5), edition=1), expected=RAIN, relative=GRIB_STEP),
    "GRIB of ERA5's sums, whatever their steps say": read(
        grib(_rain(ERA5, ("0-1", "0-7", "0-1")), edition=1), expected=RAIN, relative=GRIB_STEP
    ),
    "GRIB of sums over six hours": read(
        grib(_rain(ARCHIVED, ("0-6", "6-12", "0-6")), edition=1), (), "values over 6 h, not instants",
        expected=RAIN.rename(total_precipitation="total_precipitation_6hr"), relative=GRIB_STEP,
    ),
    "GRIB of sums over three hours": refused(
        grib(_rain(ARCHIVED, ("0-3", "3-6", "0-3")), edition=1),
        r"it has tp \(sums over 3 h\); sums over 1, 6, 12 and 24 h are read",
    ),
    "GRIB of sums since the start": found_by_check(
        grib(_rain(ARCHIVED, ("0-6", "0-12", "0-6")), edition=1),
        "total_precipitation is summed over 6, 12 h", "accumulated in source",
    ),
    "float32 days": read(
        timed(_DAYS_SINCE_1900 + np.arange(23) / 24, "days since 1900-01-01", "f4"), expected=at_times(_HOURLY)
    ),
    "hours as decimals": read(timed([0, 1.00001, 2.00002], "hours since 2017-01-01"), expected=at_times(_HOURLY[:3])),
    "a date axis of integers": read(
        netcdf(ONE.rename(time="date").assign_coords(date=[20170101, 20170201, 20170301])),
        expected=TRUTH[["2m_temperature"]].assign_coords(time=np.array(_MONTHS, "datetime64[ns]")),
    ),
    "dates with a fraction": read(
        timed([20170101, 20170101.25, 20170101.5]), expected=at_times(["2017-01-01", "2017-01-01T06", "2017-01-01T12"])
    ),
    "a datetime axis": read(netcdf(ONE.rename(time="datetime"))),
    "months since": refused(timed([0, 1], "months since 1900-01-01"), "'months since 1900-01-01', whose length is not"),
    "no leap days": refused(timed([0, 1, 2], "days since 1999-02-27", calendar="noleap"), "the calendar 'noleap'"),
    "years long past": refused(timed([0, 1], "days since 1500-01-01"), "'1500-01-01.*' lies outside the years 1678"),
    "missing times": refused(timed([0, np.nan, 2], "hours since 2017-01-01"), r"1 of 3 times are missing \(NaT\)"),
    "no times": refused(timed([], "hours since 2017-01-01"), "has no times: its time axis is empty"),
    "levels as text": read(on_levels(["300 hPa", "500 hPa", "850 hPa"]), ("temperature",)),
    "levels in Pa, positive down": read(
        on_levels([3e4, 5e4, 8.5e4], "isobaric", units="Pa", positive="down"), ("temperature",)
    ),
    "CF air_pressure": read(on_levels([3e4, 5e4, 8.5e4], "plev3", **_PLEV), ("temperature",)),
    "one level of CF air_pressure": read(
        netcdf(RAW[["t"]].isel(level=[1]).rename(level="p3").assign_coords(
            p3=("p3", [500.0], {"units": "hPa", "standard_name": "air_pressure"})
        )),
        expected=TRUTH[["temperature"]].isel(level=[1]),
    ),
    "a level between": read(
        on_levels([300.5, 500, 850], units="hPa"), (), "levels passed over: 300.5 hPa",
        expected=TRUTH[["temperature"]].isel(level=[1, 2]),
    ),
    "model levels without units": refused(on_levels([135, 136, 137]), "135 .. 137 .* are model levels, not hPa"),
    "the highest model levels": refused(on_levels([1, 2, 3]), "are model levels, not hPa"),
    "model_level_number": refused(on_levels([135, 136, 137], "model_level_number"), r"t \(on model_level_number\)"),
    "one model level": refused(
        netcdf(RAW[["t"]].isel(level=[0]).rename(level="hybrid").assign_coords(hybrid=("hybrid", [137.0]))),
        r"t \(on hybrid\)",
    ),
    "standard names": read(netcdf(_TAS.assign_coords(height=_HEIGHT_2))),
    "standard names on levels": read(netcdf(_TA), ("temperature",)),
    "a standard name without a height": refused(netcdf(_TAS), r"tas \(without a level or a height\)"),
    "expver 1.0 and 5.0": read(_in_versions([1.0, 5.0]), (), "preliminary ERA5T .* 1 of 3 times", expected=_FOLDED),
    "expver 5.0 and 1.0": read(_in_versions([5.0, 1.0]), (), "preliminary ERA5T .* 1 of 3 times", expected=_FOLDED),
    "expver of each time": read(
        netcdf(ONE.assign_coords(expver=("time", [1.0, 5.0, 5.0]))), ("2m_temperature",), "2 of 3 times"
    ),
    "a mask at every time": read(netcdf(ONE.merge(_MASK)), expected=_MASKED),
    "a mask that changes": refused(
        netcdf(ONE.merge(_MASK.copy(data={"lsm": _MASK["lsm"].values * [[[1]], [[1]], [[0]]]}))),
        "land_sea_mask in .* changes with time", is_damaged=True,
    ),
    "zeros in zarr 2": read(zarr_2_with_fill_0(_DRY), expected=_DRY),
    "a closing column": read(
        netcdf(xr.concat([ONE, ONE.isel(longitude=[0]).assign_coords(longitude=[359.99999])], "longitude")),
        ("2m_temperature",), "repeated columns dropped",
    ),
    "linspace(0, 360, n)": refused(netcdf(_SPREAD), "longitudes 0 and 360 are one place, but 2m_temperature"),
    "columns in float32": read(
        netcdf(ONE.assign_coords(longitude=TRUTH["longitude"].values.astype("f4") + np.float32(1e-5)))
    ),
    "damaged NetCDF": refused(
        damaged(netcdf(ONE, encoding=_COMPRESSED), b"\x78\x5e"), "cannot read t2m", is_damaged=True
    ),
    "damaged zarr": refused(damaged(zarr(ONE, zarr_format=3), "t2m/c/0/0/*"), "cannot read t2m", is_damaged=True),
}  # fmt: skip
