"""Which version of its files each time of a store lies in, and which times hold other values than they did."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from weatherml.data.statistics.accumulators.checksums import FieldChecksums
from weatherml.data.statistics.engine.parts import Part
from weatherml.data.statistics.engine.streaming import groups_of, stream
from weatherml.data.store.guard import StoreGuard
from weatherml.data.store.layout import file_of
from weatherml.data.store.manifest import FileNote, Manifest
from weatherml.state import StateSpec
from weatherml.storage.guarded import what_guards
from weatherml.storage.places import Place

_MIX = np.uint64(0x100000001B3)
"""Of FNV-1a: checksums of several files become one number, which any of them changes."""


def versions_of(dataset: xr.Dataset, spec: StateSpec) -> np.ndarray:
    """Return what any change of the files that hold a time changes, int64 `[time]`; 0 where that is not known.

    Args:
        dataset: Canonical analyses: of a store of weatherml's own, as it was opened, or of anything else.
        spec: Which of its variables matter.
    """
    versions = np.zeros(dataset.sizes["time"], np.uint64)
    notes: dict[str, Mapping[str, FileNote]] = {}
    for name in spec.variables:
        variable = dataset[name].variable
        guard, key = what_guards(variable) or (None, ())
        if not isinstance(guard, StoreGuard) or variable.dims[0] != "time":
            return np.zeros(len(versions), np.int64)
        place = str(guard.place)
        if place not in notes:
            notes[place] = _notes(guard.place, str(dataset.attrs.get("digest", "")))
        own = _of_files(guard, np.arange(guard.shape[0])[key[0]] // guard.shard_length, notes[place])
        versions = versions * _MIX ^ own
        if not own.all():
            return np.zeros(len(versions), np.int64)
    return versions.view(np.int64)


def first_replaced(part: Part, dataset: xr.Dataset, versions: np.ndarray, memory: int) -> np.datetime64 | None:
    """Return the first time of a part at which the data hold other values than were summed; None where none do.

    Only what lies in other files than then is read; a file that has got more times keeps the values of the earlier.

    Args:
        part: All of whose times the data hold.
        dataset: Analyses of the period.
        versions: What `versions_of` returns of it.
        memory: Bytes that may be held.
    """
    positions = np.searchsorted(dataset["time"].values, part.times)
    suspected = np.flatnonzero((part.versions == 0) | (part.versions != versions[positions]))
    if not len(suspected):
        return None
    found = _checksums(dataset.isel(time=positions[suspected]), part.spec, memory)
    differs = (found != part.checksums()[suspected]).any(axis=1)
    return np.datetime64(part.times[suspected[differs.argmax()]]) if differs.any() else None


def _checksums(dataset: xr.Dataset, spec: StateSpec, memory: int) -> np.ndarray:
    """Return those of all fields, `[time, channel]`."""
    groups, length = groups_of(dataset, spec, memory, 0)
    found = [FieldChecksums(group.n_channels) for group in groups]
    for group, checksums in zip(groups, found, strict=True):
        stream(dataset, group, [checksums], length, None)
    return np.concatenate([checksums.values for checksums in found], axis=1)


def _of_files(guard: StoreGuard, shards: np.ndarray, notes: Mapping[str, FileNote]) -> np.ndarray:
    """Return the beginning of the checksum of the file that each time lies in, uint64 `[time]`; 0 of none."""
    numbers, each = np.unique(shards, return_inverse=True)
    files = [file_of(guard.name, int(number), len(guard.shape)) for number in numbers]
    checksums = [int(notes[file].checksum[:16], 16) if file in notes else 0 for file in files]
    of_each: np.ndarray = np.array(checksums, np.uint64)[each]
    return of_each


def _notes(place: Place, digest: str) -> Mapping[str, FileNote]:
    """Return those of the files of a store; of none where it is another by now than was opened."""
    manifest = Manifest.load(place)
    return manifest.files if manifest.digest == digest else {}
