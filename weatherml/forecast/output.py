"""Where forecasts go: a dataset in memory, or a zarr store that is filled chunk by chunk and appears when whole."""

import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec

from weatherml.data.atomic import PARTIAL
from weatherml.errors import UserError
from weatherml.state import StateSpec, to_dataset, with_metadata

_CHUNK_BYTES = 64 * 2**20
_TIME_ENCODING = {"units": "seconds since 1970-01-01", "dtype": "int64"}


@dataclass(frozen=True, eq=False)
class Layout:
    """The axes of a forecast, and the pieces in which it arrives.

    Attributes:
        spec: The channels that are kept.
        init_times: `datetime64[ns]` [init_time].
        lead_times: `timedelta64[ns]` [lead_time].
        numbers: Members, int64 [number].
        chunk: Leads and members that arrive together.
    """

    spec: StateSpec
    init_times: np.ndarray
    lead_times: np.ndarray
    numbers: np.ndarray
    chunk: tuple[int, int]

    @property
    def coords(self) -> dict[str, np.ndarray]:
        """Values of the leading dimensions in canonical order."""
        return {"init_time": self.init_times, "lead_time": self.lead_times, "number": self.numbers}

    @property
    def shape(self) -> tuple[int, ...]:
        """(init_time, lead_time, number, channel, lat, lon)."""
        return (*map(len, self.coords.values()), *self.spec.shape)

    @property
    def n_bytes(self) -> int:
        """Size of all fields, not compressed."""
        return 4 * math.prod(self.shape)

    @cached_property
    def cell(self) -> xr.Dataset:
        """One initial time, lead and member: the names, dimensions and attributes of the fields."""
        first = {name: values[:1] for name, values in self.coords.items()}
        return to_dataset(np.zeros((1, 1, 1, *self.spec.shape), np.float32), self.spec, first)


class Output(Protocol):
    """Takes a forecast piece by piece from one writer."""

    n_waves: int
    """How many waves are already there; 0 unless an interrupted forecast is resumed."""

    def write(self, start: tuple[int, int, int], values: np.ndarray) -> None:
        """Place `[lead, number, channel, lat, lon]`, SI units, at positions along init_time, lead_time and number."""

    def end_wave(self, failures: Sequence[str]) -> None:
        """Note that a wave is whole, and which of its members failed."""

    def finish(self) -> xr.Dataset:
        """Return the forecast once everything is written."""


class MemoryOutput:
    """Holds the forecast in memory."""

    def __init__(self, layout: Layout, attributes: Mapping[str, Any]) -> None:
        self.n_waves = 0
        self._layout, self._attributes = layout, dict(attributes)
        self._array = np.empty(layout.shape, np.float32)
        self._failures: list[str] = []

    def write(self, start: tuple[int, int, int], values: np.ndarray) -> None:
        """Place `[lead, number, channel, lat, lon]`, SI units, at positions along init_time, lead_time and number."""
        init, lead, number = start
        self._array[init, lead : lead + values.shape[0], number : number + values.shape[1]] = values

    def end_wave(self, failures: Sequence[str]) -> None:
        """Note which members of a wave failed."""
        self.n_waves += 1
        self._failures.extend(failures)

    def finish(self) -> xr.Dataset:
        """Return the forecast."""
        dataset = to_dataset(self._array, self._layout.spec, self._layout.coords)
        return dataset.assign_attrs(self._attributes, failed=self._failures)


class StoreOutput:
    """Fills a zarr v3 store under a temporary name, which becomes `path` when the forecast is whole.

    A forecast that was interrupted is resumed at the first wave that is not whole, if it is the same forecast.

    Args:
        path: The store to be.
        layout: What it will hold.
        attributes: Global attributes; they tell whether an interrupted forecast is the same.
        overwrite: Replace what is at `path` in the end, and another forecast that was interrupted there now.

    Raises:
        UserError: Something is at `path`, another forecast was interrupted there, or there is no room.
    """

    def __init__(self, path: Path, layout: Layout, attributes: Mapping[str, Any], overwrite: bool) -> None:
        if path.exists() and not overwrite:
            raise UserError(f"output {path} exists; choose another path, or pass overwrite (--overwrite) to replace it")
        self._path, self._partial, self._layout = path, path.with_name(f".{path.name}{PARTIAL}"), layout
        self._attributes = dict(attributes)
        with explaining_errors(path):
            self._group = self._resume(overwrite)
            self._arrays = dict(self._group.arrays())
            self.n_waves = self._attribute("n_waves")

    def write(self, start: tuple[int, int, int], values: np.ndarray) -> None:
        """Place `[lead, number, channel, lat, lon]`, SI units, at positions along init_time, lead_time and number."""
        init, lead, number = start
        leads, numbers = slice(lead, lead + values.shape[0]), slice(number, number + values.shape[1])
        layout = self._layout
        coords = {
            "init_time": layout.init_times[init : init + 1],
            "lead_time": layout.lead_times[leads],
            "number": layout.numbers[numbers],
        }
        piece = to_dataset(values[None], layout.spec, coords)
        with explaining_errors(self._path):
            for name, field in piece.data_vars.items():
                self._arrays[str(name)][init : init + 1, leads, numbers] = field.values

    def end_wave(self, failures: Sequence[str]) -> None:
        """Note that a wave is whole, and which of its members failed."""
        self.n_waves += 1
        failed = [*self._attribute("failed"), *failures]
        with explaining_errors(self._path):
            self._group.attrs.update({"n_waves": self.n_waves, "failed": failed})

    def finish(self) -> xr.Dataset:
        """Give the store its name, and open it."""
        with explaining_errors(self._path):
            self._group.attrs.update({"complete": True})
            put_in_place(self._partial, self._path)
        return open_forecast(self._path)

    def _attribute(self, name: str) -> Any:
        return self._group.attrs[name]

    def _resume(self, overwrite: bool) -> zarr.Group:
        if self._is_begun():
            return zarr.open_group(self._partial, mode="r+")
        if self._partial.exists() and not overwrite:
            raise UserError(
                f"{self._partial} holds part of another forecast; choose another path, or pass overwrite (--overwrite)"
                " to drop it"
            )
        shutil.rmtree(self._partial, ignore_errors=True)
        require_space(self._path, self._layout.n_bytes)
        n_leads, n_numbers = self._layout.chunk
        chunk = {"init_time": 1, "lead_time": n_leads, "number": n_numbers}
        return create_store(self._partial, self._layout.cell, self._layout.coords, chunk, self._attributes)

    def _is_begun(self) -> bool:
        """Return whether this very forecast was interrupted here."""
        try:
            found: object = zarr.open_group(self._partial, mode="r").attrs.get("request")
        except (FileNotFoundError, zarr.errors.GroupNotFoundError):
            return False
        return bool(found == self._attributes["request"])


