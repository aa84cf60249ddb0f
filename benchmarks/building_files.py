"""Files as the data store delivers them, for benchmarks of building a store.

A day each, 13 levels of 5 variables and 4 fields of the surface, smooth weather with noise. The values are those that
GRIB holds in 16 bits, in GRIB and NetCDF alike, so that files and stores are as compressible as real ones.
"""

from pathlib import Path
from typing import IO

import numpy as np
import xarray as xr

LEVELS = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
UPPER = {
    "z": ("geopotential", "m**2 s**-2", 5e4),
    "t": ("temperature", "K", 260),
    "u": ("u_component_of_wind", "m s**-1", 5),
}
UPPER |= {"v": ("v_component_of_wind", "m s**-1", 0), "q": ("specific_humidity", "kg kg**-1", 0.01)}
SURFACE = {"t2m": ("2 metre temperature", "K", 280), "msl": ("Mean sea level pressure", "Pa", 1e5)}
SURFACE |= {"u10": ("10 metre U wind component", "m s**-1", 2), "v10": ("10 metre V wind component", "m s**-1", 1)}
SHORT_NAMES = {"t2m": "2t", "u10": "10u", "v10": "10v"}

COORDINATES = {
    "valid_time": {"long_name": "time", "standard_name": "time"},
    "pressure_level": {"long_name": "pressure", "standard_name": "air_pressure", "units": "hPa", "positive": "down"},
    "latitude": {"long_name": "latitude", "standard_name": "latitude", "units": "degrees_north"},
    "longitude": {"long_name": "longitude", "standard_name": "longitude", "units": "degrees_east"},
}
BITS = 16
FIRST_DAY = np.datetime64("2020-01-01", "D")


def make_files(folder: Path, days: int, rows: int, kind: str) -> str:
    """Write a file a day where it is missing, once for all periods; return the pattern that matches those of one."""
    whole, part = folder / f"{rows}_{kind}", folder / f"{rows}_{kind}_{days}"
    for made in (whole, part):
        made.mkdir(parents=True, exist_ok=True)
    for day in range(days):
        path = whole / f"{str(FIRST_DAY + day).replace('-', '')}.{kind}"
        if not path.exists():
            fields = weather(day, rows)
            write_netcdf(fields, path) if kind == "nc" else write_grib(fields, path)
        if not (part / path.name).exists():
            (part / path.name).hardlink_to(path)
    return str(part / f"*.{kind}")


def weather(day: int, rows: int) -> xr.Dataset:
    """Return four times of smooth waves with noise, under the names and in the layout of the data store."""
    rng = np.random.default_rng(day)
    latitude, longitude = np.linspace(90, -90, rows), np.arange(2 * (rows - 1)) * 180 / (rows - 1)
    times = (FIRST_DAY + day).astype("datetime64[ns]") + np.arange(4) * np.timedelta64(6, "h")
    wave = np.cos(np.deg2rad(latitude))[:, None] * np.sin(np.deg2rad(longitude) * 4 + day / 3)

    def field(mean: float, shape: tuple[int, ...]) -> np.ndarray:
        noise = rng.standard_normal((*shape, rows, len(longitude))).astype(np.float32)
        return packed((mean + 0.05 * (abs(mean) or 5) * (wave + 0.02 * noise)).astype(np.float32))

    dims = ("valid_time", "pressure_level", "latitude", "longitude")
    upper = {n: (dims, field(m, (4, 13)), {"units": u, "long_name": long}) for n, (long, u, m) in UPPER.items()}
    below = {
        n: ((dims[0], *dims[2:]), field(m, (4,)), {"units": u, "long_name": long})
        for n, (long, u, m) in SURFACE.items()
    }
    coords = {"valid_time": times, "pressure_level": LEVELS, "latitude": latitude, "longitude": longitude}
    return xr.Dataset(upper | below, {name: (name, values, COORDINATES[name]) for name, values in coords.items()})


def packed(values: np.ndarray) -> np.ndarray:
    """Return values `[..., lat, lon]` as GRIB keeps them, each field in whole steps from its least."""
    axes = (-2, -1)
    least, most = values.min(axes, keepdims=True), values.max(axes, keepdims=True)
    step = 2.0 ** np.ceil(np.log2((most - least) / (2**BITS - 1)))
    return (least + np.round((values - least) / step) * step).astype(np.float32)


def write_netcdf(fields: xr.Dataset, path: Path) -> None:
    """As the data store converts: chunks of several times, compressed."""
    encoding = {
        n: {"zlib": True, "complevel": 1, "chunksizes": (2, *(1 for _ in f.dims[1:-2]), *f.shape[-2:])}
        for n, f in fields.items()
    }
    fields.to_netcdf(path, encoding=encoding)


def write_grib(fields: xr.Dataset, path: Path) -> None:
    """A message a field, 16 bits a value."""
    with path.open("wb") as file:
        for name, field in fields.items():
            for position in np.ndindex(*field.shape[:-2]):
                level = LEVELS[position[1]] if field.ndim == 4 else None
                stamp = str(fields["valid_time"].values[position[0]].astype("datetime64[m]"))
                write_message(file, str(name), stamp, level, field.values[position])


def write_message(file: IO[bytes], name: str, stamp: str, level: int | None, values: np.ndarray) -> None:
    """Append one field."""
    import eccodes as codes

    message = codes.codes_grib_new_from_samples("regular_ll_sfc_grib2" if level is None else "regular_ll_pl_grib2")
    rows, columns = values.shape
    date, clock = stamp.replace("-", "").replace(":", "").split("T")
    keys = {
        "Ni": columns,
        "Nj": rows,
        "latitudeOfFirstGridPointInDegrees": 90,
        "latitudeOfLastGridPointInDegrees": -90,
        "longitudeOfFirstGridPointInDegrees": 0,
        "longitudeOfLastGridPointInDegrees": 360 - 360 / columns,
        "iDirectionIncrementInDegrees": 360 / columns,
        "jDirectionIncrementInDegrees": 180 / (rows - 1),
        "dataDate": int(date),
        "dataTime": int(clock),
        "shortName": SHORT_NAMES.get(name, name),
        "bitsPerValue": BITS,
    }
    for key, value in (keys if level is None else {**keys, "level": level}).items():
        codes.codes_set(message, key, value)
    codes.codes_set_values(message, values.ravel().astype(np.float64))
    codes.codes_write(message, file)
    codes.codes_release(message)
