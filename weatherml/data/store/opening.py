"""Finished stores: opened lazily, checked against their checksums."""

import json
import time
from collections.abc import Callable, Collection
from typing import TypeVar

import xarray as xr

from weatherml.data.store.guard import OwnStore, guard_store
from weatherml.data.store.making.workspace import Workspace, is_begun, is_changing
from weatherml.data.store.manifest import ROOT, FileNote, Manifest, fitting
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.storage.locks import A_WHILE
from weatherml.storage.places import Place, Root, place_at

_SECONDS_BETWEEN_LOOKS = 0.1

T = TypeVar("T")


def open_store(path: Root) -> xr.Dataset:
    """Open a store lazily: nothing but coordinates is read until values are asked for.

    Attributes of the dataset name its `source` and its `digest`. For computations larger than memory, chunk it with
    dask: `dataset.chunk(time=...)`.

    Args:
        path: A folder, or a URL in a bucket (`s3://`, `gs://`, `az://`).

    Raises:
        UserError: There is no store, it is unfinished, files are missing or cut off, or coordinates are damaged.
    """
    place = place_at(path)
    return _while_it_stays(place, lambda manifest: _opened(place, manifest))


def whole_store(path: Root) -> OwnStore:
    """Return a store of which every file is there and has its size.

    Raises:
        UserError: There is no store, it is unfinished, files are missing or cut off, or coordinates are damaged.
    """
    place = place_at(path)
    return _while_it_stays(place, lambda manifest: OwnStore(place, manifest))


def verify(path: Root) -> list[str]:
    """Read every file of a store and return the paths of those that are missing or damaged.

    Raises:
        UserError: There is no store, or it is unfinished.
    """
    place = place_at(path)
    files = _complete(place).files
    whole = fitting(place, files)
    return [file for file in files if file not in whole]


def digest(path: Root) -> str:
    """Return a hexadecimal fingerprint that changes when any value of the store does.

    Raises:
        UserError: There is no store, or it is unfinished.
    """
    return _complete(place_at(path)).digest


def _while_it_stays(place: Place, use: Callable[[Manifest], T]) -> T:
    """Return what is made of a whole store, again if the store is changed meanwhile."""
    while True:
        content = _finished(place)
        manifest = Manifest.parse(content, str(place))
        try:
            _require_files(place, manifest)
            _require_coordinates(place, manifest)
            result = use(manifest)
        except Exception:  # whatever a library makes of files of two versions
            if _is_still(place, content):
                raise
            continue
        if _is_still(place, content):
            return result


def _is_still(place: Place, content: bytes) -> bool:
    """Return whether a store is what its manifest said."""
    return not is_changing(place) and place.read(Manifest.NAME) == content


def _opened(place: Place, manifest: Manifest) -> xr.Dataset:
    opened: xr.Dataset = xr.open_zarr(place.zarr, chunks=None, consolidated=True)
    dataset = guard_store(opened[list(manifest.variables)], place, manifest)
    return dataset.assign_attrs(digest=manifest.digest)


def _complete(place: Place) -> Manifest:
    return Manifest.parse(_finished(place), str(place))


def _finished(place: Place) -> bytes:
    """Return the content of a manifest, once no files are being given their names."""
    deadline = time.monotonic() + A_WHILE
    while is_changing(place):  # to give new files their names takes moments
        if time.monotonic() > deadline:
            raise UserError(f"{place} was interrupted while it was changed; run the same ingest again to complete it")
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    if not Manifest.exists(place) and is_begun(place):
        n_written = len(Workspace(place).notes())
        raise UserError(f"{place} is unfinished ({n_written} files written); run the same ingest again to complete it")
    return Manifest.read(place)


def _require_files(place: Place, manifest: Manifest) -> None:
    """Require that all files are there, and of their size.

    Zarr would read one that is missing or empty as missing values, without a word.
    """
    sizes = place.sizes(manifest.files)  # as cheap as names: of 65,000 files in 0.4 s, and a listing tells both
    if lost := [file for file in manifest.files if file not in sizes]:
        raise _has_lost(place, lost)
    if cut := sorted(file for file, note in manifest.files.items() if _is_cut(file, sizes[file], note)):
        others = f", nor {counted(len(cut) - 1, 'other file')} theirs" if len(cut) > 1 else ""
        told = f"has {counted(sizes[cut[0]], 'byte')}, not as many as were written{others}"
        raise UserError(f"{place}/{cut[0]} {told}; {remedy(place)}")


def _has_lost(place: Place, files: Collection[str]) -> UserError:
    folder = min(files).rpartition("/")[0]
    names = [name for own, _, name in (file.rpartition("/") for file in files) if own == folder]
    where = f"{place}/{folder}" if folder else str(place)
    return UserError(f"{where} has lost {counted(len(names), 'file')}, such as {min(names)}; {remedy(place)}")


def _require_coordinates(place: Place, manifest: Manifest) -> None:
    """Require that what is read to open a store is what was written: a few files of a few KB."""
    files = [file for file in manifest.files if _is_of_a_coordinate(file, manifest)]
    found = place.checksums([*files, ROOT])
    for file in files:
        if found.get(file) != manifest.files[file].checksum:
            raise UserError(f"{place}/{file} is damaged; {remedy(place)}")
    if found.get(ROOT) != manifest.files[ROOT].checksum and not _tells_arrays(place.read(ROOT), manifest):
        raise UserError(f"{place}/{ROOT} is damaged; {remedy(place)}")


def _is_of_a_coordinate(file: str, manifest: Manifest) -> bool:
    return file.partition("/")[0] not in manifest.variables and not file.endswith(ROOT)


def _tells_arrays(metadata: bytes | None, manifest: Manifest) -> bool:
    """Return whether metadata of the root, to which people may have added words, tell of all arrays."""
    try:
        arrays = json.loads(metadata or b"")["consolidated_metadata"]["metadata"]
        wanted = {file.partition("/")[0] for file in manifest.files if file != ROOT}
        return all("shape" in arrays[name] for name in wanted)
    except (ValueError, KeyError, TypeError):
        return False


def remedy(place: Place) -> str:
    """Return what to do about a file that is lost or damaged."""
    return f"mend it with weatherml check {place} --files --repair"


def _is_cut(file: str, size: int, note: FileNote) -> bool:
    """Return whether a file has not the bytes that were written; people may give metadata other words."""
    return not size or (note.size not in (-1, size) and not file.endswith(ROOT))
