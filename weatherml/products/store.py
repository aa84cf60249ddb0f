"""Forecast stores: declared, opened, and read without the members that stopped."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.abc.store import Store
from zarr.codecs import BloscCodec

from weatherml.data.reading.formats.local import open_zarr
from weatherml.data.reading.formats.remote import open_remote
from weatherml.durations import format_duration
from weatherml.errors import REPLACE, Option, UserError
from weatherml.state import with_metadata
from weatherml.storage.files import PARTIAL, write_bytes
from weatherml.storage.folders import locate
from weatherml.storage.locations import as_url, is_url, local_folder

RUN = "run"
"""The attribute that names the run which has made a forecast: two runs of the same request differ in it alone."""

CONVERTED = (".nc", ".grib2")
"""Endings of the files that `convert` makes of a forecast store."""

_CHUNK_BYTES = 64 * 2**20


_TIME_ENCODING = {"units": "seconds since 1970-01-01", "dtype": "int64"}


def open_forecast(path: str | Path) -> xr.Dataset:
    """Open a forecast store, lazily.

    Raises:
        UserError: There is none, or it is not finished.
    """
    if is_url(path):
        return from_store(open_remote(as_url(path)), as_url(path))
    path = locate(Path(path))
    if not path.exists() and unfinished_beside(path).exists():
        raise UserError(f"forecast {path} is not finished; run the same forecast again to resume it")
    try:
        complete = zarr.open_group(path, mode="r").attrs.get("complete")
    except (FileNotFoundError, zarr.errors.GroupNotFoundError):
        raise UserError(f"{path} is no zarr store; pass a path that a forecast was written to") from None
    if complete is not True:  # an unfinished one may lack what xarray needs to open it
        raise UserError(f"{path} is no finished forecast; pass a path that a forecast was written to")
    return from_store(open_zarr(path), str(path))


def from_store(stored: xr.Dataset, place: str) -> xr.Dataset:
    """Return the forecast that a store holds, without the marks of one.

    Raises:
        UserError: It is not finished.
    """
    if stored.attrs.get("complete") is not True:
        raise UserError(f"{place} is no finished forecast; pass a path that a forecast was written to")
    dataset: xr.Dataset = xr.decode_cf(stored, decode_timedelta=True)
    dataset = dataset[dataset.attrs.pop("variables")]  # a directory does not keep their order
    dataset["valid_time"].load()
    del dataset.attrs["complete"]
    dataset.attrs.pop(RUN, None)
    return dataset


def unfinished_beside(path: Path) -> Path:
    """Return where a forecast is made that will be at `path`."""
    path = path.absolute()
    return path.parent / f".{path.name}{PARTIAL}"


def create_store(
    store: Path | Store,
    cell: xr.Dataset,
    coords: Mapping[str, np.ndarray],
    chunk: Mapping[str, int],
    attributes: Mapping[str, Any],
) -> zarr.Group:
    """Declare a forecast store without its values.

    Args:
        store: The store.
        cell: Its fields at one place along `coords`: names, other dimensions, types and attributes.
        coords: Values of the leading dimensions.
        chunk: Length of a chunk along them; the other dimensions stay whole.
        attributes: Global attributes.
    """
    frame = _frame(cell, coords)
    for times in ("init_time", "valid_time"):
        frame[times].encoding = dict(_TIME_ENCODING)
    frame.to_zarr(store, zarr_format=3, consolidated=False, mode="w-")
    group = zarr.open_group(store, mode="r+")
    for name, field in cell.data_vars.items():
        sizes = {str(d): frame.sizes[d] for d in field.dims}
        group.create_array(
            str(name),
            shape=tuple(sizes.values()),
            chunks=_chunks(sizes, chunk),
            dtype=field.dtype,
            fill_value=np.nan if field.dtype.kind == "f" else 0,
            compressors=BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle"),
            dimension_names=tuple(sizes),
            attributes={**field.attrs, "coordinates": "valid_time"},
        )
    group.attrs.update({**attributes, "variables": list(map(str, cell.data_vars)), "failed": [], "complete": False})
    return group


def add_coordinates(store: Path | Store, coords: Mapping[str, xr.Variable]) -> None:
    """Add coordinates along dimensions that a store has."""
    if coords:
        known = dict(zarr.open_group(store, mode="r").attrs)
        xr.Dataset(coords=coords).to_zarr(
            store, zarr_format=3, consolidated=False, mode="a"
        )  # which forgets attributes
        zarr.open_group(store, mode="r+").attrs.update({**known, "coordinates": " ".join(coords)})


def empty_dataset(cell: xr.Dataset, coords: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Return what a store would hold, in memory, without its values; see `create_store`."""
    frame = _frame(cell, coords)
    for name, field in cell.data_vars.items():
        shape = tuple(frame.sizes[dim] for dim in field.dims)
        frame[name] = xr.Variable(field.dims, np.empty(shape, field.dtype), field.attrs)
    return frame


