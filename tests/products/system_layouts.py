"""One small forecast as other systems' writers would leave it on a disk."""

import netCDF4
import numpy as np
import zarr
from made_forecasts import made

from weatherml.products.convert import convert
from weatherml.variables import VARIABLES

CHANNELS = ("z500", "z850", "t850", "t2m", "u10m", "u100m")
LEVELS = {"z500": ("geopotential", 500), "z850": ("geopotential", 850), "t850": ("temperature", 850)}
HOUR = np.timedelta64(1, "h")


def forecast(numbers=(0, 1)):
    """Return what all of them hold; temperature is NaN at 500 hPa, as in every ragged set."""
    return made(CHANNELS, numbers=numbers).drop_attrs(deep=False)


def channels(dataset):
    """Return an array for each channel by earth2studio's name, dims (number, init_time, lead_time, lat, lon)."""
    fields = {}
    for name in CHANNELS:
        variable, level = LEVELS.get(name) or (next(v.name for v in VARIABLES.values() if v.earth2_name == name), None)
        field = dataset[variable] if level is None else dataset[variable].sel(level=level, drop=True)
        fields[name] = field.transpose("number", "init_time", "lead_time", "latitude", "longitude")
    return fields


def weatherbench2(path, dataset, member="number"):
    """(time, number, prediction_timedelta, level, longitude, latitude), south first, leads in hours."""
    names = {"init_time": "time", "lead_time": "prediction_timedelta", "number": member}
    theirs = dataset.drop_vars("valid_time").rename({own: name for own, name in names.items() if own in dataset.dims})
    hours = (dataset["lead_time"].values / HOUR).astype(int)
    theirs = theirs.isel(latitude=slice(None, None, -1)).transpose("time", ..., "longitude", "latitude")
    theirs = theirs.assign_coords(prediction_timedelta=("prediction_timedelta", hours, {"units": "hours"}))
    theirs.to_zarr(path, zarr_format=2, consolidated=True)


def weatherbench_x(path, dataset):
    """(init_time, lead_time), as its loaders have them after renaming."""
    dataset.drop_vars("valid_time").rename(latitude="lat", longitude="lon").to_netcdf(path)


def _earth2_coords(dataset):
    names = {"ensemble": "number", "time": "init_time", "lead_time": "lead_time", "lat": "latitude", "lon": "longitude"}
    values = {theirs: dataset[own].values for theirs, own in names.items()}
    return values | {"lead_time": values["lead_time"].astype("timedelta64[h]")}


def earth2_zarr(path, dataset):
    """As `ZarrBackend.add_array` of earth2studio does: an array for each coordinate and channel, no attributes."""
    root = zarr.group(zarr.storage.LocalStore(path))
    coords = _earth2_coords(dataset)
    for name, values in coords.items():
        options = {"shape": values.shape, "chunks": values.shape, "dtype": values.dtype, "fill_value": None}
        root.create_array(name, dimension_names=[name], **options)[:] = values
    for name, field in channels(dataset).items():
        options = {"shape": field.shape, "chunks": (1, 1, 1, *field.shape[3:]), "dtype": "float32", "fill_value": None}
        root.create_array(name, dimension_names=list(coords), **options)[:] = field.values


def earth2_netcdf(path, dataset):
    """As `NetCDF4Backend.add_array` of earth2studio does: times in hours since the year 1, leads in whole hours."""
    with netCDF4.Dataset(path, "w") as root:
        for name, values in _earth2_coords(dataset).items():
            root.createDimension(name, len(values))
            kind, attributes = {
                "time": ("f8", {"units": "hours since 0001-01-01 00:00:00.0", "calendar": "proleptic_gregorian"}),
                "lead_time": ("i8", {"units": "hours", "calendar": "gregorian"}),
            }.get(name, (values.dtype, {}))
            variable = root.createVariable(name, kind, (name,))
            variable.setncatts(attributes)
            if name == "lead_time":
                variable.setncattr("dtype", "timedelta64[ns]")
            if name == "time":
                values = netCDF4.date2num(values.astype("datetime64[us]").tolist(), **attributes)
            variable[:] = values / HOUR if name == "lead_time" else values
        for name, field in channels(dataset).items():
            root.createVariable(name, "float32", ("ensemble", "time", "lead_time", "lat", "lon"))[:] = field.values


