"""Chunks of zarr stores that are not there: what was in them reads as the fill value, and looks like data."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
import zarr

from weatherml.data.notes import iso
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.kinds import AMOUNTS
from weatherml.data.quality.rules.registry import LOST_CHUNKS
from weatherml.data.reading.canonical import SOURCE_NAME, STATIC
from weatherml.state import LEADING
from weatherml.storage.places import Place

_REMEDY = "copy the store again, or write these times anew"


@dataclass(frozen=True, eq=False)
class _Grid:
    """The chunks of an array: its shards, where it has some.

    Attributes:
        array: As zarr opens it.
        is_there: Which of them have a file `[...]`, an axis a dimension.
    """

    array: Any
    is_there: np.ndarray

    @property
    def lengths(self) -> tuple[int, ...]:
        """Sizes of a chunk."""
        return tuple(getattr(self.array, "shards", None) or self.array.chunks)


def find_lost_chunks(place: Place, dataset: xr.Dataset) -> Iterator[Finding]:
    """Yield which variables of a store lack chunks.

    Libraries leave out chunks that hold nothing but the fill value. So a place that has no chunk at any time is a mask,
    and rain or ice may lack chunks that would read as 0, as may what has no time: the land of a sea.

    Args:
        place: The store, whose files can be listed.
        dataset: What was opened of it, canonical; variables that are not among it are passed over.
    """
    group = zarr.open_group(place.zarr, mode="r")
    for name, field in dataset.data_vars.items():
        array = group.get(str(field.attrs.get(SOURCE_NAME, name)))
        if isinstance(array, zarr.Array):
            yield from _judge(str(name), _grid_of(array, place), dataset)


def _grid_of(array: Any, place: Place) -> _Grid:
    lengths = getattr(array, "shards", None) or array.chunks
    counts = tuple(math.ceil(size / length) for size, length in zip(array.shape, lengths, strict=True))
    prefix = array.path.strip("/")
    keys = [f"{prefix}/{array.metadata.encode_chunk_key(index)}" for index in product(*map(range, counts))]
    sizes = place.sizes(keys)
    return _Grid(array, np.array([bool(sizes.get(key)) for key in keys]).reshape(counts))


def _judge(name: str, grid: _Grid, dataset: xr.Dataset) -> Iterator[Finding]:
    lost = ~grid.is_there
    if lost.all():
        yield Finding("error", name, f"none of its {lost.size} chunks is in the store; {_REMEDY}", LOST_CHUNKS)
        return
    fill = grid.array.fill_value
    if fill and lost.ndim > 2:  # NaN, or the number that stands for what is missing in packed fields
        lost = lost & grid.is_there.any(axis=0)
    if not lost.any():
        return
    text = f"{lost.sum()} of {lost.size} chunks are not in the store, and read as its fill value {fill or 0:g}"
    text = f"{text}; the first is {_where(grid, lost, dataset)}"
    if not fill and (name in AMOUNTS or not _varies(dataset[name])):
        told = f"{text}; where it is 0 all over, this is right, else {_REMEDY}"
        yield Finding("warning", name, told, LOST_CHUNKS, "likely")
        return
    yield Finding("error", name, f"{text}; {_REMEDY}", LOST_CHUNKS)


def _varies(field: xr.DataArray) -> bool:
    return field.name not in STATIC and bool(set(LEADING) & set(field.dims))


def _where(grid: _Grid, lost: np.ndarray, dataset: xr.Dataset) -> str:
    """Return what the first lost chunk holds."""
    first = np.argwhere(lost)[0] * np.asarray(grid.lengths)
    stops = np.minimum(first + grid.lengths, grid.array.shape) - 1
    times = dataset["time"].values if "time" in dataset.dims else np.zeros(0)
    if len(grid.array.shape) > 2 and grid.array.shape[0] == len(times):
        return f"of {iso(times[first[0]])} .. {iso(times[stops[0]])}"
    return f"at {', '.join(f'{start} .. {stop}' for start, stop in zip(first, stops, strict=True))}"
