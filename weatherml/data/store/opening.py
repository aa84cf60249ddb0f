"""Finished stores: opened lazily, checked against their checksums."""

import time

import xarray as xr

from weatherml.data.store.guard import guard_store
from weatherml.data.store.manifest import Manifest, fitting
from weatherml.data.store.workspace import Workspace, is_begun, is_changing
from weatherml.errors import UserError
from weatherml.storage.locks import A_WHILE
from weatherml.storage.places import Place, Root, place_at
from weatherml.wording import counted

_SECONDS_BETWEEN_LOOKS = 0.1


def open_store(path: Root) -> xr.Dataset:
    """Open a store lazily: nothing but coordinates is read until values are asked for.

    Attributes of the dataset name its `source` and its `digest`. For computations larger than memory, chunk it with
    dask: `dataset.chunk(time=...)`.

    Args:
        path: A folder, or a URL in a bucket (`s3://`, `gs://`, `az://`).

    Raises:
        UserError: There is no store, it is unfinished, or files are missing.
    """
    place = place_at(path)
    while True:
        content = _finished(place)
        manifest = Manifest.parse(content, str(place))
        _require_files(place, manifest)
        dataset: xr.Dataset = xr.open_zarr(place.zarr, chunks=None, consolidated=True)
        if not is_changing(place) and place.read(Manifest.NAME) == content:  # else it changed in between
            dataset = guard_store(dataset[list(manifest.variables)], place, manifest)
            return dataset.assign_attrs(digest=manifest.digest)


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
    """Require that all files are there: zarr would read a missing one as missing values, without a word."""
    lost = place.absent(manifest.files)
    if lost:
        folder = lost[0].rpartition("/")[0]
        names = [name for own, _, name in (file.rpartition("/") for file in lost) if own == folder]
        where = f"{place}/{folder}" if folder else str(place)
        raise UserError(
            f"{where} has lost {counted(len(names), 'file')}, such as {min(names)}; run the same ingest again"
        )
