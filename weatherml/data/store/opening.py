"""Finished stores: opened lazily, checked against their checksums."""

import os
from collections import defaultdict
from pathlib import Path

import xarray as xr

from weatherml.data.store.manifest import Manifest, is_whole
from weatherml.errors import UserError
from weatherml.locations import local_path


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
    return [file for file, checksum in _complete(path).checksums.items() if not is_whole(path / file, checksum)]


def digest(path: str | Path) -> str:
    """Return a hexadecimal fingerprint that changes when any value of the store does.

    Raises:
        UserError: There is no store, or it is unfinished.
    """
    return _complete(local_path(path)).digest


def _complete(path: Path) -> Manifest:
    manifest = Manifest.load(path)
    if not manifest.is_complete:
        raise UserError(
            f"{path} is unfinished ({len(manifest.checksums)} of {manifest.n_files} files written);"
            " run the same ingest again to complete it"
        )
    return manifest


def _require_files(path: Path, manifest: Manifest) -> None:
    """Require that all files are there: zarr would read a missing one as missing values, without a word."""
    expected: dict[Path, set[str]] = defaultdict(set)
    for file in manifest.checksums:
        expected[(path / file).parent].add(Path(file).name)
    for folder, names in expected.items():
        lost = names - set(os.listdir(folder) if folder.is_dir() else [])
        if lost:
            raise UserError(f"{folder} has lost {len(lost)} files, such as {min(lost)}; run the same ingest again")
