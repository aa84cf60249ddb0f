"""Lazy variables whose errors, whenever their values are read, are those of a user."""

from typing import Any, Protocol

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from weatherml.errors import UserError

Key = tuple[Any, ...]
"""What is read along each dimension: a whole number, a slice or positions."""


class Guard(Protocol):
    """Knows what a variable is read from."""

    def accept(self, key: Key, values: np.ndarray) -> None:
        """Refuse values that cannot be what was written."""
        ...

    def explain(self, key: Key, error: Exception) -> UserError:
        """Say in a line what an error of a library means."""
        ...


class GuardedArray(BackendArray):
    """The values of a lazy variable.

    Args:
        variable: As its library opened it.
        guard: What it is read from.
    """

    def __init__(self, variable: xr.Variable, guard: Guard) -> None:
        self.variable, self.guard = variable, guard
        self.shape, self.dtype = variable.shape, variable.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the values at an index."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: Key) -> np.ndarray:
        try:
            values = np.asarray(self.variable[key].values)
        except (UserError, MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:  # engines and codecs have no common base for what damaged values raise
            raise self.guard.explain(key, error) from None
        self.guard.accept(key, values)
        return values


def guarded(variable: xr.Variable, guard: Guard) -> xr.Variable:
    """Return a lazy variable that is guarded."""
    lazy = indexing.LazilyIndexedArray(GuardedArray(variable, guard))
    return xr.Variable(variable.dims, lazy, variable.attrs, variable.encoding)


def what_guards(variable: xr.Variable) -> tuple[Guard, Key] | None:
    """Return the guard of a lazy variable and what was selected of it; None where its values are others by now."""
    array: Any = variable._data
    while isinstance(array, indexing.MemoryCachedArray | indexing.CopyOnWriteArray):
        array = array.array
    if isinstance(array, indexing.LazilyIndexedArray) and isinstance(array.array, GuardedArray):
        return array.array.guard, array.key.tuple
    return None
