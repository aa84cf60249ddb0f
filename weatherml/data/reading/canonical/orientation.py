"""Which way coordinates run: latitude north to south, longitude eastward from 0, everything else upward."""

import numpy as np
import xarray as xr

from weatherml.data.reading.canonical.notes import noted
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid, on_circle


def orient(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Turn latitude north to south and longitude eastward from 0 to 360."""
    latitude, longitude = (np.asarray(dataset[c].values, np.float64) for c in ("latitude", "longitude"))
    if latitude.size > 1 and np.all(np.diff(latitude) > 0):
        dataset = noted(dataset.isel(latitude=slice(None, None, -1)), "latitudes ran south to north: reversed")
    eastward = on_circle(longitude)
    _, order = np.unique(eastward, return_index=True)
    if order.size < longitude.size:
        dataset = noted(dataset, "longitudes came round to the first again: repeated columns dropped")
    if not np.array_equal(order, np.arange(longitude.size)):
        dataset = dataset.isel(longitude=order)
    if longitude.min() < 0:
        dataset = noted(dataset, f"longitudes ran from {longitude[0]:g}: turned to 0 .. 360")
    try:
        grid = LatLonGrid.from_coordinates(dataset["latitude"].values, eastward[order])
    except UserError as error:
        raise UserError(f"{origin}: {error}") from None
    return dataset.assign_coords(latitude=np.asarray(grid.latitude), longitude=np.asarray(grid.longitude))


def ascending(dataset: xr.Dataset, dim: str, text: str) -> xr.Dataset:
    """Return the dataset with a coordinate that ascends, having noted `text` where it did not."""
    if dim not in dataset.dims or np.all(dataset[dim].values[1:] >= dataset[dim].values[:-1]):
        return dataset
    return noted(dataset.isel({dim: np.argsort(dataset[dim].values, kind="stable")}), f"{text}: reordered")