def earth2_one_array(path, dataset):
    """All channels along `variable`, as its data sources and `fetch_data` return them."""
    coords = {**_earth2_coords(dataset), "variable": list(CHANNELS)}
    values = np.stack([field.values for field in channels(dataset).values()], axis=3)
    dims = ("ensemble", "time", "lead_time", "variable", "lat", "lon")
    import xarray as xr

    xr.DataArray(values, coords, dims, name="fields").to_netcdf(path)


ANEMOI = {"z500": "z_500", "z850": "z_850", "t850": "t_850", "t2m": "2t", "u10m": "10u", "u100m": "100u"}


def anemoi_zarr(path, dataset):
    """As `outputs/zarr.py` of anemoi-inference writes one initial time of one member: valid times alone."""
    one = dataset.isel(init_time=[0], number=[0])
    latitude, longitude = np.meshgrid(one["latitude"], one["longitude"], indexing="ij")
    leads = (one["lead_time"].values / np.timedelta64(1, "s")).astype("i4")
    init = str(one["init_time"].values[0].astype("datetime64[s]")).replace("T", " ")
    root = zarr.group(zarr.storage.LocalStore(path))

    def write(name, values, dims, **attributes):
        options = {"shape": values.shape, "dtype": values.dtype, "chunks": "auto", "fill_value": None}
        root.create_array(name, dimension_names=dims, attributes=attributes, **options)[:] = values

    write("time", leads, ["time"], units=f"seconds since {init}", calendar="gregorian")
    write("latitude", latitude.ravel().astype("f4"), ["values"], units="degrees_north", long_name="latitude")
    write("longitude", longitude.ravel().astype("f4"), ["values"])
    for name, field in channels(one).items():
        write(ANEMOI[name], field.values[0, 0].reshape(len(leads), -1), ["time", "values"], param=name[0])


def anemoi_netcdf(path, dataset, order="C"):
    """As `outputs/netcdf.py` of anemoi-inference writes one initial time of one member: points in one row."""
    one = dataset.isel(init_time=[0], number=[0])
    latitude, longitude = np.meshgrid(one["latitude"], one["longitude"], indexing="ij")
    init = one["init_time"].values[0].astype("datetime64[s]").astype(int)
    leads = (one["lead_time"].values / np.timedelta64(1, "s")).astype(int)
    epoch = {"units": "seconds since 1970-01-01 00:00:00+00:00", "calendar": "standard"}
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", None)
        file.createDimension("values", latitude.size)
        start = file.createVariable("forecast_reference_time", "i8")
        start.setncatts({"standard_name": "forecast_reference_time", **epoch})
        start[:] = init
        times = file.createVariable("time", "i8", ("time",))
        times.setncatts({"standard_name": "time", **epoch})
        times[:] = init + leads
        period = file.createVariable("forecast_period", "i8", ("time",))
        period.setncatts({"standard_name": "forecast_period", "units": "seconds"})
        period[:] = leads
        for name, values in (("latitude", latitude), ("longitude", longitude)):
            place = file.createVariable(name, "f4", ("values",))
            place.setncatts({"standard_name": name, "units": f"degrees_{'north' if name == 'latitude' else 'east'}"})
            place[:] = values.ravel(order)
        for name, field in channels(one).items():
            variable = file.createVariable(ANEMOI[name], "f4", ("time", "values"), fill_value=np.nan)
            variable.setncatts({"coordinates": "forecast_reference_time forecast_period latitude longitude"})
            for step, values in enumerate(field.values[0, 0]):
                variable[step] = values.ravel(order)


def grib_ensemble(folder, dataset):
    """The control and the perturbed members in files of their own, one for each lead."""
    paths = []
    for lead in range(dataset.sizes["lead_time"]):
        for kind, own in (("cf", dataset.sel(number=[0])), ("pf", dataset.sel(number=slice(1, None)))):
            paths.append(folder / f"{kind}-{lead}.grib2")
            convert(own.isel(lead_time=[lead]), paths[-1])
    return paths
