"""What a store will consist of: how each variable lies in files, and what the files are that declare it."""

import warnings
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dask.array
import numpy as np
import numpy.typing as npt
import xarray as xr
from zarr.storage import MemoryStore

from weatherml.data.source import Source, piece_starts
from weatherml.data.store.layout import Layout, choose_shard_length, has_checksums
from weatherml.data.store.making.cutting import Part, cut, together
from weatherml.data.store.making.parts import require_constant_mask
from weatherml.data.store.manifest import FileNote, Manifest
from weatherml.errors import UserError
from weatherml.state import with_metadata
from weatherml.storage.places import Place
from weatherml.storage.share import Share

_TIMES_IN_A_CHUNK = 2**16
"""Of the coordinate: a store that grows writes no other chunk than the last, whose times so far stay as they are."""


@dataclass(frozen=True)
class StorePlan:
    """All files of a store, and how each is made.

    Attributes:
        source: Where the values come from.
        request: What is made: source, times, variables, length of shards; JSON values.
        layouts: Of every variable that varies with time.
        small: Content of the files that are small: what declares the arrays, coordinates, fields without time.
        missing: Where variables have no values at any time `[level, lat, lon]`; None where they have them everywhere.
    """

    source: Source
    request: Mapping[str, Any]
    layouts: tuple[Layout, ...]
    small: Mapping[str, bytes]
    missing: Mapping[str, npt.NDArray[np.bool_] | None]

    @property
    def shards(self) -> Iterator[str]:
        """Paths of the files of varying fields."""
        return (layout.file(index) for layout in self.layouts for index in range(layout.n_files))

    @property
    def files(self) -> list[str]:
        """Paths of all files."""
        return [*self.small, *self.shards]

    @property
    def n_files(self) -> int:
        """Number of all files."""
        return len(self.small) + sum(layout.n_files for layout in self.layouts)

    def parts(self, missing: Container[str], share: Share) -> list[list[Part]]:
        """Return the parts of a share that make missing shards, grouped by what they read, the earliest first.

        What a share has to make does not depend on what is missing: processes that start one after the other leave
        nothing out.
        """
        starts = {layout.name: piece_starts(self.source, layout.name) for layout in self.layouts}

        def left(part: Part) -> list[Part]:
            wanted = [i for i in range(part.first, part.end) if part.layout.file(i) in missing]
            return cut(part.layout, starts[part.layout.name], wanted)

        parts = [part for one in self.layouts for part in cut(one, starts[one.name], range(one.n_files))]
        groups = together(parts, self.source)
        own = [[rest for part in groups[position] for rest in left(part)] for position in share.of(len(groups))]
        return [group for group in own if group]

    def manifest(self, files: Mapping[str, FileNote]) -> Manifest:
        """Return the manifest of the store once all files are there."""
        request = {**self.request, "variables": tuple(self.request["variables"])}
        return Manifest(**request, files=dict(files))


def plan_store(source: Source, shard_length: int | None, place: Place) -> StorePlan:
    """Plan a store, having read the first time of the source.

    Args:
        source: Where the data come from.
        shard_length: Times in one file; chosen by size when None.
        place: Where the store is, or will be; arrays that are there keep their codecs.

    Raises:
        UserError: The source has no times, or static values that are infinite.
    """
    request = request_of(source)
    times = source.times()
    first = source.read(times[:1], source.variables()).drop_encoding()  # its values one variable after the other
    length = shard_length or choose_shard_length(first, len(times))
    layouts = [
        Layout.of(field, len(times), length, has_checksums(place, str(name))) for name, field in first.data_vars.items()
    ]
    small = _declarations(first, times, layouts, source.name)
    for layout in (one for one in layouts if one.is_static):
        values = first[layout.name].values.astype(np.float32)
        require_constant_mask(layout.name, values, np.isnan(values))
        small[layout.file(0)] = layout.compress(values)
    varying = tuple(layout for layout in layouts if not layout.is_static)
    missing = {layout.name: _missing(first[layout.name].isel(time=0).values) for layout in varying}
    return StorePlan(source, {**request, "shard_length": length}, varying, small, missing)


def request_of(source: Source) -> dict[str, Any]:
    """Return what tells whether two sources give the same store; JSON values.

    Raises:
        UserError: The source has no times.
    """
    times = source.times()
    if not len(times):
        raise UserError(f"source {source.name} has no times; there is nothing to ingest")
    return {
        "source": source.name,
        "source_digest": source.digest(),
        "variables": list(source.variables()),
        "n_times": len(times),
        "first_time": str(times[0]),
        "last_time": str(times[-1]),
    }


def _missing(values: np.ndarray) -> npt.NDArray[np.bool_] | None:
    absent = np.isnan(values)
    return absent if absent.any() else None


def _declarations(first: xr.Dataset, times: np.ndarray, layouts: list[Layout], origin: str) -> dict[str, bytes]:
    """Return the files that declare the arrays and hold the coordinates, by path."""
    fields = {
        layout.name: (
            layout.dims,
            dask.array.zeros(layout.shape, dtype=np.float32, chunks=layout.shape),
            first[layout.name].attrs,
        )
        for layout in layouts
    }
    coordinates = {d: first[d].variable for d in first.dims if d != "time"}
    dataset = xr.Dataset(fields, {"time": times, **coordinates}, {**first.attrs, "source": origin})
    memory: dict[str, Any] = {}
    with warnings.catch_warnings():
        # Consolidated metadata are a convention of zarr-python, not part of zarr v3; readers may pass over them.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        with_metadata(dataset).to_zarr(
            MemoryStore(memory),
            compute=False,
            consolidated=True,
            zarr_format=3,
            encoding={layout.name: layout.encoding for layout in layouts} | {"time": _time_encoding(times)},
        )
    return {file: content.to_bytes() for file, content in memory.items()}


def _time_encoding(times: np.ndarray) -> dict[str, Any]:
    unit = "minutes" if (times == times.astype("datetime64[m]")).all() else "nanoseconds"
    return {"units": f"{unit} since 1970-01-01", "dtype": "int64", "chunks": (_TIMES_IN_A_CHUNK,)}
