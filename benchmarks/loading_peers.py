"""Writes states `[time, channel, lat, lon]` in the layout of FourCastNet or anemoi, in their environments."""

import json
import sys

import numpy as np


def hdf5(fields: np.ndarray, path: str) -> None:
    """One array of all times, as FourCastNet's files of a year are."""
    import h5py

    with h5py.File(path, "w") as file:
        array = file.create_dataset("fields", fields.shape, "f4")
        for place, state in enumerate(fields):
            array[place] = state


def anemoi(fields: np.ndarray, path: str, told: str) -> None:
    """A store as `anemoi-datasets create` makes it: a chunk a time, all variables, cells in one row, zarr's codec."""
    import zarr

    about = json.loads(told)
    n_times, n_channels, n_rows, n_columns = fields.shape
    group = zarr.open_group(path, "w")
    shape = (n_times, n_channels, 1, n_rows * n_columns)
    array = group.create_dataset("data", shape=shape, chunks=(1, n_channels, 1, shape[-1]), dtype="f4")
    for place, state in enumerate(fields):
        array[place] = state.reshape(n_channels, 1, -1)
    latitude, longitude = np.meshgrid(about["latitude"], about["longitude"], indexing="ij")
    times = np.datetime64("2001-01-01", "s") + np.arange(n_times) * np.timedelta64(about["step"], "h")
    mean, std = (np.asarray(about[name]) for name in ("mean", "std"))
    arrays = {
        "latitudes": latitude.ravel(),
        "longitudes": longitude.ravel(),
        "dates": times,
        "mean": mean,
        "stdev": std,
    }
    for name, values in (arrays | {"minimum": mean - 5 * std, "maximum": mean + 5 * std}).items():
        group.create_dataset(name, data=values)
    group.attrs.update(
        variables=about["names"], frequency=f"{about['step']}h", resolution="o", field_shape=[n_rows, n_columns],
        start_date=str(times[0]), end_date=str(times[-1]), data_request={}, ensemble_dimension=2,
        version="0.30", flatten_grid=True, dtype="float32",
        variables_metadata={},
    )  # fmt: skip


if __name__ == "__main__":
    globals()[sys.argv[1]](np.load(sys.argv[2], mmap_mode="r"), *sys.argv[3:])
