"""Forecasts that are computed as they are read: a baseline of thousands of initial times is never there as a whole."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

Compute = Callable[[str, np.ndarray, np.ndarray], xr.DataArray]
"""From a variable, init times and lead times to `(init_time, lead_time, ...)`."""


def lazy_forecast(compute: Compute, first: xr.Dataset, init_times: np.ndarray, lead_times: np.ndarray) -> xr.Dataset:
    """Return a forecast whose fields are computed when they are read, for the times that are read.

    Args:
        compute: Computes one variable.
        first: The forecast at the first init and lead time: what the rest looks like.
        init_times: `datetime64 [init]`.
        lead_times: `timedelta64 [lead]`.
    """
    coords = {"init_time": init_times, "lead_time": lead_times}
    fields = {}
    for name, field in first.data_vars.items():
        computed = _Computed(str(name), compute, coords, (len(init_times), len(lead_times), *field.shape[2:]))
        fields[name] = xr.Variable(field.dims, indexing.LazilyIndexedArray(computed), field.attrs)
    kept = {name: c for name, c in first.coords.items() if not set(coords) & {*c.dims, name}}
    return xr.Dataset(fields, {**kept, **coords}, first.attrs)


class _Computed(BackendArray):
    """One variable of a forecast."""

    def __init__(self, name: str, compute: Compute, coords: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        self.name, self.compute, self.coords = name, compute, coords
        self.shape, self.dtype = shape, np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the values at an index."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        init_times, lead_times = (np.atleast_1d(c[own]) for c, own in zip(self.coords.values(), key, strict=False))
        values = self.compute(self.name, init_times, lead_times).values
        for axis in reversed(range(len(key))):  # from the last, so that a whole number takes away none that comes after
            own = key[axis] if axis >= len(self.coords) else _within(key[axis])
            values = values[(slice(None),) * axis + (own,)]
        return np.asarray(values, self.dtype)


def _within(key: Any) -> Any:
    """Return what is left to choose along an axis of which only the chosen were computed."""
    return 0 if isinstance(key, int | np.integer) else slice(None)
