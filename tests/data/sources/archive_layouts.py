"""Canonical analyses written as archives in the cloud have them; what is returned is what should be read."""

import numpy as np


def like_arco(truth, folder):
    """Write hours, one time of all levels a chunk, zarr v2; an axis that begins before the data and ends after them."""
    start, hour, n_times = truth["time"].values[0], np.timedelta64(1, "h"), truth.sizes["time"]
    held = truth.assign_coords(time=start + np.arange(n_times) * hour)
    padded = held.reindex(time=start + np.arange(-2, n_times + 8) * hour)
    padded["total_cloud_cover"] = padded["2m_temperature"].drop_attrs() * 0  # which weatherml does not know
    first, last = (np.datetime_as_string(time, "h") for time in held["time"].values[[0, -1]])
    padded.attrs = {"valid_time_start": first, "valid_time_stop": last}
    chunks = {n: {"chunks": (1, *f.shape[1:])} for n, f in padded.data_vars.items() if "time" in f.dims}
    padded.to_zarr(folder, zarr_format=2, consolidated=True, encoding=chunks, write_empty_chunks=False)
    return held


def like_weatherbench(truth, folder):
    """Write eight times a chunk, longitude before latitude, south first, zarr v2."""
    stored = truth.isel(latitude=slice(None, None, -1)).transpose("time", "level", "longitude", "latitude")
    chunks = {n: {"chunks": (8, *f.shape[1:])} for n, f in stored.data_vars.items() if "time" in f.dims}
    stored.to_zarr(folder, zarr_format=2, consolidated=True, encoding=chunks)
    return truth
