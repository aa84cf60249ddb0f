"""From any source to a checked zarr store, file by file, so that it can be interrupted at any instant."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import xarray as xr
from zarr.storage import MemoryStore

from weatherml.data.source import Source
from weatherml.data.store.layout import Layout, choose_shard_length
from weatherml.data.store.manifest import Manifest, checksum_of, is_whole
from weatherml.errors import UserError
from weatherml.locations import local_path
from weatherml.state import with_metadata
from weatherml.storage.files import PARTIAL, write_unflushed
from weatherml.storage.flush import flush_all
from weatherml.storage.locks import alone_in
from weatherml.storage.room import explaining_errors

_LOCK = ".ingest.lock"
_SECONDS_BETWEEN_MANIFESTS = 1.0

Progress = Callable[[int, int], None]
"""Told the number of files done and of all files."""


@dataclass(frozen=True)
class IngestReport:
    """What an ingestion did.

    Attributes:
        path: The store.
        n_files: Files of the store.
        n_written: Those that this run wrote, because they were missing or damaged.
    """

    path: Path
    n_files: int
    n_written: int


def ingest(
    source: Source, store: str | Path, progress: Progress | None = None, shard_length: int | None = None
) -> IngestReport:
    """Write a source to a zarr v3 store, or what is missing or damaged of it.

    Each file is written once, atomically, with its SHA-256 in `manifest.json`. A run that is interrupted, however
    rudely, is completed by the next one, to the same bytes as if nothing had happened.

    Args:
        source: Where the data come from.
        store: Folder of the store; made if it does not exist.
        progress: Called after every file.
        shard_length: Times in one file; chosen by size when None.

    Raises:
        UserError: The folder holds something else or another source, another ingestion is writing to it, the disk is
            full, or the source has values that are neither finite nor a mask constant in time.
    """
    path, origin = local_path(store), _origin(source)
    with _sole_writer(path):
        begun = Manifest.load(path) if Manifest.exists(path) else None
        if begun is not None:
            _require_same(path, begun, {**origin, "shard_length": shard_length or begun.shard_length})
        whole = {} if begun is None else {f: c for f, c in begun.checksums.items() if is_whole(path / f, c)}
        if begun is not None and len(whole) == begun.n_files:
            return IngestReport(path, begun.n_files, 0)
        plan = _plan(source, origin, shard_length if begun is None else begun.shard_length)
        n_written = _write_missing(path, plan, whole, progress)
    return IngestReport(path, plan.manifest.n_files, n_written)


@dataclass(frozen=True)
class _Plan:
    """All files of a store and how each is made.

    Attributes:
        manifest: Without checksums.
        makers: Functions that return the content of a file, by its path.
    """

    manifest: Manifest
    makers: Mapping[str, Callable[[], bytes]]


def _plan(source: Source, origin: Mapping[str, Any], shard_length: int | None) -> _Plan:
    times = source.times()
    first = source.read(times[:1], source.variables()).load().drop_encoding()
    length = shard_length or choose_shard_length(first, len(times))
    layouts = [Layout.of(field, len(times), length) for field in first.data_vars.values()]
    makers: dict[str, Callable[[], bytes]] = {
        file: partial(bytes, content) for file, content in _skeleton(first, times, layouts, source.name).items()
    }
    # All variables of the same times follow one another: a source that computes or decodes them together does so once.
    for index in range(max(layout.n_files for layout in layouts)):
        for layout in (one for one in layouts if index < one.n_files):
            makers[layout.file(index)] = partial(_make_shard, source, layout, index, first[layout.name].values)
    manifest = Manifest(**origin, shard_length=length, n_files=len(makers), checksums={})
    return _Plan(manifest, makers)


def _origin(source: Source) -> dict[str, Any]:
    times = source.times()
    if not len(times):
        raise UserError(f"source {source.name} has no times; there is nothing to ingest")
    return {
        "source": source.name,
        "source_digest": source.digest(),
        "variables": tuple(source.variables()),
        "n_times": len(times),
        "first_time": str(times[0]),
        "last_time": str(times[-1]),
    }


def _skeleton(first: xr.Dataset, times: np.ndarray, layouts: list[Layout], origin: str) -> dict[str, bytes]:
    """Return the files that declare the arrays and hold the coordinates, by path."""
    fields = {
        layout.name: (
            layout.dims,
            dask.array.zeros(layout.shape, dtype=np.float32, chunks=layout.shape),
            first[layout.name].attrs,
        )
        for layout in layouts
    }
    coordinates = {d: first[d].variable for d in first.dims if d != "time"}
    dataset = xr.Dataset(fields, {"time": times, **coordinates}, {**first.attrs, "source": origin})
    memory: dict[str, Any] = {}
    with warnings.catch_warnings():
        # Consolidated metadata are a convention of zarr-python, not part of zarr v3; readers may pass over them.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        with_metadata(dataset).to_zarr(
            MemoryStore(memory),
            compute=False,
            consolidated=True,
            zarr_format=3,
            encoding={layout.name: layout.encoding for layout in layouts},
        )
    return {file: content.to_bytes() for file, content in memory.items()}


def _make_shard(source: Source, layout: Layout, index: int, first: np.ndarray) -> bytes:
    """Read, check and encode one file; `first` holds the values at the first time, or all where they are static."""
    if layout.is_static:
        _require_constant_mask(layout.name, first[None], first)
        return layout.encode(first)
    times = source.times()[layout.times(index)]
    values = source.read(times, [layout.name])[layout.name].transpose(*layout.dims).values.astype(np.float32)
    if values.shape != (len(times), *layout.shape[1:]):
        raise UserError(
            f"{source.name} gives {layout.name} from {times[0]} on as {values.shape}, before as {first.shape};"
            " ingest them into two stores"
        )
    _require_constant_mask(f"{layout.name} from {times[0]} to {times[-1]}", values, first)
    return layout.encode(values)


def _require_constant_mask(what: str, values: np.ndarray, first: np.ndarray) -> None:
    n_odd = int(((np.isnan(values) != np.isnan(first)) | np.isinf(values)).sum())
    if n_odd:
        raise UserError(
            f"{what} is infinite, or missing where the first time is not, at {n_odd} points; only a mask that is"
            " constant in time can be ingested: leave out the variable or the times, or fill the gaps"
        )


def _write_missing(path: Path, plan: _Plan, whole: Mapping[str, str], progress: Progress | None) -> int:
    """Write the files that are not whole, and keep the manifest up to date; return how many were written."""
    checksums, saved_at = dict(whole), time.monotonic()
    plan.manifest.with_checksums(checksums).save(path)
    missing, unflushed = [file for file in plan.makers if file not in whole], list[Path]()
    try:
        for file in missing:
            content = plan.makers[file]()
            write_unflushed(path / file, content)
            unflushed.append(path / file)
            checksums[file] = checksum_of(content)
            if time.monotonic() - saved_at > _SECONDS_BETWEEN_MANIFESTS:
                _save(path, plan.manifest.with_checksums(checksums), unflushed)
                saved_at, unflushed = time.monotonic(), []
            if progress is not None:
                progress(len(checksums), plan.manifest.n_files)
    finally:
        _save(path, plan.manifest.with_checksums(checksums), unflushed)
    return len(missing)


def _save(path: Path, manifest: Manifest, unflushed: Sequence[Path]) -> None:
    """Save a manifest, once the disk holds what it tells."""
    with explaining_errors(path):
        flush_all(unflushed, path)
    manifest.save(path)


def _require_same(path: Path, begun: Manifest, now: Mapping[str, Any]) -> None:
    changes = [
        f"{key} {getattr(begun, key)}, now {value}" for key, value in now.items() if getattr(begun, key) != value
    ]
    if changes:
        raise UserError(
            f"{path} was made from other data or settings ({'; '.join(changes)});"
            " choose another store, or delete this one"
        )


@contextmanager
def _sole_writer(path: Path) -> Iterator[None]:
    """Hold the store's lock, and clear away what a killed run left half-written."""
    _require_own_folder(path)
    try:
        with alone_in(path, _LOCK, f"another ingestion is writing to {path}; wait for it, or choose another store"):
            for partial_file in path.rglob(f".*{PARTIAL}"):
                partial_file.unlink()
            yield
    finally:
        with suppress(OSError):
            path.rmdir()  # if nothing was written


def _require_own_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; choose a folder for the store")
    if not path.is_dir() or Manifest.exists(path):
        return
    foreign = [p.name for p in path.iterdir() if not p.name.startswith(_LOCK) and not p.name.endswith(PARTIAL)]
    if foreign:
        raise UserError(f"{path} holds other files, such as {min(foreign)}; choose an empty folder for the store")
