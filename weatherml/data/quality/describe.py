"""What a dataset is, in plain values: for people to read and programs to parse."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from weatherml.data.notes import LAYOUT, iso, notes, preliminary
from weatherml.data.reading.canonical import SOURCE_NAME
from weatherml.data.reading.selection import FORMAT
from weatherml.grid import LatLonGrid


def describe(dataset: xr.Dataset) -> dict[str, Any]:
    """Describe a canonical dataset without reading its values; the result is JSON-able.

    Keys, each only where it applies: format, variables (name, source_name, units, dims), grid, times (first, last, n,
    step), levels in hPa, members, unpacked (bytes of the fields in memory), regridding, derived, preliminary, layout.
    """
    fields = dataset.data_vars.values()
    description = {
        "format": ", ".join(notes(dataset, FORMAT)),
        "variables": [_describe_variable(field) for field in fields],
        "grid": _describe_grid(LatLonGrid.from_dataset(dataset)),
        "times": _describe_times(dataset["time"].values) if "time" in dataset.dims else {},
        "levels": dataset["level"].values.tolist() if "level" in dataset.dims else [],
        "members": dataset["number"].values.tolist() if "number" in dataset.dims else [],
        "unpacked": sum(field.nbytes for field in fields),
        "regridding": list(dict.fromkeys(str(f.attrs["regridding"]) for f in fields if "regridding" in f.attrs)),
        "derived": [_derivation(field) for field in fields if "derivation" in field.attrs],
        "preliminary": preliminary(dataset),
        "layout": notes(dataset, LAYOUT),
    }
    return {key: value for key, value in description.items() if value}


def _describe_variable(field: xr.DataArray) -> Mapping[str, Any]:
    return {
        "name": str(field.name),
        "source_name": str(field.attrs.get(SOURCE_NAME, field.name)),
        "units": str(field.attrs.get("units", "")),
        "dims": dict(zip(map(str, field.dims), field.shape, strict=True)),
    }


def _derivation(field: xr.DataArray) -> str:
    inputs = str(field.attrs.get("derived_from", "")).replace(" ", ", ")
    return f"{field.name}: {field.attrs['derivation']}" + (f", from {inputs}" if inputs else "")


def _describe_grid(grid: LatLonGrid) -> Mapping[str, Any]:
    return {
        "summary": f"{'global' if grid.is_global else 'regional'} {_kind(grid)}, {grid.n_lat} x {grid.n_lon}",
        "latitude": [grid.latitude[0], grid.latitude[-1]],
        "longitude": list(grid.west_east),
    }


def _kind(grid: LatLonGrid) -> str:
    rows = np.asarray(grid.latitude)
    if grid.n_lat > 1 and np.ptp(np.diff(rows)) < 1e-3:
        return f"regular {grid.resolution:g} degrees"
    if grid.is_global and np.allclose(rows, LatLonGrid.gaussian(*grid.shape).latitude, atol=1e-3):
        return f"Gaussian, {grid.n_lat // 2} rows a hemisphere"
    return "irregular"


def _describe_times(times: np.ndarray) -> Mapping[str, Any]:
    steps = np.unique(np.diff(times))
    described = {"first": iso(times[0]), "last": iso(times[-1]), "n": times.size}
    if steps.size == 1:
        return {**described, "step": f"{steps[0] / np.timedelta64(1, 'h'):g} h"}
    return {**described, "step": "irregular"} if steps.size else described
