"""Fields whose points are one long row, as anemoi-inference writes them, on the rows and columns that they came from.

Its NetCDF and zarr outputs have dimensions `(time, values)`, and the latitude and longitude of each value
(`outputs/netcdf.py` and `outputs/zarr.py` of github.com/ecmwf/anemoi-inference).
"""

import numpy as np
import xarray as xr

from weatherml.errors import UserError

_SAME = 1e-3
"""Degrees; coordinates are float32."""


def on_rows_and_columns(raw: xr.Dataset, place: str) -> xr.Dataset:
    """Return fields along one dimension of points along latitude and longitude, lazily; others as they are.

    Raises:
        UserError: The points are no rows and columns, as those of a reduced grid.
    """
    if not {"latitude", "longitude"} <= set(raw.variables) or "station" in raw.dims:
        return raw
    dims = raw["latitude"].dims
    if len(dims) != 1 or raw["longitude"].dims != dims:
        return raw
    latitude, longitude = (raw[name].values.astype(np.float64) for name in ("latitude", "longitude"))
    shape, is_by_rows = _shape(latitude, longitude, place)
    order = ("latitude", "longitude") if is_by_rows else ("longitude", "latitude")
    along, width = str(dims[0]), shape[1]
    first_of = {order[0]: slice(None, None, width), order[1]: slice(None, width)}
    coords = {name: (name, raw[name].values[first_of[name]], raw[name].attrs) for name in order}
    fields = {n: _unravelled(f, along, order, shape) for n, f in raw.data_vars.items() if along in f.dims}
    along_points = [name for name, own in raw.variables.items() if along in own.dims]
    return raw.drop_vars(along_points).assign_coords(coords).assign(fields)


def _shape(latitude: np.ndarray, longitude: np.ndarray, place: str) -> tuple[tuple[int, int], bool]:
    """Return how many points lie side by side how often, and whether it is rows that follow each other.

    Raises:
        UserError: They do not.
    """
    for slow, fast, is_by_rows in ((latitude, longitude, True), (longitude, latitude, False)):
        changes = np.flatnonzero(np.abs(np.diff(slow)) > _SAME)
        width = int(changes[0]) + 1 if changes.size else slow.size
        if slow.size % width:
            continue
        table = slow.reshape(-1, width), fast.reshape(-1, width)
        if np.ptp(table[0], axis=1).max() <= _SAME and np.ptp(table[1], axis=0).max() <= _SAME:
            return (table[0].shape[0], width), is_by_rows
    raise UserError(
        f"{place} has {latitude.size} points that are no rows and columns, as those of a reduced Gaussian grid (O96,"
        " N320); bring it to latitude-longitude where it is written, or with another tool, such as cdo remapdis"
    )


def _unravelled(field: xr.DataArray, along: str, order: tuple[str, str], shape: tuple[int, int]) -> xr.Variable:
    """Return a field whose dimension of points is two."""
    leading = [dim for dim in field.dims if dim != along]
    whole = (field.chunk({along: -1}) if field.chunks is not None else field).transpose(*leading, along).variable
    return xr.Variable((*leading, *order), whole.data.reshape(*whole.shape[:-1], *shape), field.attrs)