@contextmanager
def explaining_errors(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into one line that says what to do."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; make room, then run the same forecast again"
        ) from error


def put_in_place(partial: Path, path: Path) -> None:
    """Give a whole folder its name; what is there already goes only then."""
    old = path.with_name(f".{path.name}.old")
    if path.exists():
        os.replace(path, old)
    os.replace(partial, path)
    shutil.rmtree(old, ignore_errors=True)


def open_forecast(path: str | Path) -> xr.Dataset:
    """Open a forecast store, lazily.

    Raises:
        UserError: There is none, or it is not finished.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}{PARTIAL}")
    if not path.exists() and partial.exists():
        raise UserError(f"forecast {path} is not finished; run the same forecast again to resume it")
    try:
        complete = zarr.open_group(path, mode="r").attrs.get("complete")
    except (FileNotFoundError, zarr.errors.GroupNotFoundError):
        raise UserError(f"{path} is no zarr store; pass a path that a forecast was written to") from None
    if complete is not True:
        raise UserError(f"{path} is no finished forecast; pass a path that a forecast was written to")
    dataset: xr.Dataset = xr.open_zarr(path, consolidated=False, decode_timedelta=True)
    dataset = dataset[dataset.attrs.pop("variables")]  # a directory does not keep their order
    dataset["valid_time"].load()
    del dataset.attrs["n_waves"], dataset.attrs["complete"]
    return dataset


def create_store(
    path: Path,
    cell: xr.Dataset,
    coords: Mapping[str, np.ndarray],
    chunk: Mapping[str, int],
    attributes: Mapping[str, Any],
) -> zarr.Group:
    """Declare a forecast store without its values.

    Args:
        path: The store.
        cell: Its fields at one place along `coords`: names, other dimensions, types and attributes.
        coords: Values of the leading dimensions.
        chunk: Length of a chunk along them; the other dimensions stay whole.
        attributes: Global attributes.
    """
    others = {name: cell[name] for name in cell.coords if name not in (*coords, "valid_time")}
    frame = with_metadata(xr.Dataset(coords={**coords, **others}))
    for times in ("init_time", "valid_time"):
        frame[times].encoding = dict(_TIME_ENCODING)
    frame.to_zarr(path, zarr_format=3, consolidated=False, mode="w-")
    group = zarr.open_group(path, mode="r+")
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
    bookkeeping: dict[str, Any] = {"variables": list(map(str, cell.data_vars)), "n_waves": 0, "complete": False}
    group.attrs.update({**attributes, "failed": [], **bookkeeping})
    return group


def _chunks(sizes: Mapping[str, int], chunk: Mapping[str, int]) -> tuple[int, ...]:
    """Return chunks of one initial time, as many leads and members as arrive together, and whole maps of all levels."""
    chunks = {dim: chunk.get(dim, size) for dim, size in sizes.items()}
    if "number" in chunks and 4 * math.prod(chunks.values()) > _CHUNK_BYTES:
        chunks["number"] = 1
    return tuple(chunks.values())


def require_space(path: Path, n_bytes: int) -> None:
    """Require that the disk has room for an output.

    Raises:
        UserError: It has not.
    """
    existing = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(existing).free
    if n_bytes > free:
        raise UserError(
            f"output {path} needs up to {n_bytes / 1e9:.3g} GB and {existing} has {free / 1e9:.3g} GB free;"
            " make room, or keep fewer channels, leads or members"
        )
