"""Values of a store that cannot be what was written are refused, and their file and what to do are named."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.store.layout import file_of
from weatherml.data.store.manifest import Manifest, fitting
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.storage.guarded import Key, guarded
from weatherml.storage.places import Place

_MOST_WORDS = 120
_CHECKSUMS = ". Stored: "
"""What zarr says of a chunk's checksum goes on with bytes."""


@dataclass(frozen=True)
class StoreGuard:
    """Guards a variable of a complete store.

    Attributes:
        place: The store.
        name: Of the variable.
        shape: Its sizes.
        shard_length: Times in one file; 0 where the variable has no time.
    """

    place: Place
    name: str
    shape: tuple[int, ...]
    shard_length: int

    @classmethod
    def of(cls, place: Place, manifest: Manifest, variable: xr.DataArray | xr.Variable, name: str) -> Self:
        """Return the guard of a variable."""
        return cls(place, name, variable.shape, manifest.shard_length if "time" in variable.dims else 0)

    def accept(self, key: Key, values: np.ndarray) -> None:
        """Refuse missing values that come from a file that is not there or empty, which zarr takes for them.

        Nothing is then there of a time, whatever was selected of it; only files of such times are asked for.
        """
        if not values.size or values.dtype.kind != "f":
            return
        shards = self._shards(key)
        # A whole number has taken the dimension of time away, if there is one.
        is_by_time = self.shard_length and not isinstance(key[0], int | np.integer)
        empty = _without_values(values if is_by_time else values[np.newaxis])
        files = [self._file(shard) for shard in np.unique(shards[empty])]
        sizes = self.place.sizes(files) if files else {}
        if lost := [file for file in files if not sizes.get(file)]:
            raise self._damaged(lost, "gone since the store was opened")

    def explain(self, key: Key, error: Exception) -> UserError:
        """Name the file that is damaged, of those that were read."""
        files = [self._file(shard) for shard in np.unique(self._shards(key))]
        told = " ".join(str(error).split()).partition(_CHECKSUMS)[0][:_MOST_WORDS] or type(error).__name__
        notes = Manifest.load(self.place).files
        whole = fitting(self.place, {file: notes[file] for file in files if file in notes})
        if damaged := [file for file in files if file not in whole]:
            return self._damaged(damaged, f"damaged ({told})")
        return UserError(f"cannot read {self.name} in {self.place} ({told}), whose files are whole; see to its disk")

    def lost(self, shard: int) -> UserError:
        """Say that a chunk of a file was never written, or is gone: it would read as missing values."""
        return self._damaged([self._file(shard)], "damaged (it lacks a chunk)")

    def _damaged(self, files: list[str], what: str) -> UserError:
        others = f", and {counted(len(files) - 1, 'other file')}" if len(files) > 1 else ""
        remedy = f"mend it with weatherml check {self.place} --files --repair"
        return UserError(f"{self.place}/{files[0]} is {what}{others}; {remedy}")

    def _shards(self, key: Key) -> npt.NDArray[np.int64]:
        """Return the number of the file that holds each time that is read `[time]`; 0 where there are no times."""
        if not self.shard_length:
            return np.zeros(1, np.int64)
        return np.atleast_1d(np.arange(self.shape[0])[key[0]]) // self.shard_length

    def _file(self, shard: int) -> str:
        return file_of(self.name, int(shard), len(self.shape))


class OwnStore(NamedTuple):
    """A complete store of weatherml's own.

    Attributes:
        place: Where it is.
        manifest: What it is made of.
    """

    place: Place
    manifest: Manifest

    def __dask_tokenize__(self) -> tuple[str, str]:
        """Return what tells it from others."""
        return str(self.place), self.manifest.digest

    def guard_of(self, variable: xr.DataArray | xr.Variable, name: str) -> StoreGuard | None:
        """Return the guard of a variable; None for coordinates, which are read at once."""
        return StoreGuard.of(*self, variable, name) if name in self.manifest.variables else None


def guard_store(dataset: xr.Dataset, place: Place, manifest: Manifest) -> xr.Dataset:
    """Return a lazy store of which no read ends in what its libraries say."""
    names = [name for name in manifest.variables if name in dataset.data_vars]
    wrapped = {n: guarded(dataset[n].variable, StoreGuard.of(place, manifest, dataset[n], n)) for n in names}
    return dataset.assign(wrapped)


def _without_values(values: np.ndarray) -> npt.NDArray[np.int64]:
    """Return at which times all of `[time, ...]` is missing: those, and few others, lack two values that are tried."""
    middle: tuple[Any, ...] = (slice(None), *(n // 2 for n in values.shape[1:]))
    last: tuple[Any, ...] = (slice(None), *(-1 for _ in values.shape[1:]))
    suspected = np.flatnonzero(np.isnan(values[middle]) & np.isnan(values[last]))
    return np.array([time for time in suspected if np.isnan(values[time]).all()], np.int64)
