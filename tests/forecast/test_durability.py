"""Records never say more than what the disk holds, so that a power cut leaves no holes in what is called whole."""

import os
from pathlib import Path

import pytest
from reduced_batches import BATCHES, LAYOUT, begin, run

from weatherml.forecast import workdir
from weatherml.forecast.output.members import MembersOutput
from weatherml.forecast.workdir import Record, WorkDir
from weatherml.storage import folders


@pytest.fixture
def disk(monkeypatch):
    """Return what the disk holds: when each file was changed that was flushed, and the names in flushed folders."""
    held = {}

    def fsync(descriptor):
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_dir():
            held[path] = set(os.listdir(path))
        else:  # by its number: files are flushed, then get their names
            held[os.fstat(descriptor).st_ino] = os.fstat(descriptor).st_mtime_ns

    monkeypatch.setattr(os, "fsync", fsync)
    return held


def require_held(disk, folder):
    """Require that the disk holds all that is in a folder: contents and names."""
    assert folder.name in disk[folder.parent]
    for path in (path for path in folder.rglob("*") if path.suffix != ".lock"):
        assert path.name in disk[path.parent], path
        assert path.is_dir() or disk[path.stat().st_ino] == path.stat().st_mtime_ns, path


@pytest.fixture
def checked(monkeypatch, disk):
    """Return what was checked: each record before it is replaced, each store before it gets its name."""
    seen = []

    def write_record(path, content, original=workdir.write_bytes):
        require_held(disk, path.parent)
        seen.append("record")
        original(path, content)

    def swap(new, path, original=folders._swap):
        require_held(disk, new)
        seen.append("store")
        original(new, path)

    monkeypatch.setattr(workdir, "write_bytes", write_record)
    monkeypatch.setattr(folders, "_swap", swap)
    return seen


def test_members_are_on_the_disk_before_the_record_and_the_store_before_its_name(tmp_path, checked):
    work = WorkDir(tmp_path / "f.zarr", "members", Record(), overwrite=False)
    output = MembersOutput(work, LAYOUT, {"title": "members"})
    run(output)
    assert checked == ["record"] * len(BATCHES) + ["store"]


def test_statistics_are_on_the_disk_before_the_record_and_the_store_before_its_name(tmp_path, checked):
    run(begin(tmp_path / "f.zarr"))
    assert checked == ["record"] * len(BATCHES) + ["store"]


def test_a_finished_store_has_its_name_on_the_disk(tmp_path, disk):
    run(begin(tmp_path / "f.zarr"))
    assert "f.zarr" in disk[tmp_path]
