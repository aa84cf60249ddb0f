"""One small planet-wide truth, and the layouts in which the world's archives would write it."""

import numpy as np
import pandas as pd
import xarray as xr

LEVELS = (300, 500, 850)
SHORT = {
    "geopotential": "z",
    "temperature": "t",
    "2m_temperature": "t2m",
    "mean_sea_level_pressure": "msl",
}
UNITS = {"z": "m**2 s**-2", "t": "K", "t2m": "K", "msl": "Pa"}


def truth(n_times=4, n_lat=19, n_lon=36, seed=0):
    """Plausible canonical fields, no two alike in any direction."""
    noise = np.random.default_rng(seed)
    latitude = np.linspace(90, -90, n_lat)
    longitude = np.arange(n_lon) * 360 / n_lon
    level = np.array(LEVELS, np.int32)
    time = pd.date_range("2017-02-03", periods=n_times, freq="6h").values
    polar = np.sin(np.radians(latitude))[:, None] ** 2
    south = np.exp(-(((latitude + 64) / 10) ** 2))[:, None]
    surface = 300 - 45 * polar + noise.normal(0, 1, (n_times, n_lat, n_lon))
    depth = np.log(1013.25 / level)[:, None, None]
    upper = surface[:, None] - 30 * depth
    geopotential = 287.05 * depth * (surface[:, None] - 15 * depth) - 2500 * south
    pressure = 1.013e5 - 2500 * south + noise.normal(0, 100, (n_times, n_lat, n_lon))
    flat, deep = ("time", "latitude", "longitude"), ("time", "level", "latitude", "longitude")
    fields = {
        "geopotential": (deep, geopotential.astype(np.float32)),
        "temperature": (deep, upper.astype(np.float32)),
        "2m_temperature": (flat, surface.astype(np.float32)),
        "mean_sea_level_pressure": (flat, pressure.astype(np.float32)),
    }
    coords = {"time": time, "level": level, "latitude": latitude, "longitude": longitude}
    return xr.Dataset(fields, coords)


def raw(dataset):
    """Short names and ECMWF's units, as CDS gives them."""
    dataset = dataset.rename({name: SHORT[name] for name in dataset.data_vars})
    for name in dataset.data_vars:
        dataset[name].attrs = {"units": UNITS[name]}
    dataset["latitude"].attrs = {"units": "degrees_north"}
    dataset["longitude"].attrs = {"units": "degrees_east"}
    if "level" in dataset.coords:
        dataset["level"].attrs = {"units": "millibars"}
    return dataset


def south_first(dataset):
    return dataset.isel(latitude=slice(None, None, -1))


def from_180_west(dataset):
    half = dataset.sizes["longitude"] // 2
    rolled = dataset.roll(longitude=half, roll_coords=True)
    return rolled.assign_coords(longitude=(rolled["longitude"] + 180) % 360 - 180)


def ground_first(dataset):
    return dataset.isel(level=slice(None, None, -1))


def in_pascal(dataset):
    level = (dataset["level"] * 100.0).assign_attrs(units="Pa")
    return dataset.assign_coords(level=level).rename(level="plev")


def new_cds(dataset):
    dataset = ground_first(dataset).rename(time="valid_time", level="pressure_level")
    dataset = dataset.assign_coords(pressure_level=dataset["pressure_level"].astype(np.float64))
    dataset = dataset.assign_coords(number=0, expver=("valid_time", np.full(dataset.sizes["valid_time"], "0001")))
    dataset["pressure_level"].attrs = {"units": "hPa"}
    return dataset


def write_old_cds(dataset, path):
    """Classic NetCDF, int16 with scale and offset, hours since 1900."""
    encoding = {"time": {"units": "hours since 1900-01-01", "dtype": "int32"}}
    for name, field in dataset.data_vars.items():
        low, high = float(field.min()), float(field.max())
        scale = (high - low) / 65000
        encoding[name] = {"dtype": "int16", "scale_factor": scale, "add_offset": (low + high) / 2, "_FillValue": -32767}
    dataset.to_netcdf(path, format="NETCDF3_64BIT", encoding=encoding)


def write_grib(dataset, path, edition=1):
    """GRIB messages in an order of their own, 24 bits a value."""
    import eccodes

    grib_names = {"t2m": "2t"}
    with open(path, "wb") as file:
        for name, field in dataset.data_vars.items():
            for place in _places(field):
                kind = "pl" if "level" in place else "sfc"
                handle = eccodes.codes_grib_new_from_samples(f"regular_ll_{kind}_grib{edition}")
                for key, value in _grib_keys(field, place).items():
                    eccodes.codes_set(handle, key, value)
                eccodes.codes_set(handle, "shortName", grib_names.get(name, name))
                eccodes.codes_set(handle, "bitsPerValue", 24)
                eccodes.codes_set_values(handle, field.sel(place).values.ravel().astype(float))
                eccodes.codes_write(handle, file)
                eccodes.codes_release(handle)


def write_messages(path, messages, edition=2):
    """GRIB messages one by one: a field of latitude and longitude at one time, and its keys."""
    import eccodes

    with open(path, "wb") as file:
        for field, keys in messages:
            handle = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
            for key, value in {**_grib_keys(field, {"time": field["time"].values}), **keys}.items():
                eccodes.codes_set(handle, key, value)
            eccodes.codes_set(handle, "bitsPerValue", 24)
            eccodes.codes_set_values(handle, field.values.ravel().astype(float))
            eccodes.codes_write(handle, file)
            eccodes.codes_release(handle)


def _places(field):
    levels = [{"level": level} for level in field["level"].values] if "level" in field.dims else [{}]
    return [{"time": time, **level} for time in field["time"].values for level in levels]


def _grib_keys(field, place):
    latitude, longitude = field["latitude"].values, field["longitude"].values
    stamp = pd.Timestamp(place["time"])
    return {
        "Ni": longitude.size,
        "Nj": latitude.size,
        "latitudeOfFirstGridPointInDegrees": latitude[0],
        "latitudeOfLastGridPointInDegrees": latitude[-1],
        "longitudeOfFirstGridPointInDegrees": longitude[0],
        "longitudeOfLastGridPointInDegrees": longitude[-1],
        "iDirectionIncrementInDegrees": longitude[1] - longitude[0],
        "jDirectionIncrementInDegrees": abs(latitude[1] - latitude[0]),
        "jScansPositively": int(latitude[1] > latitude[0]),
        "dataDate": int(stamp.strftime("%Y%m%d")),
        "dataTime": int(stamp.strftime("%H%M")),
        **({"level": int(place["level"])} if "level" in place else {}),
    }
