"""Fields of dask that several ask for, a part each: they are computed once, when the first one asks."""

from collections.abc import Iterable
from tempfile import TemporaryFile
from threading import Lock
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

IN_MEMORY = 2**28
"""Bytes of a field up to which it is kept in memory, else in a file that has no name and goes when nobody needs it."""


def read_once(dataset: xr.Dataset, dims: Iterable[str]) -> xr.Dataset:
    """Return the same dataset, of which parts along some dims may be computed one by one, and each field is made once.

    Fields stay lazy: one that nobody asks for is not made.

    Args:
        dataset: With fields of dask.
        dims: Along which it is taken apart.
    """
    apart = set(dims)
    return dataset.assign(
        {
            name: own.copy(data=_taken_apart(own.variable, apart))
            for name, own in dataset.data_vars.items()
            if own.chunks is not None
        }
    )


class _Once:
    """A field that is computed as a whole when a part is asked for."""

    def __init__(self, lazy: Any) -> None:
        self.shape, self.dtype, self.ndim = lazy.shape, lazy.dtype, lazy.ndim
        self._lazy, self._lock = lazy, Lock()
        self._read: npt.NDArray[Any] | None = None

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        with self._lock:
            if self._read is None:
                self._read, self._lazy = _read(self._lazy), None
        part: npt.NDArray[Any] = self._read[key]
        return part


def _taken_apart(variable: xr.Variable, dims: set[str]) -> Any:
    own = variable.data
    chunks = tuple(
        (1,) * size if dim in dims else parts
        for dim, size, parts in zip(variable.dims, own.shape, own.chunks, strict=True)
    )
    meta = np.empty((0,) * own.ndim, own.dtype)
    return da.from_array(_Once(own), chunks, name=False, asarray=False, meta=meta)  # type: ignore[no-untyped-call]


def _read(lazy: Any) -> npt.NDArray[Any]:
    """Compute a field, chunk by chunk where it is large."""
    if lazy.nbytes <= IN_MEMORY:
        return np.asarray(lazy.compute(scheduler="threads"))
    with TemporaryFile() as file:  # what maps it keeps it
        values = np.memmap(file, lazy.dtype, "w+", shape=lazy.shape)
    da.store(lazy, values, lock=False, scheduler="threads")
    return values
