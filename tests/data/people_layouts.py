"""Layouts that people have: each writes one small truth as an archive or a program would, and says what reading gives.

A layout is read (its values are the truth), refused (in these words), or read with what `check` then finds.
"""

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
    """

    write: Callable[[Path], None]
    expected: xr.Dataset | None = None
    says: tuple[str, ...] = ()
    relative: float = 0.0
    is_forecast: bool = False


def read(write, names=("2m_temperature",), *says, relative=0.0, expected=None):
    """A layout that is read."""
    expected = TRUTH[list(names)] if expected is None else expected
    return Layout(write, expected, says, relative)


def refused(write, *says, is_forecast=False):
    """A layout that is refused."""
    return Layout(write, None, says, is_forecast=is_forecast)


def netcdf(dataset, **options):
    """Return what writes a dataset as NetCDF."""
    return lambda path: dataset.to_netcdf(path, **options)


def zarr(dataset, **options):
    """Return what writes a dataset as zarr."""
    return lambda path: dataset.to_zarr(path, **options)


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


def _era5_rain(local):
    """Return hourly sums as ERA5 has them: forecasts of twelve hours from 06 and 18 UTC, in sections of its archive."""
    keys = {**local, "dataType": "fc", "shortName": "tp", "stepType": "accum", "stepRange": "5-6"}
    fields = [RAIN["total_precipitation"].isel(time=i) for i in range(len(TIMES))]
    return [(field.assign_coords(time=field["time"] - HOURS_6), keys) for field in fields]


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
    "GRIB of another centre's sums": grib(_era5_rain({})),
}

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
    "GRIB of ERA5's sums": read(
        grib(_era5_rain({"setLocalDefinition": 1}), edition=1), expected=RAIN, relative=GRIB_STEP
    ),
}  # fmt: skip
