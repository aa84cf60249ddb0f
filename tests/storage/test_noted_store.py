"""A zarr store that is flushed: each file that was written, with the folders that lead to it, once."""

import os

import numpy as np
import pytest
import zarr

from weatherml.storage.noted_store import NotedStore


@pytest.fixture
def flushed(monkeypatch):
    """Return the paths that are flushed, in order."""
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    return seen


def below(folder):
    return {str(path) for path in (folder.parent, folder, *folder.rglob("*"))}


def test_all_that_zarr_writes_is_flushed_with_its_folders(tmp_path, flushed):
    root = tmp_path / "f.zarr"
    store = NotedStore(root)
    group = zarr.open_group(store, mode="a")
    array = group.require_array("t2m", shape=(4, 6), chunks=(2, 3), dtype="float32", fill_value=np.nan)
    array[:2] = 1.0
    group.attrs.update({"complete": True})
    store.flush()
    assert set(flushed) == below(root) and len(flushed) == len(below(root))


def test_a_second_flush_is_of_what_came_since_the_first(tmp_path, flushed):
    root = tmp_path / "f.zarr"
    store = NotedStore(root)
    array = zarr.open_group(store, mode="a").require_array("t2m", shape=(4,), chunks=(2,), dtype="float32")
    array[:2] = 1.0
    store.flush()
    flushed.clear()
    array[2:] = 1.0
    store.flush()
    assert set(flushed) == {os.path.normpath(root / name) for name in ("..", "", "t2m", "t2m/c", "t2m/c/1")}


def test_a_chunk_that_was_deleted_is_flushed_by_its_folder(tmp_path, flushed):
    """As zarr deletes what holds missing values alone."""
    root = tmp_path / "f.zarr"
    store = NotedStore(root)
    group = zarr.open_group(store, mode="a")
    array = group.require_array("t2m", shape=(4,), chunks=(2,), dtype="float32", fill_value=np.nan)
    array[:] = 1.0
    store.flush()
    flushed.clear()
    array[:2] = np.nan
    store.flush()
    assert set(flushed) == {os.path.normpath(root / name) for name in ("..", "", "t2m", "t2m/c")}


def test_views_of_a_store_note_in_one_place(tmp_path, flushed):
    store = NotedStore(tmp_path / "f.zarr")
    zarr.open_group(store.with_read_only(False), mode="a")
    store.flush()
    assert set(flushed) == below(tmp_path / "f.zarr")
