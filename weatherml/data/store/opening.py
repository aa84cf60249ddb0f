"""Finished stores: opened lazily, checked against their checksums."""

import os
import time
from collections import defaultdict
from pathlib import Path

import xarray as xr

from weatherml.data.store.manifest import Manifest
from weatherml.data.store.workspace import Workspace, is_begun, is_changing
from weatherml.errors import UserError
from weatherml.locations import local_path
from weatherml.storage.locks import A_WHILE
from weatherml.wording import counted

_SECONDS_BETWEEN_LOOKS = 0.1


def open_store(path: str | Path) -> xr.Dataset:
    """Open a store lazily: nothing but coordinates is read until values are asked for.

    Attributes of the dataset name its `source` and its `digest`. For computations larger than memory, chunk it with
    dask: `dataset.chunk(time=...)`.

    Raises:
        UserError: There is no store, it is unfinished, or files are missing.
    """
    path = local_path(path)
    manifest = _complete(path)
    _require_files(path, manifest)
    dataset: xr.Dataset = xr.open_zarr(path, chunks=None, consolidated=True)
    return dataset[list(manifest.variables)].assign_attrs(digest=manifest.digest)


def verify(path: str | Path) -> list[str]:
    """Read every file of a store and return the paths of those that are missing or damaged.

    Raises:
        UserError: There is no store, or it is unfinished.
    """
    path = local_path(path)
    return [file for file, note in _complete(path).files.items() if not note.fits(path / file)]


def digest(path: str | Path) -> str:
    """Return a hexadecimal fingerprint that changes when any value of the store does.

    Raises:
        UserError: There is no store, or it is unfinished.
    """
    return _complete(local_path(path)).digest


def _complete(path: Path) -> Manifest:
    deadline = time.monotonic() + A_WHILE
    while is_changing(path):  # to give new files their names takes moments
        if time.monotonic() > deadline:
            raise UserError(f"{path} was interrupted while it was changed; run the same ingest again to complete it")
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    if not Manifest.exists(path) and is_begun(path):
        n_written = len(Workspace(path).notes())
        raise UserError(f"{path} is unfinished ({n_written} files written); run the same ingest again to complete it")
    return Manifest.load(path)


def _require_files(path: Path, manifest: Manifest) -> None:
    """Require that all files are there: zarr would read a missing one as missing values, without a word."""
    expected: dict[Path, set[str]] = defaultdict(set)
    for file in manifest.files:
        expected[(path / file).parent].add(Path(file).name)
    for folder, names in expected.items():
        lost = names - set(os.listdir(folder) if folder.is_dir() else [])
        if lost:
            raise UserError(
                f"{folder} has lost {counted(len(lost), 'file')}, such as {min(lost)}; run the same ingest again"
            )
