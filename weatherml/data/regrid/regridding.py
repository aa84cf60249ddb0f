"""Datasets on another grid, lazily where they are lazy."""

from typing import Literal

import numpy as np
import xarray as xr

from weatherml.data.regrid.regridder import Regridder
from weatherml.data.regrid.weights import METHODS
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.registry import nearest

Method = Literal["conservative", "bilinear", "nearest"]
"""conservative keeps area integrals; bilinear interpolates between points; nearest takes values as they are."""

_HORIZONTAL = ("latitude", "longitude")
_CATEGORIES = ("soil_type",)  # numbers that stand for kinds have no mean


def regrid(
    dataset: xr.Dataset, grid: LatLonGrid | str, method: Method = "conservative", min_valid_fraction: float = 0.5
) -> xr.Dataset:
    """Return a dataset on another grid; leading dimensions, their order and attributes stay.

    Columns go round the globe. NaN is missing area: a point is the mean of the values in its cell, and missing where
    they fill less than `min_valid_fraction` of it. Kinds (soil types) are taken from the nearest point. Wind is
    regridded as two scalars.

    Args:
        dataset: With `latitude` 90 to -90 and `longitude` 0 to 360, whatever else; fields without both pass unchanged.
        grid: The grid, or its name, such as `1.5deg`, `121x240` or `gaussian 32x64`.
        method: How.
        min_valid_fraction: From 0 (any value suffices) to 1 (no gap allowed).

    Raises:
        UserError: The grid or method is unknown, or the dataset does not cover the grid.
    """
    target = grid if isinstance(grid, LatLonGrid) else LatLonGrid.named(grid)
    if method not in METHODS:
        raise UserError(f"unknown method of regridding {method!r}{nearest(method, METHODS)}")
    source = LatLonGrid.from_dataset(dataset)
    fields = {name: _field(f, source, target, method, min_valid_fraction) for name, f in dataset.data_vars.items()}
    coordinates = {"latitude": np.asarray(target.latitude), "longitude": np.asarray(target.longitude)}
    kept = dataset.drop_vars(
        [*dataset.data_vars, *(c for c in dataset.coords if set(dataset[c].dims) & set(_HORIZONTAL))]
    )
    result = kept.assign(fields).assign_coords(coordinates)
    for name in _HORIZONTAL:
        result[name].attrs = dict(dataset[name].attrs)
    return result.assign_attrs(regridding=_told(method, source))


def _field(
    field: xr.DataArray, source: LatLonGrid, target: LatLonGrid, method: str, min_valid_fraction: float
) -> xr.DataArray:
    if not set(_HORIZONTAL) <= set(field.dims):
        return field
    if field.chunks is not None:
        field = field.chunk(dict.fromkeys(_HORIZONTAL, -1))  # a piece of an output field needs whole input fields
    own = "nearest" if field.name in _CATEGORIES else method
    result: xr.DataArray = xr.apply_ufunc(
        Regridder(source, target, own, min_valid_fraction),
        field,
        input_core_dims=[_HORIZONTAL],
        output_core_dims=[_HORIZONTAL],
        exclude_dims=set(_HORIZONTAL),
        keep_attrs=True,
        dask="parallelized",
        output_dtypes=[np.float32],
        dask_gufunc_kwargs={"output_sizes": dict(zip(_HORIZONTAL, target.shape, strict=True))},
    )
    return result.transpose(*field.dims).assign_attrs(regridding=_told(own, source))


def _told(method: str, source: LatLonGrid) -> str:
    return f"{method}, from {source.n_lat} x {source.n_lon}"
