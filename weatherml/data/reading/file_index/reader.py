"""Values of fields: from as few files as hold them, of which a bounded number are open at once."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from typing import Any
from uuid import uuid4

import dask
import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from weatherml.data.reading.file_index.entry import FileEntry, FileToRead
from weatherml.data.reading.file_index.rows import Hyperslab, Rows
from weatherml.data.reading.file_index.stamps import stamp_of, without_numbers
from weatherml.errors import UserError

_MOST_OPEN = 1024  # of some 70 kB: who reads one variable after the other of fewer files opens each once

_HDF5 = threading.RLock()
"""Its library is safe in one thread; xarray guards the reading of values, not what it looks at as it opens a file."""


class FieldReader:
    """Reads fields by number."""

    def __init__(
        self, files: Sequence[FileToRead], entries: Sequence[FileEntry], wanted: Collection[str] | None, rows: Rows
    ) -> None:
        self._files, self._entries, self._wanted, self._rows = files, entries, wanted, rows
        self._open: OrderedDict[tuple[int, int], xr.Dataset] = OrderedDict()
        self._lock = threading.Lock()
        self.token = uuid4().hex

    def __reduce__(self) -> tuple[Any, ...]:
        return FieldReader, (self._files, self._entries, self._wanted, self._rows)

    def read(
        self, numbers: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Return fields as float32 `[*numbers, lat, lon]`; NaN for numbers below 0.

        Args:
            numbers: Of the fields, any shape.
            rows: Positions of latitudes `[lat]`.
            columns: Positions of longitudes `[lon]`.
        """
        result = np.full((numbers.size, rows.size, columns.size), np.nan, np.float32)
        for slab in self._rows.find(numbers.ravel()):
            values, index = self._read_slab(slab, {"latitude": _as_slice(rows), "longitude": _as_slice(columns)})
            result[slab.target] = values[index]
        return result.reshape(*numbers.shape, *result.shape[-2:])

    def digest(self, number: int) -> str:
        """Return the fingerprint of a field that has no time; empty for others."""
        (slab,) = self._rows.find(np.array([number]))
        contents = self._entries[slab.place.file].contents[slab.place.number]
        assert contents is not None
        return contents.read_structure().fields[slab.variable].digest

    def _read_slab(self, slab: Hyperslab, region: Mapping[str, Any]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Return values `[time, number, level, lat, lon]` that hold a slab, and where in them its fields are."""
        is_netcdf = self._entries[slab.place.file].kind.startswith("NetCDF")
        with _HDF5 if is_netcdf else nullcontext():
            return self._read_alone(slab, region)

    def _read_alone(self, slab: Hyperslab, region: Mapping[str, Any]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        field = self._opened(slab.place.file, slab.place.number)[slab.variable]
        axes = [np.unique(positions, return_inverse=True) for positions in slab.positions]
        chosen = {
            dim: _as_slice(needed)
            for dim, (needed, _) in zip(("time", "number", "level"), axes, strict=True)
            if dim in field.dims
        }
        with dask.config.set(scheduler="synchronous"):  # the libraries of files read one thing at a time
            values = field.isel({**chosen, **region}).values
        sizes = (len(needed) for needed, _ in axes)
        return values.reshape(*sizes, *values.shape[-2:]), tuple(inverse for _, inverse in axes)

    def _opened(self, file: int, number: int) -> xr.Dataset:
        with self._lock:
            if (file, number) not in self._open:
                self._require_unchanged(file)
                self._open[file, number] = self._entries[file].open(self._files[file], number, self._wanted)
            self._open.move_to_end((file, number))
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)  # it is closed once nobody reads from it any more
            return self._open[file, number]

    def _require_unchanged(self, index: int) -> None:
        path, entry = self._files[index].path, self._entries[index]
        try:
            stamp = stamp_of(path, entry.kind, entry.is_by_values)
        except OSError:
            raise UserError(f"{path} is gone since it was looked at; put it back, or start again") from None
        if without_numbers(stamp) != without_numbers(entry.stamp):
            raise UserError(f"{path} has changed since it was looked at; start again to read it as it is now")


class FieldArray(BackendArray):
    """Values of fields by number, for xarray: lazy, and only what is selected is read."""

    def __init__(self, reader: FieldReader, numbers: npt.NDArray[np.int64], grid_shape: tuple[int, int]) -> None:
        self._reader, self._numbers = reader, numbers
        self.shape = (*numbers.shape, *grid_shape)
        self.dtype = np.dtype(np.float32)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return self._reader.token, self._numbers

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[np.float32]:
        # A whole number stands for a position and takes its dimension away, which is done last.
        positions = [np.atleast_1d(np.arange(n)[k]) for n, k in zip(self.shape, key, strict=True)]
        *leading, rows, columns = positions
        values = self._reader.read(self._numbers[np.ix_(*leading)], rows, columns)
        return values[tuple(0 if isinstance(k, int | np.integer) else slice(None) for k in key)]


def lazy_field(reader: FieldReader, rows: xr.DataArray, grid_shape: tuple[int, int]) -> xr.Variable:
    """Return the values behind rows, lazy, of dimensions `(*rows, latitude, longitude)`."""
    numbers = np.where(np.isnan(rows.values), -1, rows.values).astype(np.int64)
    lazy = indexing.LazilyIndexedArray(FieldArray(reader, numbers, grid_shape))
    return xr.Variable((*rows.dims, "latitude", "longitude"), lazy, rows.attrs)


def _as_slice(positions: npt.NDArray[np.int64]) -> slice | npt.NDArray[np.int64]:
    """Return consecutive positions as a slice, which is read at one go."""
    if not positions.size or np.any(np.diff(positions) != 1):
        return positions
    return slice(int(positions[0]), int(positions[-1]) + 1)
