"""Which way coordinates run: latitude north to south, longitude eastward from 0, everything else upward."""

import numpy as np
import xarray as xr

from weatherml.data.notes import noted
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
        _require_same_columns(dataset, eastward, origin)
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


def _require_same_columns(dataset: xr.Dataset, eastward: np.ndarray, origin: str) -> None:
    """Require that columns of one longitude have the same values, at the first place of every field.

    Raises:
        UserError: They have not: longitudes were spread over the whole circle, both ends included, by mistake.
    """
    values, counts = np.unique(eastward, return_counts=True)
    columns = np.flatnonzero(eastward == values[counts.argmax()])
    for name, field in dataset.data_vars.items():
        corner = field.isel({d: 0 for d in field.dims if d not in ("latitude", "longitude")})
        first, *others = (corner.isel(longitude=column).values for column in columns)
        if not all(np.array_equal(first, other, equal_nan=True) for other in others):
            places = " and ".join(f"{longitude:g}" for longitude in dataset["longitude"].values[columns])
            held = f"{origin}: longitudes {places} are one place, but {name} differs there"
            apart = f"{eastward.size} columns around the circle lie {360 / eastward.size:g} degrees apart"
            raise UserError(f"{held}; correct the longitudes: {apart}")
