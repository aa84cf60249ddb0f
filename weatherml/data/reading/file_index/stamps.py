"""Whether a file is still the one that was looked at: stamps, which change when anything does that the index keeps."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from weatherml.data.reading.formats.references import targets_of

METADATA = ("zarr.json", ".zmetadata", ".zgroup", ".zarray", ".zattrs", "manifest.json")
"""Files of a zarr store that hold no values."""
_SAMPLE = 1 << 16
_DIMS_OF_FIELD = 3
"""Arrays of fewer dimensions are coordinates, bounds and the like."""


class _Array(NamedTuple):
    """An array of a zarr store.

    Attributes:
        dims: Names of its dimensions; none where they are not told.
        is_time: Whether its values are times.
    """

    dims: tuple[str, ...]
    is_time: bool

    @classmethod
    def of(cls, dims: Iterable[str] | None, attributes: dict[str, Any]) -> "_Array":
        return cls(tuple(dims or ()), " since " in str(attributes.get("units", "")))


def stamp_of(path: Path, kind: str, is_by_values: bool = False) -> str:
    """Return a text that changes when a file does: its size, and when it and its entry in the file system changed.

    Of a zarr store that of the files whose values the index keeps, of a reference also that of what it points to. The
    last word tells the numbers of files (inodes); see `without_numbers`.

    Args:
        path: The file.
        kind: Its format.
        is_by_values: Whether any value counts, of a zarr store.
    """
    if is_by_values and path.is_dir():
        return stamp_of_all(path)
    if kind == "kerchunk":
        return _stamp_of_many([*(_files_below(path) if path.is_dir() else [path]), *targets_of(path)])
    if path.is_dir():
        return _stamp_of_many(files_kept(path))
    return " ".join(_words(path))


def stamp_of_all(path: Path) -> str:
    """Return a stamp that changes with any value of a zarr store; empty for a file, whose own stamp does that."""
    return _stamp_of_many(_files_below(path)) if path.is_dir() else ""


def without_numbers(stamp: str) -> str:
    """Return a stamp by which two machines know a file: some file systems give files numbers of their own on each."""
    return stamp.rpartition(" ")[0]


def ends_of(path: Path) -> str:
    """Return the fingerprint of the first and the last 64 KiB of a file; nothing for a zarr store."""
    if path.is_dir():
        return ""
    with path.open("rb") as file:
        first = file.read(_SAMPLE)
        file.seek(max(path.stat().st_size - _SAMPLE, 0))
        return hashlib.sha256(first + file.read()).hexdigest()


def fingerprint_of_folder(path: Path) -> str:
    """Return what tells a zarr store from others: names and sizes of its files, and what the index keeps of them."""
    result, kept = hashlib.sha256(), set(files_kept(path))
    for place in _files_below(path):
        result.update(f"{place.relative_to(path)} {place.stat().st_size}".encode())
        if place.name in METADATA:
            result.update(place.read_bytes())
        elif place in kept:
            result.update(ends_of(place).encode())
    return result.hexdigest()


def files_kept(path: Path) -> list[Path]:
    """Return the files of a zarr store of which the index keeps values: all but the chunks of fields at many times."""
    folders = [Path(entry) for entry in os.scandir(path) if entry.is_dir()]
    arrays = {folder: _array_at(folder) for folder in folders}
    times = {dim for array in arrays.values() if array is not None and array.is_time for dim in array.dims}
    kept = [place for folder in (path, *folders) for place in _metadata_in(folder)]
    for folder, array in arrays.items():
        if array is not None and not _is_field_at_times(array, times):
            kept += (place for place in _files_below(folder) if place.name not in METADATA)
    return sorted(kept)


def _is_field_at_times(array: _Array, times: set[str]) -> bool:
    return len(array.dims) >= _DIMS_OF_FIELD and bool(times & set(array.dims))


def _array_at(folder: Path) -> _Array | None:
    """Return what a folder of a store says of its array; None where it is none that is opened."""
    if told := _json_at(folder / "zarr.json"):
        is_array = told.get("node_type") == "array"
        return _Array.of(told.get("dimension_names"), told.get("attributes", {})) if is_array else None
    attributes = _json_at(folder / ".zattrs")
    if not (folder / ".zarray").exists():  # of a copy only the metadata in one file may have been taken along
        together = _json_at(folder.parent / ".zmetadata").get("metadata", {})
        if f"{folder.name}/.zarray" not in together:
            return None
        attributes = together.get(f"{folder.name}/.zattrs", {})
    return _Array.of(attributes.get("_ARRAY_DIMENSIONS"), attributes)


def _json_at(path: Path) -> dict[str, Any]:
    """Return what a file of metadata says; nothing where it is not there or damaged, which opening the store tells."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _metadata_in(folder: Path) -> Iterator[Path]:
    return (place for place in map(folder.joinpath, METADATA) if place.exists())


def _files_below(path: Path) -> list[Path]:
    folders = sorted(os.walk(path, followlinks=True))  # people link arrays together to a store
    return [Path(folder, name) for folder, _, names in folders for name in sorted(names)]


def _stamp_of_many(places: Iterable[Path]) -> str:
    told, numbers = hashlib.sha256(), hashlib.sha256()
    for place in places:
        size, changed, entry_changed, number = _words(place)
        told.update(f"{place} {size} {changed} {entry_changed}\n".encode())
        numbers.update(f"{number}\n".encode())
    return f"{told.hexdigest()} {numbers.hexdigest()}"


def _words(path: Path) -> tuple[str, ...]:
    # Whoever copies a file over another may give it its time, as `cp -p` and `rsync -t` do, but not that of its entry.
    status = path.stat()
    return tuple(map(str, (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)))
