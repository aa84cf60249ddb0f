"""Times: one dimension of `datetime64[ns]`, ascending, on every field that varies."""

import xarray as xr

from weatherml.data.reading.canonical.orientation import ascending
from weatherml.errors import UserError
from weatherml.times import parse_times

STATIC = ("land_sea_mask", "geopotential_at_surface", "soil_type")
"""Variables that do not change with time."""


def place_times(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Give every varying field a time dimension of datetime64[ns], ascending; static fields lose theirs."""
    static = [v for v in STATIC if v in dataset.data_vars and "time" in dataset[v].coords]
    for name in static:
        field = dataset[name].isel(time=0) if "time" in dataset[name].dims else dataset[name]
        dataset = dataset.assign({name: field.drop_vars("time")})
    if "time" not in dataset.coords or set(dataset.data_vars) <= set(STATIC):
        return dataset.drop_vars("time", errors="ignore")
    if dataset["time"].dtype.kind not in "MO":  # O: what cftime reads, of another calendar or of years far away
        held = f"{origin}: time holds {dataset['time'].dtype} values, not dates"
        raise UserError(f"{held}; it needs units such as 'hours since 1900-01-01' and a standard calendar")
    times = parse_times(dataset["time"].values, f"{origin}: time")
    dataset = dataset.assign_coords(time=(dataset["time"].dims, times, dataset["time"].attrs))
    if "time" not in dataset.dims:
        dataset = dataset.assign({v: f.expand_dims("time") for v, f in dataset.data_vars.items() if v not in STATIC})
    return ascending(dataset, "time", "times were out of order")
