"""Atmospheric rivers of real winds and temperatures, with prescribed humidity: a picture, and what it takes.

python benchmarks/rivers_picture.py FOLDER docs/images/atmospheric_rivers.png

FOLDER holds ERA-Interim's temperature and wind of 23 January 2005, 37 levels (erainterim_{t,u,v}_37levels_...nc). No
file has humidity: relative humidity is 80 % at 1000 hPa and falls to 30 % at 300 hPa everywhere, so that rivers are
where warm air is carried far, not where it was moist that day.
"""

import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr
from earthkit.meteo.thermo.array import specific_humidity_from_relative_humidity

from weatherml import plot
from weatherml.extremes.hazards.rivers import FIXED, rivers, transport


def fields(folder):
    names = {"t": "temperature", "u": "u_component_of_wind", "v": "v_component_of_wind"}
    parts = [xr.open_dataset(next(Path(folder).glob(f"erainterim_{short}_37levels*.nc")))[short] for short in names]
    own = (
        xr.Dataset(dict(zip(names.values(), parts, strict=True))).sel(level=slice(250, 1000)).astype(np.float32).load()
    )
    pressure = 100.0 * own["level"].values[:, None, None]
    relative = np.interp(pressure, [3e4, 1e5], [30, 80])
    humidity = specific_humidity_from_relative_humidity(own["temperature"].values, relative, pressure)
    return own.assign(specific_humidity=(own["temperature"].dims, humidity.astype(np.float32))).expand_dims("time")


def timed(given):
    began = time.process_time()
    found = rivers(given, FIXED)
    print(f"{time.process_time() - began:.3f} s of a processor: {dict(given.sizes)}")
    return found


def main(folder, path):
    given = fields(folder)
    labels, table = timed(given)
    fine = {"latitude": np.arange(90, -90.1, -0.25), "longitude": np.arange(0, 358.6, 0.25)}
    timed(transport(given).interp(fine))
    frame = table.to_dataframe().drop(columns="time").round(1)
    print(frame.to_string())
    now = given.isel(time=0)
    pacific = now.sel(latitude=slice(70, 15)).isel(
        longitude=np.flatnonzero((now.longitude > 100) & (now.longitude < 250))
    )
    place = labels[0].sel(latitude=pacific.latitude, longitude=pacific.longitude)
    plot.rivers(pacific, place).savefig(path)
    plot.rivers(now, labels[0]).savefig(Path(path).with_stem(f"{Path(path).stem}_globe"))


main(*sys.argv[1:])
