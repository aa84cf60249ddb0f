"""Values of a store that cannot be what was written are refused, and their file and what to do are named."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import xarray as xr

from weatherml.data.store.layout import file_of
from weatherml.data.store.manifest import Manifest, fitting
from weatherml.errors import UserError
from weatherml.storage.guarded import Key, guarded
from weatherml.storage.places import Place
from weatherml.wording import counted

_MOST_WORDS = 120


@dataclass(frozen=True)
class StoreGuard:
    """Guards a variable of a complete store.

    Attributes:
        place: The store.
        name: Of the variable.
        shape: Its sizes.
        shard_length: Times in one file; 0 where the variable has no time.
        seen: Files that are there and hold missing values: of a mask they are not asked for with every read.
    """

    place: Place
    name: str
    shape: tuple[int, ...]
    shard_length: int
    seen: set[str] = field(default_factory=set, compare=False)

    @classmethod
    def of(cls, place: Place, manifest: Manifest, variable: xr.DataArray | xr.Variable, name: str) -> Self:
        """Return the guard of a variable."""
        return cls(place, name, variable.shape, manifest.shard_length if "time" in variable.dims else 0)

    def accept(self, key: Key, values: np.ndarray) -> None:
        """Refuse missing values that come from a file that is not there or empty, which zarr takes for them.

        Fields without a value in the middle and at the end may be such; files are only then asked for.
        """
        if not values.size or values.dtype.kind != "f":
            return
        fields = values.reshape(-1, int(np.prod(values.shape[-2:])))
        if np.any(np.isnan(fields[:, -1]) & np.isnan(fields[:, fields.shape[1] // 2])):
            files = [file for file in self._files(key) if file not in self.seen]
            sizes = self.place.sizes(files) if files else {}
            if lost := [file for file in files if not sizes.get(file)]:
                raise self._damaged(lost, "gone since the store was opened")
            self.seen.update(files)

    def explain(self, key: Key, error: Exception) -> UserError:
        """Name the file that is damaged, of those that were read."""
        files, told = self._files(key), " ".join(str(error).split())[:_MOST_WORDS] or type(error).__name__
        notes = Manifest.load(self.place).files
        whole = fitting(self.place, {file: notes[file] for file in files if file in notes})
        if damaged := [file for file in files if file not in whole]:
            return self._damaged(damaged, f"damaged ({told})")
        return UserError(f"cannot read {self.name} in {self.place} ({told}), whose files are whole; see to its disk")

    def _damaged(self, files: list[str], what: str) -> UserError:
        others = f", and {counted(len(files) - 1, 'other file')}" if len(files) > 1 else ""
        remedy = f"mend it with weatherml check {self.place} --files --repair"
        return UserError(f"{self.place}/{files[0]} is {what}{others}; {remedy}")

    def _files(self, key: Key) -> list[str]:
        """Return the files that hold what is read."""
        n_dims = len(self.shape)
        if not self.shard_length:
            return [file_of(self.name, 0, n_dims)]
        times = np.atleast_1d(np.arange(self.shape[0])[key[0]])
        return [file_of(self.name, int(index), n_dims) for index in np.unique(times // self.shard_length)]


def guard_store(dataset: xr.Dataset, place: Place, manifest: Manifest) -> xr.Dataset:
    """Return a lazy store of which no read ends in what its libraries say."""
    names = [name for name in manifest.variables if name in dataset.data_vars]
    wrapped = {n: guarded(dataset[n].variable, StoreGuard.of(place, manifest, dataset[n], n)) for n in names}
    return dataset.assign(wrapped)
