"""Fields whose points are one long row, as anemoi-inference writes them, on the rows and columns that they came from.

Its NetCDF and zarr outputs have dimensions `(time, values)`, and the latitude and longitude of each value
(`outputs/netcdf.py` and `outputs/zarr.py` of github.com/ecmwf/anemoi-inference).
"""

from itertools import pairwise

import numpy as np
import xarray as xr
from scipy.sparse import csr_array

from weatherml.data.notes import noted
from weatherml.errors import Option, UserError
from weatherml.products.foreign.told import Points

_SAME = 1e-3
"""Degrees; coordinates are float32."""


def on_rows_and_columns(raw: xr.Dataset, place: str, points: Points = "refuse") -> xr.Dataset:
    """Return fields along one dimension of points along latitude and longitude, lazily; others as they are.

    Args:
        raw: With the latitude and longitude of each point, degrees.
        place: Where it lies, for messages.
        points: What becomes of rows of different lengths.

    Raises:
        UserError: The points are no rows and columns, nor rows alone where those are asked for.
    """
    if not {"latitude", "longitude"} <= set(raw.variables) or "station" in raw.dims:
        return raw
    dims = raw["latitude"].dims
    if len(dims) != 1 or raw["longitude"].dims != dims:
        return raw
    latitude, longitude = (raw[name].values.astype(np.float64) for name in ("latitude", "longitude"))
    found = _shape(latitude, longitude)
    if found is None:
        return _with_even_rows(raw, latitude, longitude, _lengths(latitude, longitude, place, points))
    shape, is_by_rows = found
    order = ("latitude", "longitude") if is_by_rows else ("longitude", "latitude")
    along, width = str(dims[0]), shape[1]
    first_of = {order[0]: slice(None, None, width), order[1]: slice(None, width)}
    coords = {name: (name, raw[name].values[first_of[name]], raw[name].attrs) for name in order}
    fields = {n: _unravelled(f, along, order, shape) for n, f in raw.data_vars.items() if along in f.dims}
    along_points = [name for name, own in raw.variables.items() if along in own.dims]
    return raw.drop_vars(along_points).assign_coords(coords).assign(fields)


def _shape(latitude: np.ndarray, longitude: np.ndarray) -> tuple[tuple[int, int], bool] | None:
    """Return how many points lie side by side how often, and whether it is rows that follow each other; else None."""
    for slow, fast, is_by_rows in ((latitude, longitude, True), (longitude, latitude, False)):
        changes = np.flatnonzero(np.abs(np.diff(slow)) > _SAME)
        width = int(changes[0]) + 1 if changes.size else slow.size
        if slow.size % width:
            continue
        table = slow.reshape(-1, width), fast.reshape(-1, width)
        if np.ptp(table[0], axis=1).max() <= _SAME and np.ptp(table[1], axis=0).max() <= _SAME:
            return (table[0].shape[0], width), is_by_rows
    return None


def _lengths(latitude: np.ndarray, longitude: np.ndarray, place: str, points: Points) -> np.ndarray:
    """Return how many points each row of a reduced grid has, `[row]`.

    Raises:
        UserError: They are no such rows, or nobody asks for them.
    """
    starts = np.concatenate([[0], np.flatnonzero(np.abs(np.diff(latitude)) > _SAME) + 1, [latitude.size]])
    rows = [longitude[first:last] for first, last in pairwise(starts)]
    if not all(np.allclose(np.diff(row), 360 / row.size, rtol=0, atol=_SAME) for row in rows):
        raise UserError(
            f"{place} has {latitude.size} points that are no rows; bring it to latitude-longitude where it is written,"
            " or with another tool, such as cdo remapdis"
        )
    if points != "interpolate":
        raise UserError(
            f"{place} has {latitude.size} points in rows of {min(map(len, rows))} to {max(map(len, rows))}, as on a"
            " reduced Gaussian grid (O96, N320)",
            "bring it to latitude-longitude where it is written",
            Option("points", "interpolate", "to interpolate along each row"),
        )
    return np.diff(starts)


def _with_even_rows(raw: xr.Dataset, latitude: np.ndarray, longitude: np.ndarray, lengths: np.ndarray) -> xr.Dataset:
    """Return fields with as many columns in each row as the longest has, from 0 degrees on, lazily."""
    (along,) = map(str, raw["latitude"].dims)
    starts = np.cumsum([0, *lengths[:-1]])
    shape = lengths.size, int(lengths.max())
    coords = {
        "latitude": ("latitude", raw["latitude"].values[starts], raw["latitude"].attrs),
        "longitude": ("longitude", 360 / shape[1] * np.arange(shape[1]), raw["longitude"].attrs),
    }
    weights = _along_rows(longitude[starts], lengths, starts)
    fields = {n: _interpolated(f, along, weights, shape) for n, f in raw.data_vars.items() if along in f.dims}
    along_points = [name for name, own in raw.variables.items() if along in own.dims]
    told = f"rows of {lengths.min()} to {shape[1]} points were interpolated linearly to {shape[1]} columns"
    return noted(raw.drop_vars(along_points).assign_coords(coords).assign(fields), told)


def _along_rows(first: np.ndarray, lengths: np.ndarray, starts: np.ndarray) -> csr_array:
    """Return what each column of each row takes of the two points beside it, `[row * column, point]`.

    Args:
        first: Longitude of the first point of each row, degrees `[row]`.
        lengths: Points of each row.
        starts: Where rows begin.
    """
    n_columns = int(lengths.max())
    places = (360 / n_columns * np.arange(n_columns) - first[:, None]) / 360 * lengths[:, None]
    places = np.where(np.abs(places - np.round(places)) < 1e-6, np.round(places), places)
    west = np.floor(places).astype(int)
    share = places - west
    columns = [starts[:, None] + (west + step) % lengths[:, None] for step in (0, 1)]
    rows = np.tile(np.arange(places.size), 2)
    values = np.concatenate([(1 - share).ravel(), share.ravel()])
    weights = csr_array(
        (values, (rows, np.concatenate([own.ravel() for own in columns]))), (places.size, lengths.sum())
    )
    weights.eliminate_zeros()
    return weights


def _interpolated(field: xr.DataArray, along: str, weights: csr_array, shape: tuple[int, int]) -> xr.DataArray:
    def apply(block: np.ndarray) -> np.ndarray:
        rows = weights @ block.reshape(-1, block.shape[-1]).T.astype(np.float64)
        return np.ascontiguousarray(rows.T, np.float32).reshape(*block.shape[:-1], *shape)

    result: xr.DataArray = xr.apply_ufunc(
        apply,
        field.chunk({along: -1}) if field.chunks is not None else field,
        input_core_dims=[[along]],
        output_core_dims=[["latitude", "longitude"]],
        keep_attrs=True,
        dask="parallelized",
        output_dtypes=[np.float32],
        dask_gufunc_kwargs={"output_sizes": {"latitude": shape[0], "longitude": shape[1]}},
    )
    return result.drop_vars(["latitude", "longitude"], errors="ignore")


def _unravelled(field: xr.DataArray, along: str, order: tuple[str, str], shape: tuple[int, int]) -> xr.Variable:
    """Return a field whose dimension of points is two."""
    leading = [dim for dim in field.dims if dim != along]
    whole = (field.chunk({along: -1}) if field.chunks is not None else field).transpose(*leading, along).variable
    return xr.Variable((*leading, *order), whole.data.reshape(*whole.shape[:-1], *shape), field.attrs)