def _frame(cell: xr.Dataset, coords: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Return the coordinates of a forecast."""
    others = {name: cell[name] for name in cell.coords if name not in (*coords, "valid_time")}
    return with_metadata(xr.Dataset(coords={**coords, **others}))


def _chunks(sizes: Mapping[str, int], chunk: Mapping[str, int]) -> tuple[int, ...]:
    """Return chunks of one initial time, as many leads and members as arrive together, and whole maps of all levels."""
    chunks = {dim: chunk.get(dim, size) for dim, size in sizes.items()}
    if "number" in chunks and 4 * math.prod(chunks.values()) > _CHUNK_BYTES:
        chunks["number"] = 1
    return tuple(chunks.values())


def without_stopped(forecast: xr.Dataset) -> xr.Dataset:
    """Return a forecast without the members that stopped, whatever their initial time.

    Scores of the others are those of members that behaved; the share of those that did not belongs beside them.
    Statistics have never counted a member from where it stopped on, and are returned as they are.

    Raises:
        UserError: All members stopped.
    """
    if "number" not in forecast.dims:
        return forecast
    stopped = stopped_numbers(forecast)
    kept = [number for number in forecast["number"].values.tolist() if number not in stopped]
    if not kept:
        raise UserError(
            f"all members stopped, {len(stopped)} in number, so that none is left",
            "train the model longer",
            *_less_far(forecast),
        )
    return forecast.sel(number=kept)


def _less_far(forecast: xr.Dataset) -> tuple[Option, ...]:
    """Return the longest lead time before which some member stopped from no initial time, as a remedy; none if zero."""
    if "stopped_lead" not in forecast.coords:
        return ()
    stops = forecast["stopped_lead"].fillna(np.timedelta64(2**62, "ns")).min("init_time").max().values
    before = [lead for lead in forecast["lead_time"].values if 0 < lead.astype(int) and lead < stops]
    return tuple(Option("forecast.lead_time", format_duration(lead), "to forecast less far") for lead in before[-1:])


def stopped_numbers(forecast: xr.Dataset) -> frozenset[int]:
    """Return the members that stopped, at any initial time; as values show them where the format says nothing."""
    if "stopped_lead" in forecast.coords:
        has_stopped = forecast["stopped_lead"].notnull().any("init_time")
        return frozenset(forecast["number"].values[has_stopped.values].tolist())
    if "failed" in forecast.attrs and not len(forecast.attrs["failed"]):
        return frozenset()
    field = next(iter(forecast.data_vars.values()))
    others = [dim for dim in field.dims if dim not in ("init_time", "lead_time", "number")]
    is_missing = field.isel(lead_time=-1).isnull().all(others).any("init_time")
    return frozenset(forecast["number"].values[is_missing.values].tolist())


def forecast_folder(place: str | Path) -> Path:
    """Return the path that a forecast may be written to.

    Raises:
        UserError: It is a URL, or a name of files.
    """
    store = Path(place).with_suffix(".zarr")
    is_convertible = Path(place).suffix in CONVERTED
    file = place if is_convertible else Path(place).with_suffix(CONVERTED[0])
    others = "" if is_convertible else f", or {' or '.join(CONVERTED[1:])}, what convert writes"
    convert = f"write {store}, then: weatherml convert {store} -o {file}{others}"
    return local_folder(place, "a zarr store, which goes on after an interruption,", convert)


def require_free(path: Path, overwrite: bool) -> None:
    """Require that a forecast can be written to `path`: before anything is read, computed or made.

    Only forecasts, and empty folders, are ever replaced: a slip must not cost the analyses or a checkpoint.

    Raises:
        UserError: Something is there that may not be replaced, or the folder cannot be written.
    """
    if path.exists() and "forecast_config" not in attributes_of(path) and not _is_empty(path):
        raise UserError(f"output {path} exists and is no forecast, so it is not replaced; choose another path")
    if path.exists() and not overwrite:
        resume = Option("resume", purpose="if it is this very forecast")
        raise UserError(f"output {path} exists", "choose another path", REPLACE, resume)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise UserError(f"output {path} cannot be written: {folder} is a file; choose another path")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"output {path} cannot be written: {folder} is not writable; choose another path")


def attributes_of(path: Path) -> dict[str, Any]:
    """Return the global attributes of a forecast store; none where there is no zarr v3 store."""
    try:
        attributes: dict[str, Any] = json.loads((path / "zarr.json").read_bytes())["attributes"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return attributes


def holds(path: Path, request: str) -> bool:
    """Return whether a very forecast is at a path, by its attribute `request`."""
    found = attributes_of(path)
    return bool(found.get("complete")) and found.get("request") == request


def token_at(path: Path) -> str | None:
    """Return the token of the run that has made the forecast at a path; None where there is none."""
    token: str | None = attributes_of(path).get(RUN)
    return token


def mark_complete(path: Path, attributes: Mapping[str, Any], token: str) -> None:
    """Say that a forecast store has all its values, and which run has made it.

    Args:
        path: The store.
        attributes: Further global attributes.
        token: Of the run.

    Raises:
        UserError: It cannot be written.
    """
    file = path / "zarr.json"
    metadata = json.loads(file.read_bytes())
    metadata["attributes"] |= {**attributes, RUN: token, "complete": True}
    write_bytes(file, json.dumps(metadata, indent=2).encode())


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
