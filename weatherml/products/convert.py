"""From a forecast to a file that others read: NetCDF, GRIB2, zarr, or the layout of WeatherBench 2."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import xarray as xr
from zarr.codecs import BloscCodec

from weatherml.errors import REPLACE, UserError
from weatherml.products.grib import grib_bytes, write_grib
from weatherml.products.layouts import to_cf, to_weatherbench
from weatherml.products.reading import is_forecast
from weatherml.products.rounding import with_rounding_attributes
from weatherml.products.selection import (
    Region,
    fields_alone,
    from_0_to_360,
    in_one_piece,
    select_channels,
    select_region,
)
from weatherml.products.stations import Stations, at_stations
from weatherml.registry import nearest
from weatherml.storage.files import write_netcdf
from weatherml.storage.folders import replacing_folder
from weatherml.storage.locations import local_path
from weatherml.storage.locks import alone_at
from weatherml.storage.room import explaining_errors, require_space

Errors = dict[str, float]
"""The largest error that a format made in each channel, SI units; empty where it made none."""


@dataclass(frozen=True)
class Format:
    """A way to write forecasts.

    Attributes:
        write: To a path; returns the errors.
        n_bytes: Upper bound of the size.
    """

    write: Callable[[Path, xr.Dataset], Errors]
    n_bytes: Callable[[xr.Dataset], int]


def select(
    dataset: xr.Dataset,
    channels: Sequence[str] | None = None,
    region: Region | None = None,
    stations: Stations | None = None,
) -> xr.Dataset:
    """Return a part of a forecast, lazily; all of it where None.

    Raises:
        UserError: The forecast has no such channel, or no grid points there.
    """
    dataset = fields_alone(dataset)
    dataset = dataset if channels is None else select_channels(dataset, channels)
    dataset = dataset if region is None else select_region(dataset, region)
    return dataset if stations is None else at_stations(dataset, stations)


def convert(dataset: xr.Dataset, path: str | Path, layout: str = "canonical", overwrite: bool = False) -> Errors:
    """Write a forecast in the format that the ending of `path` names, chunk by chunk; it appears when it is whole.

    Args:
        dataset: A forecast of members or of statistics, or a part of one, with lazy chunks.
        path: `.nc`, `.grib2` or `.zarr`.
        layout: `canonical`, or `weatherbench2` for a zarr store as WeatherBench 2 reads it.
        overwrite: Replace what is at `path`.

    Returns:
        The largest error of each channel that the format itself made, SI units; only GRIB2 makes any.

    Raises:
        UserError: The format is unknown or cannot hold the forecast, something is at `path`, or there is no room.
    """
    path, dataset = local_path(path), fields_alone(dataset)
    chosen = _format_of(path, layout)
    _require_forecast(dataset)
    _require_replaceable(path, overwrite)
    require_space(path, chosen.n_bytes(dataset))
    with explaining_errors(path), alone_at(path):
        _require_replaceable(path, overwrite)  # once more: another process may have been at it
        return chosen.write(path, with_rounding_attributes(dataset))


def _format_of(path: Path, layout: str) -> Format:
    if layout not in LAYOUTS:
        raise UserError(f"unknown layout {layout!r}{nearest(layout, LAYOUTS)}")
    formats = LAYOUTS[layout]
    if path.suffix not in formats:
        raise UserError(
            f"{path}: forecasts in {layout} layout cannot end in {path.suffix!r}; choose one of {', '.join(formats)}"
        )
    return formats[path.suffix]


def _write_netcdf(path: Path, dataset: xr.Dataset) -> Errors:
    # HDF5 writes one chunk at a time; threads would only read ahead and hold what they have read.
    with dask.config.set(scheduler="synchronous"):
        write_netcdf(path, to_cf(in_one_piece(dataset)))
    return {}


def _write_canonical(path: Path, dataset: xr.Dataset) -> Errors:
    """Write a store that `open_forecast` opens."""
    marks = {"variables": list(map(str, dataset.data_vars)), "complete": True}
    compressors = [BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle")]
    encoding = {name: {"compressors": compressors} for name in dataset.data_vars}
    marked = _with_text_of_any_length(from_0_to_360(dataset)).assign_attrs(marks)
    _write_zarr(path, marked, zarr_format=3, consolidated=False, encoding=encoding)
    return {}


def _write_weatherbench(path: Path, dataset: xr.Dataset) -> Errors:
    """Write a store of zarr v2 with consolidated metadata, as those published are."""
    _write_zarr(path, to_weatherbench(in_one_piece(dataset)), zarr_format=2, consolidated=True)
    return {}


def _write_zarr(path: Path, dataset: xr.Dataset, **options: Any) -> None:
    with replacing_folder(path) as folder:
        _chunked(dataset).to_zarr(folder, mode="w", **options)


def _chunked(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset in chunks of one initial time, of leads and members as they are, and of whole maps."""
    whole = {
        dim: -1 for dim in dataset.dims if dim not in ("lead_time", "prediction_timedelta", "number", "realization")
    }
    first = {dim: 1 for dim in ("init_time", "time") if dim in dataset.dims}
    chunked = dataset.drop_encoding().chunk({**whole, **first})
    return chunked.assign({name: field.chunk(_even(field)) for name, field in chunked.data_vars.items()})


def _even(field: xr.DataArray) -> dict[Hashable, int]:
    """Return the longest chunk along each dimension; zarr has one length, GRIB2 holds the control apart."""
    return {dim: max(lengths) for dim, lengths in field.variable.chunksizes.items()}


def _with_text_of_any_length(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset with text, such as names of stations, in the one type that zarr v3 specifies for it."""
    fixed = [name for name, variable in dataset.variables.items() if variable.dtype.kind == "U"]
    return dataset.assign({name: dataset[name].astype(object) for name in fixed})


_NETCDF = Format(_write_netcdf, lambda dataset: dataset.nbytes)
_GRIB = Format(lambda path, dataset: write_grib(path, in_one_piece(dataset)), grib_bytes)
LAYOUTS: dict[str, dict[str, Format]] = {
    "canonical": {
        ".nc": _NETCDF,
        ".grib2": _GRIB,
        ".zarr": Format(_write_canonical, lambda dataset: dataset.nbytes),
    },
    "weatherbench2": {".zarr": Format(_write_weatherbench, lambda dataset: dataset.nbytes)},
}
"""Formats by layout and ending."""


def _require_forecast(dataset: xr.Dataset) -> None:
    """Require that there is something to write, along the dimensions of forecasts."""
    empty = [str(dim) for dim, size in dataset.sizes.items() if not size]
    if empty or not dataset.data_vars:
        raise UserError(f"there is nothing to write: no {' and no '.join(empty) or 'field'} was selected")
    absent = [dim for dim in ("init_time", "lead_time") if dim not in dataset.dims]
    if absent:
        raise UserError(f"a forecast has the dimension {absent[0]!r}; select one with a list, isel({absent[0]}=[0])")


def _require_replaceable(path: Path, overwrite: bool) -> None:
    """Require that there is nothing at `path`, or a forecast that may be replaced, and that it lies in no store.

    Raises:
        UserError: It holds something else.
    """
    if _holds_something(path) and not is_forecast(path):
        raise UserError(f"output {path} exists and is no forecast, so it is not replaced; choose another path")
    if path.exists() and not overwrite:
        raise UserError(f"output {path} exists", "choose another path", REPLACE)
    store = next((parent for parent in path.absolute().parents if _is_store(parent)), None)
    if store is not None:
        raise UserError(f"output {path} would lie inside the store {store}; choose another path")


def _holds_something(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists() and path.stat().st_size > 0


def _is_store(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("zarr.json", ".zgroup"))
